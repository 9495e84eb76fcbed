//! What is counted of reloads, to be read whenever it is measured.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::Kind;

/// Counts by [`Kind`], shared by those who write and those who read them.
#[derive(Debug, Default)]
pub struct Counts([Count; Kind::ALL.len()]);

#[derive(Debug, Default)]
struct Count {
    loaded: AtomicU64,
    failed: AtomicU64,
    stale: AtomicBool,
}

impl Counts {
    /// How often changed files were put in force.
    pub fn loaded(&self, kind: Kind) -> u64 {
        self.of(kind).loaded.load(Ordering::Relaxed)
    }

    /// How often they were not, because they could not be read or used.
    pub fn failed(&self, kind: Kind) -> u64 {
        self.of(kind).failed.load(Ordering::Relaxed)
    }

    /// Whether some files now are not what is in force.
    pub fn stale(&self, kind: Kind) -> bool {
        self.of(kind).stale.load(Ordering::Relaxed)
    }

    pub(super) fn count(&self, kind: Kind, loaded: bool) {
        let Count { loaded: well, failed: ill, .. } = self.of(kind);
        let counter = if loaded { well } else { ill };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn set_stale(&self, kind: Kind, stale: bool) {
        self.of(kind).stale.store(stale, Ordering::Relaxed);
    }

    fn of(&self, kind: Kind) -> &Count {
        &self.0[kind as usize]
    }
}
