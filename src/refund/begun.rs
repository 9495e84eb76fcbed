//! What the edge, whose caller may be gone or out of time, and the task that works on a refund
//! have to settle between them, each by one compare-and-set: whether it may have been sent, and
//! whether its caller hears what the row says that it was told.
//!
//! It also keeps what callers had been told of the number when the call began.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use crate::ledger::{Key, Row, State};

/// Whether the work on a refund has come to the point from which on it may be sent. Clones are
/// the same.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<Between>);

#[derive(Debug, Default)]
struct Between {
    work: AtomicU8,
    word: AtomicU8,
    /// The claims of which a caller had been told that they were not applied.
    told_before: OnceLock<Vec<(Key, i64)>>,
}

const LOOKING: u8 = 0;
const CLAIMING: u8 = 1;
const ABANDONED: u8 = 2;

const UNSAID: u8 = 0;
const SAID: u8 = 1;
const UNHEARD: u8 = 2;

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
        let _ =
            self.0.work.compare_exchange(CLAIMING, LOOKING, Ordering::AcqRel, Ordering::Acquire);
    }

    /// Notes the rows of its number as they are when the work begins.
    pub(super) fn found(&self, rows: &[Row]) {
        let told = rows.iter().filter(|row| row.state == State::NotApplied && row.told);
        // The first ones are those of the beginning.
        let _ = self.0.told_before.set(told.map(|row| (row.key.clone(), row.epoch)).collect());
    }

    /// Whether a caller was told, before this call began, that the refund of this row's claim was
    /// not applied. Only a call that began afterwards repeats it: one that began before, and would
    /// send it now, would move money that the caller has been told not to have moved.
    pub(super) fn follows_what_was_told(&self, row: &Row) -> bool {
        let told = self.0.told_before.get().map(Vec::as_slice).unwrap_or_default();
        told.iter().any(|(key, epoch)| *key == row.key && *epoch == row.epoch)
    }

    /// The task's answer is what it is, and goes to the caller. False if nobody hears it.
    pub(super) fn say(&self) -> bool {
        self.word(SAID) != UNHEARD
    }

    /// The caller leaves. False if the task's answer is on its way already.
    pub(super) fn leave(&self) -> bool {
        self.word(UNHEARD) != SAID
    }

    fn word(&self, word: u8) -> u8 {
        self.0
            .word
            .compare_exchange(UNSAID, word, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|decided| decided, |_| word)
    }

    /// What it is then: this, if it was not decided before.
    fn leave_looking(&self, to: u8) -> u8 {
        self.0
            .work
            .compare_exchange(LOOKING, to, Ordering::AcqRel, Ordering::Acquire)
            .map_or_else(|decided| decided, |_| to)
    }
}

/// A caller who waits: it leaves at the latest when this goes.
#[derive(Debug)]
pub(super) struct Caller<'a>(pub(super) &'a Begun);

impl Drop for Caller<'_> {
    fn drop(&mut self) {
        self.0.leave();
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

    #[test]
    fn an_answer_is_heard_unless_its_caller_left_before() {
        let begun = Begun::default();
        assert!(begun.say() && !begun.leave() && begun.say());
        let begun = Begun::default();
        drop(Caller(&begun));
        assert!(!begun.say() && begun.leave());
    }
}
