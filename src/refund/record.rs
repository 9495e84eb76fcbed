//! Records that could not be written at once: they are tried again behind the caller's back. Such
//! evidence is not to be had again from an upstream that does not find refunds by their number.

use std::time::Duration;

use super::Refunds;
use crate::deadline::Deadline;
use crate::error::Chain;
use crate::ledger::{Key, Ledger, LedgerError};

/// The waits before a record is tried again: they double.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LAST_PAUSE: Duration = Duration::from_secs(30);

impl Refunds {
    /// Says that a record failed, and tries it again: at first so that a shutdown waits for it,
    /// and then for as long as the settle window, within which nobody judges.
    pub(super) fn record_later<R>(
        &self,
        error: &LedgerError,
        record: impl Fn(Ledger) -> R + Send + Sync + 'static,
    ) where
        R: Future<Output = Result<(), LedgerError>> + Send + 'static,
    {
        tracing::error!(error = %Chain(error), "a refund's record was not written");
        let (ledger, ceiling) = (self.ledger.clone(), self.rules.ceiling);
        let window = self.rules.settle_window;
        self.tasks.spawn(async move {
            if !record_until(Deadline::after(ceiling), &ledger, &record).await {
                tracing::error!(
                    "a refund's record is still not written: it ends with this process"
                );
                tokio::spawn(async move {
                    record_until(Deadline::after(window), &ledger, &record).await
                });
            }
        });
    }

    /// Gives a claim back whose commit is not known, or which could not be given back at once:
    /// nothing was sent under it. A commit that is under way may show it only later.
    pub(super) fn give_back_later(&self, key: Key, id: String) {
        let (ledger, ceiling) = (self.ledger.clone(), self.rules.ceiling);
        self.tasks.spawn(async move {
            let record = |ledger: Ledger| {
                let (key, id) = (key.clone(), id.clone());
                async move {
                    match ledger.give_back(&key, &id, "nothing was sent").await? {
                        true => Ok(()),
                        false => Err(LedgerError::new("there is no such claim")),
                    }
                }
            };
            record_until(Deadline::after(ceiling), &ledger, &record).await
        });
    }
}

/// Whether it was written in time.
async fn record_until<R>(until: Deadline, ledger: &Ledger, record: &impl Fn(Ledger) -> R) -> bool
where
    R: Future<Output = Result<(), LedgerError>>,
{
    let mut pause = FIRST_PAUSE;
    while !until.left().is_zero() {
        tokio::time::sleep(pause.min(until.left())).await;
        if record(ledger.clone()).await.is_ok() {
            return true;
        }
        pause = (pause * 2).min(LAST_PAUSE);
    }
    false
}
