//! How many calls of one caller are served at once.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// A bound on calls that are served at once. Its count outlives it: another bound may go on
/// with it.
#[derive(Clone, Debug)]
pub struct Bound {
    most: Option<u32>,
    under_way: Arc<AtomicU32>,
}

/// There are as many calls as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("as many calls of this caller are served as may be at once")]
pub struct Full;

/// The place of a call, given back when it is dropped.
#[derive(Debug)]
pub struct Held(Arc<AtomicU32>);

impl Bound {
    /// At most so many, or any number.
    pub fn new(most: Option<u32>) -> Self {
        Self { most, under_way: Arc::default() }
    }

    /// The same, in which the calls count that are under way by that one.
    #[must_use]
    pub fn after(&self, before: &Self) -> Self {
        Self { most: self.most, under_way: Arc::clone(&before.under_way) }
    }

    /// Whether calls are under way.
    pub fn is_in_use(&self) -> bool {
        self.under_way.load(Ordering::Acquire) > 0
    }

    /// A place for a call.
    ///
    /// # Errors
    /// [`Full`] if there is none.
    pub fn take(&self) -> Result<Held, Full> {
        let most = self.most.unwrap_or(u32::MAX);
        let more = |count: u32| (count < most).then(|| count + 1);
        self.under_way
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
            .map(|_| Held(Arc::clone(&self.under_way)))
            .map_err(|_| Full)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_under_way_count_in_the_bound_that_goes_on_with_them() {
        let before = Bound::new(Some(2));
        let held = [before.take().unwrap(), before.take().unwrap()];
        assert_eq!(before.take().unwrap_err(), Full);
        let (wider, narrower, open) = (Bound::new(Some(3)), Bound::new(Some(1)), Bound::new(None));
        let [wider, narrower, open] = [wider, narrower, open].map(|bound| bound.after(&before));
        let third = wider.take().unwrap();
        assert!(wider.take().is_err() && narrower.take().is_err() && open.take().is_ok());
        drop(held);
        assert!(narrower.take().is_err());
        drop(third);
        assert!(narrower.take().is_ok());
    }
}
