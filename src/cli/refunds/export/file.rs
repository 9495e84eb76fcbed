//! A file that is there only once it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use crate::error::BoxError;

/// Only whoever made it reads it: it says who got how much money back.
const MODE: u32 = 0o600;

/// A file that is written beside its place, and goes again unless it is kept.
pub(super) struct Partial {
    file: BufWriter<File>,
    beside: PathBuf,
    place: PathBuf,
}

impl Partial {
    /// Begins it.
    ///
    /// # Errors
    /// That there can be no such file.
    pub(super) fn begin(place: &Path) -> Result<Self, BoxError> {
        let failed = |why: String| format!("--output {}: {why}", place.display());
        // A link stays one.
        let target = fs::canonicalize(place).unwrap_or_else(|_| place.to_owned());
        let before = fs::metadata(&target).ok();
        if before.as_ref().is_some_and(|it| !it.is_file()) {
            return Err(failed("is no regular file".to_owned()).into());
        }
        let Some(name) = target.file_name() else {
            return Err(failed("names no file".to_owned()).into());
        };
        let name = format!(".{}.{}.partial", name.to_string_lossy(), Uuid::new_v4().simple());
        let beside = target.with_file_name(name);
        let file = OpenOptions::new().write(true).create_new(true).mode(MODE).open(&beside);
        let file = file.map_err(|error| failed(error.to_string()))?;
        let partial = Self { file: BufWriter::new(file), beside, place: target };
        if let Some(before) = before {
            fs::set_permissions(&partial.beside, before.permissions())
                .map_err(|error| failed(error.to_string()))?;
        }
        Ok(partial)
    }

    /// Puts it in its place, whole and on the disk.
    ///
    /// # Errors
    /// That it cannot be put there; then what was there stays.
    pub(super) fn keep(mut self) -> Result<(), BoxError> {
        self.file.flush()?;
        self.file.get_ref().sync_all()?;
        fs::rename(&self.beside, &self.place)?;
        let folder = self.place.parent().filter(|folder| !folder.as_os_str().is_empty());
        // The file is whole whatever becomes of this.
        let _ = File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all());
        Ok(())
    }
}

impl Write for Partial {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Once kept, it is no longer there.
        let _ = fs::remove_file(&self.beside);
    }
}
