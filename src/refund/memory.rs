//! What this process has seen of refunds whose outcome is open, by its own clock. A step of the
//! ledger's clock then costs patience, and never money; so does a restart, which forgets it all.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::clock::BootTime;
use crate::ledger::{Key, Row, State};

/// The memory. Clones share it.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory(Arc<Mutex<HashMap<Key, Seen>>>);

/// What was seen of one refund.
#[derive(Debug)]
struct Seen {
    /// The state it was seen in, the claim, and its lease, which is set anew when it is reopened.
    of: (State, i64, i64),
    /// Since when.
    since: BootTime,
    /// When it is looked for next, and the wait after that look.
    next_look: BootTime,
    wait: Duration,
    /// Since when looks have borne out what Sunmi answered, without a look that did not.
    borne_out: Option<BootTime>,
    /// Its payment's refunds that were seen as succeeded, by claim, and since when.
    succeeded: HashMap<(Key, i64), BootTime>,
    /// Whether it was told of as one that needs a person.
    told: bool,
    /// When the resolver looks for it next at the latest, and how often it had looked before.
    due: Option<(BootTime, i64)>,
    /// When it was last of use.
    used: BootTime,
}

/// The waits between the looks of those who follow a refund: they double.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(2);

impl Memory {
    fn all(&self) -> MutexGuard<'_, HashMap<Key, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, row: &Row, now: BootTime, f: impl FnOnce(&mut Seen) -> T) -> T {
        let of = (row.state, row.epoch, row.lease_until);
        let fresh = || Seen {
            of,
            since: now,
            next_look: now,
            wait: FIRST_LOOK,
            borne_out: None,
            succeeded: HashMap::new(),
            told: false,
            due: None,
            used: now,
        };
        let mut all = self.all();
        let seen = all.entry(row.key.clone()).or_insert_with(fresh);
        if seen.of != of {
            *seen = fresh();
        }
        seen.used = now;
        f(seen)
    }

    /// For how long this process has seen the row in its state.
    pub(super) fn age(&self, row: &Row, now: BootTime) -> Duration {
        self.with(row, now, |seen| now.saturating_since(seen.since))
    }

    /// Whether it is time to look for a refund that is followed. Whoever is told so looks; those
    /// who follow the same one share its looks.
    pub(super) fn may_look(&self, row: &Row, now: BootTime) -> bool {
        self.with(row, now, |seen| {
            let may = seen.next_look <= now;
            if may {
                seen.next_look = now.after(seen.wait);
                seen.wait = (seen.wait * 2).min(LAST_LOOK);
            }
            may
        })
    }

    /// Notes a look that ended now, and whether it bears out what Sunmi answered.
    pub(super) fn note_look(&self, row: &Row, bears_out: bool, now: BootTime) {
        self.with(row, now, |seen| match bears_out {
            true => drop(seen.borne_out.get_or_insert(now)),
            false => seen.borne_out = None,
        });
    }

    /// Whether an earlier look bore out what Sunmi answered, at least `lag` before `now`, and none
    /// since did not.
    pub(super) fn was_borne_out(&self, row: &Row, lag: Duration, now: BootTime) -> bool {
        self.with(row, now, |seen| {
            seen.borne_out.is_some_and(|first| now.saturating_since(first) >= lag)
        })
    }

    /// Notes, for the refund of `row`, that `others` of its payment were seen as succeeded.
    pub(super) fn note_succeeded(&self, row: &Row, others: &[Row], now: BootTime) {
        self.with(row, now, |seen| {
            for other in others.iter().filter(|other| other.has_succeeded()) {
                seen.succeeded.entry((other.key.clone(), other.epoch)).or_insert(now);
            }
        });
    }

    /// Whether `other` was seen as succeeded at least `lag` before `now`.
    pub(super) fn succeeded_before(
        &self,
        row: &Row,
        other: &Row,
        lag: Duration,
        now: BootTime,
    ) -> bool {
        self.with(row, now, |seen| {
            let since = seen.succeeded.get(&(other.key.clone(), other.epoch));
            since.is_some_and(|since| now.saturating_since(*since) >= lag)
        })
    }

    /// Whether it is told of for the first time as one that needs a person.
    pub(super) fn tell_person(&self, row: &Row, now: BootTime) -> bool {
        self.with(row, now, |seen| !std::mem::replace(&mut seen.told, true))
    }

    /// Notes when the resolver looks for a refund next.
    pub(super) fn set_due(&self, row: &Row, due: BootTime, now: BootTime) {
        self.with(row, now, |seen| seen.due = Some((due, row.looks)));
    }

    /// The refunds that are due by this process's clock, though the ledger has not said so: its
    /// clock may have gone back. Each with the count of looks it had then.
    pub(super) fn take_overdue(&self, now: BootTime) -> Vec<(Key, i64)> {
        let mut all = self.all();
        let due = all.iter_mut().filter_map(|(key, seen)| {
            let (_, looks) = seen.due.take_if(|(due, _)| *due <= now)?;
            Some((key.clone(), looks))
        });
        due.collect()
    }

    /// Forgets a refund that is at rest.
    pub(super) fn forget(&self, key: &Key) {
        self.all().remove(key);
    }

    /// Forgets what was of no use for so long: another process saw its end.
    pub(super) fn forget_unused(&self, time: Duration, now: BootTime) {
        self.all().retain(|_, seen| now.saturating_since(seen.used) < time);
    }
}

#[cfg(test)]
mod tests;
