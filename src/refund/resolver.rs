//! Works off what is in doubt, from the start of the process on, with a few at a time and
//! longer and longer waits. Several replicas share the work: each takes rows for a while.

use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Refunds;
use super::keyless;
use super::resolve::Scope;
use super::schedule::{self, Open, Waits};
use crate::error::{BoxError, Chain};
use crate::ledger::{Key, LedgerError, Row, State};
use crate::telemetry::shown;

/// So many refunds are looked at at once.
const AT_ONCE: usize = 8;

/// How often the ledger is asked for work.
const PAUSE: Duration = Duration::from_secs(1);

/// How often refunds are looked for that need a person by their age alone.
const PERSONS_PAUSE: Duration = Duration::from_secs(10);

/// How often rows past their retention are emptied.
const PURGE_PAUSE: Duration = Duration::from_secs(3600);

/// How much later than the ledger this process's own clock makes a refund due.
const OWN_MARGIN: Duration = Duration::from_secs(10);

/// What this process has seen of a refund is forgotten when it was of no use for so long.
const FORGET: Duration = Duration::from_secs(24 * 3600);

impl Refunds {
    /// Works until `stop`.
    pub async fn resolve_until(self, stop: CancellationToken) {
        let work = async {
            let (mut purge_at, mut persons_at) = (Instant::now(), Instant::now());
            loop {
                self.work_off().await;
                if persons_at <= Instant::now() {
                    self.call_persons().await;
                    persons_at = Instant::now() + PERSONS_PAUSE;
                }
                if purge_at <= Instant::now() {
                    self.purge().await;
                    self.memory.forget_unused(FORGET, self.clock.now());
                    purge_at = Instant::now() + PURGE_PAUSE;
                }
                tokio::time::sleep(PAUSE).await;
            }
        };
        stop.run_until_cancelled(work).await;
    }

    /// Looks once at everything that is due, by the ledger's clock or this process's own.
    pub async fn work_off(&self) {
        self.look_with_new_keys().await;
        let (mut looked_at, mut still_open) = (0, 0);
        loop {
            let due = match self.take_due().await {
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
            let open = looks.buffer_unordered(AT_ONCE).filter(|open| std::future::ready(*open));
            still_open += open.count().await;
        }
        if still_open > 0 {
            tracing::info!(looked_at, still_open, "looked for what became of refunds");
        }
    }

    async fn take_due(&self) -> Result<Vec<Row>, LedgerError> {
        // Held for longer than a look can take, so that no other replica looks as well.
        let hold = self.rules.ceiling * 2;
        let latest = schedule::LONGEST.max(hold);
        let mut due = self.ledger.take_due(AT_ONCE as i64, hold, latest).await?;
        for (key, looks) in self.memory.take_overdue(self.clock.now()) {
            let row = self.ledger.row(&key).await?;
            let is_new = !due.iter().any(|taken| taken.key == key);
            // Another replica may have looked meanwhile.
            if is_new && row.looks == looks && !row.is_at_rest() {
                due.push(row);
            }
        }
        Ok(due)
    }

    /// Looks once at one refund, whether it is due or not, and judges nothing absent. It comes
    /// back as it is then, and with it why it is not resolved, if it was looked for and is not.
    ///
    /// # Errors
    /// If the ledger cannot be read or written.
    pub async fn resolve_once(&self, key: &Key) -> Result<(Row, Option<BoxError>), LedgerError> {
        self.resolve_key(key, Scope::Evidence).await
    }

    async fn resolve_key(
        &self,
        key: &Key,
        scope: Scope,
    ) -> Result<(Row, Option<BoxError>), LedgerError> {
        let row = self.refresh(key).await?;
        let why = if row.is_open() { self.resolve_within(&row, scope).await } else { None };
        Ok((self.ledger.row(key).await?, why))
    }

    /// Whether the refund is still open afterwards, as far as is known.
    async fn look_at(&self, row: Row) -> bool {
        let looked = async {
            // What the look could not know yet needs no person yet.
            let waited_out = self.is_past_window(&row);
            let keyless = self.has_no_key(&row);
            let (row, why) = self.resolve_key(&row.key, Scope::All).await?;
            if !row.is_open() {
                self.memory.forget(&row.key);
                return Ok(false);
            }
            self.call_person(&row, waited_out, why.as_ref()).await?;
            let wait = schedule::wait(self.open(&row), self.rules.lag);
            let wait = if keyless { wait.min(keyless::LONGEST) } else { wait };
            self.ledger.look_again(&row.key, wait).await?;
            let now = self.clock.now();
            self.memory.set_due(&row, now.after(wait + OWN_MARGIN), now);
            Ok::<_, LedgerError>(true)
        };
        looked.await.unwrap_or_else(|error| {
            let error = Chain(&error);
            tracing::warn!(%error, "the resolver could not use the ledger");
            true
        })
    }

    /// What an open refund waits for.
    fn open(&self, row: &Row) -> Open {
        let looks = row.looks;
        if row.state == State::Processing {
            return Open { looks, waits: Waits::Sunmi };
        }
        let age = self.seen_past_lease(row);
        let left = self.rules.settle_window.saturating_sub(age.min(row.since_lease()));
        let over = age.min(row.since_lease()).saturating_sub(self.rules.settle_window);
        let pending = row.doubt.as_ref().is_some_and(|doubt| doubt.pending.is_some());
        let waits = match left.is_zero() {
            false if pending => Waits::BorneOut,
            false => Waits::Window(left),
            true => Waits::Person(over),
        };
        Open { looks, waits }
    }

    /// Records of a refund that only a person can settle it, and says so once: this process has
    /// waited its window out and found nothing that proves anything, or Sunmi has had it in
    /// processing for long.
    async fn call_person(
        &self,
        row: &Row,
        waited_out: bool,
        why: Option<&BoxError>,
    ) -> Result<(), LedgerError> {
        let needs = match row.state {
            State::Processing => row.claimed_before(self.rules.processing_patience),
            State::InDoubt => row.person || (waited_out && self.is_past_window(row)),
            State::Claimed | State::Settled | State::NotApplied => false,
        };
        if needs && !row.person {
            self.ledger.needs_person(&row.key, row.epoch).await?;
        }
        if needs && self.memory.tell_person(row, self.clock.now()) {
            tracing::error!(
                app_id = row.key.app_id.as_str(),
                refund = shown(row.key.order_id.as_str()).as_deref(),
                state = row.state.name(),
                why = why.map(|why| Chain(why.as_ref()).to_string()),
                "a refund needs a person: see `sunmi-trade refunds show`"
            );
        }
        Ok(())
    }

    async fn call_persons(&self) {
        if let Err(error) = self.ledger.call_persons(self.rules.patience()).await {
            let error = Chain(&error);
            tracing::warn!(%error, "could not record which refunds need a person");
        }
    }

    async fn purge(&self) {
        match self.ledger.purge(self.rules.retention).await {
            Ok(0) => {}
            Ok(rows) => tracing::info!(rows, "emptied refunds past their retention"),
            Err(error) => {
                let error = Chain(&error);
                tracing::warn!(%error, "could not empty refunds past their retention");
            }
        }
    }
}
