//! Turns: what one process does for one number, or for one payment, is done one after another.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Mutex as Turn, OwnedMutexGuard};

use crate::deadline::Deadline;

/// Turns by key. Each is known by a name while it lasts, for those who wait. Clones share them.
#[derive(Debug)]
pub(super) struct Turns<K: Eq + Hash, N>(Arc<Mutex<HashMap<K, Slot<N>>>>);

#[derive(Debug)]
struct Slot<N> {
    turn: Arc<Turn<()>>,
    /// Those who have the turn or wait for it.
    users: usize,
    /// Who has it.
    holder: Option<N>,
}

/// A turn, while it lives.
#[derive(Debug)]
pub(super) struct Guard<K: Eq + Hash, N> {
    turn: Option<OwnedMutexGuard<()>>,
    turns: Turns<K, N>,
    key: K,
}

impl<K: Eq + Hash, N> Default for Turns<K, N> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Eq + Hash, N> Clone for Turns<K, N> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<K: Clone + Eq + Hash, N: Clone> Turns<K, N> {
    /// Waits for the turn of this key, first come first served, and has it under this name.
    ///
    /// # Errors
    /// If the deadline is over first: who has the turn then.
    pub(super) async fn take(
        &self,
        key: &K,
        name: N,
        deadline: Deadline,
    ) -> Result<Guard<K, N>, Option<N>> {
        let turn = match self.slots().entry(key.clone()) {
            Entry::Occupied(mut slot) => {
                slot.get_mut().users += 1;
                Arc::clone(&slot.get().turn)
            }
            Entry::Vacant(vacant) => {
                let turn = Arc::new(Turn::new(()));
                vacant.insert(Slot { turn: Arc::clone(&turn), users: 1, holder: None });
                turn
            }
        };
        // From here on leaving gives the place in the slot back.
        let mut guard = Guard { turn: None, turns: self.clone(), key: key.clone() };
        guard.turn = deadline.bound(turn.lock_owned()).await;
        let mut slots = self.slots();
        let slot = slots.get_mut(key);
        if guard.turn.is_some() {
            if let Some(slot) = slot {
                slot.holder = Some(name);
            }
            return Ok(guard);
        }
        let holder = slot.and_then(|slot| slot.holder.clone());
        drop(slots);
        Err(holder)
    }
}

impl<K: Eq + Hash, N> Turns<K, N> {
    fn slots(&self) -> MutexGuard<'_, HashMap<K, Slot<N>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash, N> Drop for Guard<K, N> {
    fn drop(&mut self) {
        let mut slots = self.turns.slots();
        let Some(slot) = slots.get_mut(&self.key) else { return };
        slot.users -= 1;
        if self.turn.is_some() {
            slot.holder = None;
        }
        if slot.users == 0 {
            slots.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn soon() -> Deadline {
        Deadline::after(Duration::from_secs(1))
    }

    #[tokio::test(start_paused = true)]
    async fn a_turn_ends_with_its_guard_and_who_waits_in_vain_learns_who_has_it() {
        let turns = Turns::<&str, u8>::default();
        let first = turns.take(&"P", 1, soon()).await.unwrap();
        assert_eq!(turns.take(&"P", 2, soon()).await.unwrap_err(), Some(1));
        let other = turns.take(&"Q", 3, soon()).await.unwrap();
        drop(first);
        let second = turns.take(&"P", 2, soon()).await.unwrap();
        assert_eq!(turns.take(&"P", 4, soon()).await.unwrap_err(), Some(2));
        drop((second, other));
        assert!(turns.slots().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn turns_are_taken_in_order_and_given_up_waits_leave_nothing() {
        let turns = Turns::<&str, u8>::default();
        let order = Arc::new(Mutex::new(Vec::new()));
        let first = turns.take(&"P", 0, soon()).await.unwrap();
        let mut tasks = Vec::new();
        for name in 1..=3 {
            let (turns, order) = (turns.clone(), Arc::clone(&order));
            tasks.push(tokio::spawn(async move {
                let _turn = turns.take(&"P", name, soon()).await.unwrap();
                order.lock().unwrap().push(name);
            }));
            tokio::task::yield_now().await;
        }
        tasks.remove(1).abort();
        tokio::task::yield_now().await;
        drop(first);
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*order.lock().unwrap(), [1, 3]);
        assert!(turns.slots().is_empty());
    }
}
