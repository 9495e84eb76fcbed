//! The refund ledger: what this server has promised, and to whom it still owes the truth.
//! One table, keyed by (`app_id`, the refund's `order_id`), in SQLite or PostgreSQL.
//!
//! | state | means | leaves it |
//! |---|---|---|
//! | `claimed` | one owner may send, until `lease_until` | an answer; the lease's end: `in_doubt` |
//! | `in_doubt` | it may have happened | evidence; a judgement: `not_applied`; a person |
//! | `processing` | Sunmi accepted it and has not finished | found finished; a person |
//! | `settled` | it is known, with its answer | never |
//! | `not_applied` | it is known that no money moved | a new claim, once a caller was told; evidence |
//!
//! A number is bound to its content for ever. A claim raises `epoch`; what says that no money
//! moved is written only over the epoch and state that it was concluded from. Evidence that a
//! refund happened is written over any epoch and wins. Times are the database's; the order of
//! claims and changes is by numbers, never by a clock.

use std::fmt;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

use sqlx::{AnyPool, AssertSqlSafe};
use tokio::sync::broadcast;

use crate::error::BoxError;
use crate::metrics::{LedgerMetrics, Metrics, Pulled, Type, Work};
use crate::trade::{Identifier, Refund};

mod claims;
mod days;
mod durability;
mod facts;
mod feed;
mod group;
mod moves;
mod open;
mod overview;
mod reads;
mod row;
mod search;
mod snapshot;
mod trouble;
mod writes;

use group::Group;

pub(crate) use claims::blocking;
pub use claims::{Claim, ClaimRequest, Looked};
pub use days::Spent;
pub use durability::Durability;
pub use facts::Identity;
pub use feed::{Feed, FeedPlace, News};
pub use moves::{Said, Settled};
pub use open::{Access, Location, POSTGRES_CONNECTIONS};
pub use overview::COUNTED;
pub use row::{
    Baseline, Content, Decision, Doubt, Known, OpenThen, Patience, PaymentThen, Pending, Row,
};
pub use search::{ClaimedAt, Filter, Sight, Span};
pub use snapshot::Snapshot;
pub use trouble::{Moment, Trouble};

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

/// The ledger could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("the refund ledger failed")]
pub struct LedgerError(#[source] BoxError);

/// No longer than this does PostgreSQL have for what is asked of it. Its own timeout of statements
/// does not end the wait of a commit for a synchronous standby that is not there.
const POSTGRES_ANSWERS: Duration = Duration::from_secs(10);

/// So many changes are told to whoever is slow to hear of them.
const CHANGES_TOLD: usize = 1024;

impl LedgerError {
    pub(crate) fn new(what: impl Into<BoxError>) -> Self {
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
    dialect: Dialect,
    /// What writes to it, where that is one for all. What only reads goes by the pool.
    group: Option<Group>,
    clock: Clock,
    /// Told of each row that this process changes.
    changes: broadcast::Sender<Key>,
    metrics: LedgerMetrics,
    /// What goes wrong with its statements, in simulations.
    trouble: Option<Trouble>,
    /// Held while this process lives, where only one process may serve from the ledger.
    _lock: Option<Arc<File>>,
}

/// Which database's SQL a ledger speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
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
        let (pool, group) = (self.pool.clone(), self.group.clone());
        let connections = ("sunmi_ledger_connections", "Connections to the ledger's database.");
        metrics.pull(Pulled::new(Type::Gauge, connections, ["state"], move || {
            let (all, idle) = (f64::from(pool.size()), pool.num_idle() as f64);
            let writes = group.as_ref().map(|group| f64::from(u8::from(group.is_idle())));
            let (all, idle) = (all + writes.map_or(0.0, |_| 1.0), idle + writes.unwrap_or(0.0));
            vec![(["idle"], idle), (["used"], (all - idle).max(0.0))]
        })?)?;
        Ok(self)
    }

    /// Closes its connections once no statement uses them. Nothing can be read or recorded
    /// afterwards.
    pub async fn close(&self) {
        if let Some(group) = &self.group {
            group.close().await;
        }
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

    /// Does it and measures it. What PostgreSQL does not answer in time may be done all the same.
    async fn measure<T, E: Into<LedgerError>>(
        &self,
        work: Work,
        doing: impl Future<Output = std::result::Result<T, E>>,
    ) -> Result<T> {
        let in_time = async {
            match self.dialect {
                Dialect::Sqlite => doing.await.map_err(Into::into),
                Dialect::Postgres => match tokio::time::timeout(POSTGRES_ANSWERS, doing).await {
                    Ok(done) => done.map_err(Into::into),
                    Err(_) => Err(LedgerError::new(format!(
                        "PostgreSQL did not answer within {} s",
                        POSTGRES_ANSWERS.as_secs()
                    ))),
                },
            }
        };
        self.meet(Moment::Before).await?;
        let done = self.metrics.measure(work, in_time).await?;
        self.meet(Moment::After).await?;
        Ok(done)
    }

    /// Whether no statement is under way. Until then, time that is not the world's has to
    /// stand still.
    pub fn is_idle(&self) -> bool {
        let is_written = self.group.as_ref().is_none_or(Group::is_idle);
        is_written && self.pool.num_idle() == self.pool.size() as usize
    }

    /// The SQL of this text, in which `{now}` is the database's time in milliseconds, and
    /// `{change}` and `{next_change}` the number of a new row's change and of a row's next. No value ever goes into the text: values are bound.
    fn sql(&self, text: &str) -> AssertSqlSafe<String> {
        let now = match &self.clock {
            Clock::Sqlite => "CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)".to_owned(),
            Clock::Postgres => {
                "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)".to_owned()
            }
            Clock::Given(now) => format!("CAST({} AS BIGINT)", now()),
        };
        let text = text.replace("{now}", &now).replace("{next_change}", NEXT_CHANGE);
        AssertSqlSafe(text.replace("{change}", FIRST_CHANGE))
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

/// The number of a new row's change: larger than those of all changes that are committed. Changes
/// of different rows that are made at once may have the same.
const FIRST_CHANGE: &str = "(SELECT COALESCE(MAX(change), 0) + 1 FROM refunds)";

/// The number of a row's next change: larger than its last, too, which may have been committed
/// since this statement began.
const NEXT_CHANGE: &str = "(CASE WHEN change > (SELECT COALESCE(MAX(change), 0) FROM refunds) \
    THEN change ELSE (SELECT COALESCE(MAX(change), 0) FROM refunds) END + 1)";

/// A duration as the ledger keeps it.
fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
