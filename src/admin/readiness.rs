//! Whether new calls should be routed here, and if not, why.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Where the server is between its start and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It has what it needs, and does not serve yet.
    Starting,
    /// It serves.
    Serving,
    /// It was told to stop, and finishes what is under way.
    Draining,
}

impl Phase {
    const ALL: [Self; 3] = [Self::Starting, Self::Serving, Self::Draining];

    /// Its name, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Serving => "serving",
            Self::Draining => "draining",
        }
    }

    /// Whether new calls should be routed here.
    pub fn is_ready(self) -> bool {
        match self {
            Self::Serving => true,
            Self::Starting | Self::Draining => false,
        }
    }
}

/// Whether new calls should be routed here. Falls when the server drains; does not follow
/// the upstream or the ledger, whose outage no other replica would mend. Clones share it; the
/// default is [`Phase::Starting`].
#[derive(Clone, Debug)]
pub struct Readiness(Arc<AtomicU8>);

impl Default for Readiness {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(Phase::Starting as u8)))
    }
}

impl Readiness {
    /// Says where the server is now.
    pub fn set(&self, phase: Phase) {
        self.0.store(phase as u8, Ordering::Release);
    }

    /// Where the server is.
    pub fn phase(&self) -> Phase {
        let phase = self.0.load(Ordering::Acquire);
        Phase::ALL.into_iter().find(|it| *it as u8 == phase).unwrap_or(Phase::Starting)
    }
}
