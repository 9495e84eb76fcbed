//! Works off what is in doubt, from the start of the process on, with a few at a time and
//! longer and longer waits. Several replicas share the work: each takes rows for a while.

use std::future::ready;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Refunds;
use crate::error::{BoxError, Chain};
use crate::ledger::{Key, LedgerError, Row};

/// So many refunds are looked at at once.
const AT_ONCE: usize = 8;

/// How often the ledger is asked for work.
const PAUSE: Duration = Duration::from_secs(1);

/// The wait after the first look at a refund; it doubles, up to the last.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LAST_WAIT: Duration = Duration::from_secs(300);

/// How often rows past their retention are emptied.
const PURGE_PAUSE: Duration = Duration::from_secs(3600);

impl Refunds {
    /// Works until `stop`.
    pub async fn resolve_until(self, stop: CancellationToken) {
        let work = async {
            let mut purge_at = Instant::now();
            loop {
                self.work_off().await;
                if purge_at <= Instant::now() {
                    self.purge().await;
                    purge_at = Instant::now() + PURGE_PAUSE;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Looks once at everything that is due.
    pub async fn work_off(&self) {
        let (mut looked_at, mut still_open) = (0, 0);
        loop {
            // Held for longer than a look can take, so that no other replica looks as well.
            let hold = self.times.ceiling * 2;
            let due = match self.ledger.take_due(AT_ONCE as i64, hold).await {
                Ok(due) => due,
                Err(error) => {
                    let error = Chain(&error);
                    tracing::warn!(%error, "the resolver could not read the ledger");
                    break;
                }
            };
            if due.is_empty() {
                break;
            }
            looked_at += due.len();
            let looks = futures_util::stream::iter(due).map(|row| self.look_at(row));
            let open = looks.buffer_unordered(AT_ONCE).filter(|open| ready(*open));
            still_open += open.count().await;
        }
        if still_open > 0 {
            tracing::info!(looked_at, still_open, "looked for what became of refunds");
        }
    }

    /// Looks once at one refund, whether it is due or not. It comes back as it is then, and
    /// with it why it is not resolved, if it was looked for and is not.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub async fn resolve_once(&self, key: &Key) -> Result<(Row, Option<BoxError>), LedgerError> {
        let row = self.refresh(key).await?;
        let why = if row.is_open() { self.resolve(&row).await } else { None };
        Ok((self.ledger.row(key).await?, why))
    }

    /// Whether the refund is still open afterwards, as far as is known.
    async fn look_at(&self, row: Row) -> bool {
        let looked = async {
            let (row, _) = self.resolve_once(&row.key).await?;
            self.ledger.look_again(&row.key, wait_after(row.looks)).await?;
            Ok::<_, LedgerError>(row.is_open())
        };
        looked.await.unwrap_or_else(|error| {
            let error = Chain(&error);
            tracing::warn!(%error, "the resolver could not use the ledger");
            true
        })
    }

    async fn purge(&self) {
        match self.ledger.purge(self.times.retention).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "emptied refunds past their retention"),
            Err(error) => {
                let error = Chain(&error);
                tracing::warn!(%error, "could not empty refunds past their retention");
            }
        }
    }
}

/// How long to leave a refund alone that was looked at so often.
fn wait_after(looks: i64) -> Duration {
    let doublings = u32::try_from(looks.saturating_sub(1)).unwrap_or_default().min(16);
    FIRST_WAIT.saturating_mul(1 << doublings).min(LAST_WAIT)
}
