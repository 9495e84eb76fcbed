//! Refunds that cannot be looked for, because no key of their `app_id` is configured: it was
//! removed while they were open. They are counted and told like any other, and looked for again
//! when there is a key.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Refunds;
use crate::error::Chain;
use crate::ledger::Row;
use crate::trade::Identifier;

/// No refund without a key waits longer than this for its next look: another process, with other
/// credentials, may work off the same ledger.
pub(super) const LONGEST: Duration = Duration::from_secs(300);

/// The `app_id`s without a key of which it was told. Clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Keyless(Arc<Mutex<BTreeSet<Identifier>>>);

impl Keyless {
    fn told(&self) -> MutexGuard<'_, BTreeSet<Identifier>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes out those of which this holds.
    fn take(&self, holds: impl Fn(&Identifier) -> bool) -> BTreeSet<Identifier> {
        let mut told = self.told();
        let (taken, rest) = std::mem::take(&mut *told).into_iter().partition(|it| holds(it));
        *told = rest;
        taken
    }
}

impl Refunds {
    /// Whether there is no key to look for this refund, which is told once for its `app_id`.
    pub(super) fn has_no_key(&self, row: &Row) -> bool {
        let app_id = &row.key.app_id;
        let keyless = !self.client.can_sign_as(app_id);
        if keyless && self.keyless.told().insert(app_id.clone()) {
            tracing::warn!(
                app_id = app_id.as_str(),
                "no key of this app_id is configured: its open refunds cannot be looked for"
            );
        }
        keyless
    }

    /// Makes the open refunds due of which there is a key again.
    pub(super) async fn look_with_new_keys(&self) {
        for app_id in self.keyless.take(|app_id| self.client.can_sign_as(app_id)) {
            tracing::info!(
                app_id = app_id.as_str(),
                "a key of this app_id is configured again: its open refunds are looked for"
            );
            if let Err(error) = self.ledger.look_now(&app_id).await {
                let error = Chain(&error);
                tracing::warn!(%error, "the resolver could not use the ledger");
                // Tried again with the next work.
                self.keyless.told().insert(app_id);
            }
        }
    }
}
