//! Who says whether a refund may have been sent: the edge, whose caller's time is over, or the
//! task that works on it. They settle it by one compare-and-set.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

/// Whether the work on a refund has come to the point from which on it may be sent. Clones are
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<AtomicU8>);

const LOOKING: u8 = 0;
const CLAIMING: u8 = 1;
const ABANDONED: u8 = 2;

impl Begun {
    /// Gives the refund up. True if nothing was sent in this call, and nothing will be.
    pub fn abandon(&self) -> bool {
        self.leave_looking(ABANDONED) != CLAIMING
    }

    /// Goes on to where the refund may be sent, or to where only the ledger tells what became of
    /// it. False if it was given up.
    pub(crate) fn claim(&self) -> bool {
        self.leave_looking(CLAIMING) != ABANDONED
    }

    /// Goes back to where nothing may be sent: the claim was not made.
    pub(super) fn look_again(&self) {
        let _ = self.0.compare_exchange(CLAIMING, LOOKING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// What it is then: this, if it was not decided before.
    fn leave_looking(&self, to: u8) -> u8 {
        self.0
            .compare_exchange(LOOKING, to, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|decided| decided, |_| to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_decides_first_decides() {
        let begun = Begun::default();
        assert!(begun.claim() && begun.claim() && !begun.abandon());
        let begun = Begun::default();
        assert!(begun.abandon() && begun.clone().abandon() && !begun.claim());
    }
}
