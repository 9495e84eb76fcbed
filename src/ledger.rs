//! The refund ledger: what this server has promised, and to whom it still owes the truth.
//! One table, keyed by (`app_id`, the refund's `order_id`), in SQLite or PostgreSQL.
//!
//! | state | means | leaves it |
//! |---|---|---|
//! | `claimed` | one owner may send, until `lease_until` | an answer; the lease's end: `in_doubt` |
//! | `in_doubt` | it may have happened | evidence; a judgement: `not_applied`; a person |
//! | `processing` | Sunmi accepted it and has not finished | found finished; a person |
//! | `settled` | it is known, with its answer | never |
//! | `not_applied` | it is known that no money moved | a new claim |
//!
//! Every time is the database's. A claim raises `epoch`; a negative judgement is written
//! only over the epoch and state that it was made from, a failure only over its own epoch.
//! Evidence that a refund happened is written from any epoch and wins.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AnyPool, AssertSqlSafe};
use tokio::sync::broadcast;

use crate::error::BoxError;
use crate::metrics::{LedgerMetrics, Metrics, Pulled, Type};
use crate::permit::Permit;
use crate::trade::{Identifier, OrderRef, Refund, Refunded, TradeState};

mod moves;
mod open;
mod reads;

pub use open::{Access, Location};

/// The key of a refund.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// Who signed it.
    pub app_id: Identifier,
    /// The refund's own number.
    pub order_id: Identifier,
}

impl Key {
    /// The key of this refund.
    pub fn of(refund: &Refund) -> Self {
        Self { app_id: refund.app_id.clone(), order_id: refund.order_id.clone() }
    }
}

/// See the table at the head of this module.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the table at the head of this module")]
pub enum State {
    Claimed,
    InDoubt,
    Processing,
    Settled,
    NotApplied,
}

impl State {
    const ALL: [Self; 5] =
        [Self::Claimed, Self::InDoubt, Self::Processing, Self::Settled, Self::NotApplied];

    /// Its name in the table.
    pub fn name(self) -> &'static str {
        match self {
            Self::Claimed => "claimed",
            Self::InDoubt => "in_doubt",
            Self::Processing => "processing",
            Self::Settled => "settled",
            Self::NotApplied => "not_applied",
        }
    }

    /// The state of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A row of the ledger, as it was at [`Row::now`].
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose refund.
    pub key: Key,
    /// The merchant's device.
    pub msn: String,
    /// How much, in minor units; absent once retention has emptied the row.
    pub amount: Option<i64>,
    /// The payment.
    pub original: OrderRef,
    /// The shop's business number.
    pub business_id: String,
    /// Where it is.
    pub state: State,
    /// Which claim it is of.
    pub epoch: i64,
    /// Until when its owner may send, in the database's milliseconds.
    pub lease_until: i64,
    /// When settled, how.
    pub outcome: Option<TradeState>,
    /// The recorded answer.
    pub answer: Option<Refunded>,
    /// When it was claimed, in the database's milliseconds.
    pub claimed_at: i64,
    /// When its state last changed, in the database's milliseconds.
    pub changed_at: i64,
    /// How often the resolver has looked at it.
    pub looks: i64,
    /// Who decided it, or an earlier claim of it, if a person did, and why.
    pub decided: Option<Decision>,
    /// Who asked for it, as far as that is known; absent once retention has emptied the row.
    pub caller: Option<String>,
    /// When the row was read, in the database's milliseconds.
    pub now: i64,
}

impl Row {
    /// Whether its owner may no longer send.
    pub fn lease_is_over(&self) -> bool {
        self.lease_until <= self.now
    }

    /// Whether so much time has passed since its owner could last send.
    pub fn is_past(&self, window: Duration) -> bool {
        self.lease_until.saturating_add(millis(window)) <= self.now
    }

    /// Whether there is an outcome to be found out.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::InDoubt | State::Processing)
    }

    /// Whether its outcome is known.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Settled | State::NotApplied)
    }

    /// The names of the request's fields in which `refund` is another one than this. None
    /// are known of an emptied row.
    pub fn differences(&self, refund: &Refund) -> Vec<&'static str> {
        let Some(amount) = self.amount else { return Vec::new() };
        let table = [
            ("msn", self.msn == refund.msn.as_str()),
            ("amount_minor", amount == refund.amount),
            ("original", self.original == refund.original),
            ("business_id", self.business_id == refund.business_id.as_str()),
        ];
        table.into_iter().filter(|(_, same)| !same).map(|(field, _)| field).collect()
    }
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// What became of an attempt to claim a refund.
#[derive(Debug)]
pub enum Claim {
    /// It is the caller's to send.
    Fresh(Permit),
    /// It is known, with this content.
    Known(Box<Row>),
    /// Its number is known with other content: in these fields.
    Differs(Vec<&'static str>),
    /// It is not known, or known as not applied, and was not to be claimed.
    Free,
}

/// The ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the refund ledger failed")]
pub struct LedgerError(#[source] BoxError);

/// So many changes are told to whoever is slow to hear of them.
const CHANGES_TOLD: usize = 1024;

impl LedgerError {
    fn new(what: impl Into<BoxError>) -> Self {
        Self(what.into())
    }
}

impl From<sqlx::Error> for LedgerError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.into())
    }
}

type Result<T> = std::result::Result<T, LedgerError>;

/// The ledger, shared by all that work on refunds.
#[derive(Clone)]
pub struct Ledger {
    pool: AnyPool,
    clock: Clock,
    /// Told of each row that this process changes.
    changes: broadcast::Sender<Key>,
    metrics: LedgerMetrics,
    /// Held while this process lives, where only one process may serve from the ledger.
    _lock: Option<Arc<File>>,
}

/// The clock that all times of a ledger are by.
#[derive(Clone)]
pub enum Clock {
    /// SQLite's own.
    Sqlite,
    /// PostgreSQL's own.
    Postgres,
    /// One that is given, in milliseconds: for simulations, whose time is not the world's.
    Given(Arc<dyn Fn() -> i64 + Send + Sync>),
}

impl Ledger {
    /// Waits until this process changes the row of `key`, or may have.
    pub fn changes(&self, key: &Key) -> Changes {
        Changes { changed: self.changes.subscribe(), key: key.clone() }
    }

    /// The same, and what is done with it is measured.
    ///
    /// # Errors
    /// That one is measured by them already.
    pub fn measured_by(mut self, metrics: &Metrics) -> std::result::Result<Self, BoxError> {
        self.metrics = metrics.ledger();
        let pool = self.pool.clone();
        let connections = ("sunmi_ledger_connections", "Connections to the ledger's database.");
        metrics.pull(Pulled::new(Type::Gauge, connections, ["state"], move || {
            let (all, idle) = (f64::from(pool.size()), pool.num_idle() as f64);
            vec![(["idle"], idle), (["used"], (all - idle).max(0.0))]
        })?)?;
        Ok(self)
    }

    /// Closes its connections once no statement uses them. Nothing can be read or recorded
    /// afterwards.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The same ledger as another process has it: by this clock, and told only of the
    /// changes that it makes itself.
    #[must_use]
    pub fn by_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self.changes = broadcast::Sender::new(CHANGES_TOLD);
        self
    }

    /// Whether no statement is under way. Until then, time that is not the world's has to
    /// stand still.
    pub fn is_idle(&self) -> bool {
        self.pool.num_idle() == self.pool.size() as usize
    }

    /// The SQL of this text, in which `{now}` is the database's time in milliseconds. No
    /// value ever goes into the text: values are bound.
    fn sql(&self, text: &str) -> AssertSqlSafe<String> {
        let now = match &self.clock {
            Clock::Sqlite => "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)".to_owned(),
            Clock::Postgres => {
                "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)".to_owned()
            }
            Clock::Given(now) => format!("CAST({} AS BIGINT)", now()),
        };
        AssertSqlSafe(text.replace("{now}", &now))
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "Sqlite",
            Self::Postgres => "Postgres",
            Self::Given(_) => "Given",
        })
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ledger")
    }
}

/// The changes of one row that this process makes.
#[derive(Debug)]
pub struct Changes {
    changed: broadcast::Receiver<Key>,
    key: Key,
}

impl Changes {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        loop {
            match self.changed.recv().await {
                Ok(key) if key != self.key => {}
                // Missed some: this row's may be among them.
                Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => return,
                Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
            }
        }
    }
}

/// A duration as the ledger keeps it.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
