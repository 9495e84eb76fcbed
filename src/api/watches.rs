//! Places for streams of changes, which last: so many in all, and so many of each caller.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// So many streams there are at once.
const IN_ALL: usize = 64;

/// So many of them are one caller's. Callers that are not known by name are not told apart, and
/// share what there is in all.
const OF_ONE: usize = 8;

/// All places. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Watches(Arc<Mutex<HashMap<Option<Box<str>>, usize>>>);

/// The place of a stream, held while it lives.
#[derive(Debug)]
pub(super) struct Watch {
    watches: Watches,
    caller: Option<Box<str>>,
}

impl Watches {
    /// A place for a stream of this caller.
    ///
    /// # Errors
    /// What there are too many of.
    pub(super) fn take(&self, caller: Option<&str>) -> Result<Watch, &'static str> {
        let caller: Option<Box<str>> = caller.map(Into::into);
        let mut counts = self.counts();
        if counts.values().sum::<usize>() >= IN_ALL {
            return Err("too many streams of changes in all");
        }
        let own = counts.entry(caller.clone()).or_default();
        if caller.is_some() && *own >= OF_ONE {
            return Err("too many streams of changes of this caller");
        }
        *own += 1;
        Ok(Watch { watches: self.clone(), caller })
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Option<Box<str>>, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut counts = self.watches.counts();
        let Some(own) = counts.get_mut(&self.caller) else { return };
        *own -= 1;
        if *own == 0 {
            counts.remove(&self.caller);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caller_has_its_own_bound_and_all_have_one_and_places_come_back() {
        let watches = Watches::default();
        let take = |caller: Option<&str>| watches.take(caller);
        let till: Vec<_> = (0..OF_ONE).map(|_| take(Some("till")).unwrap()).collect();
        assert!(take(Some("till")).is_err());
        let nameless: Vec<_> = (OF_ONE..IN_ALL).map(|_| take(None).unwrap()).collect();
        assert!(take(None).is_err() && take(Some("office")).is_err());
        drop(till);
        assert!(take(Some("till")).is_ok());
        drop(nameless);
        assert!(watches.counts().is_empty());
    }
}
