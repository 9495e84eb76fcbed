//! A directory for one test.

use std::path::{Path, PathBuf};

use uuid::Uuid;

/// A directory that is removed with this value.
#[derive(Debug)]
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    /// A new one, empty.
    pub(crate) fn new() -> Self {
        let path = std::env::temp_dir().join(format!("sunmi-trade-{}", Uuid::new_v4()));
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
