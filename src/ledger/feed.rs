//! The feed: all refunds in the order in which they last changed, for those who watch.
//!
//! Each change puts its row at the end of the feed, by a trigger. In SQLite, which has one writer
//! at a time, the place is a number of a sequence. In PostgreSQL transactions commit in another
//! order than they began in, and a number drawn from a sequence, or larger than all others, would
//! appear before one that was read already. So there the place is the transaction's own number,
//! and only what is older than every transaction under way is read: what has not ended yet stands
//! after it. A row that changes again moves on, so each is read once, as it is by then.

use sqlx::{FromRow, Row as _};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::reads::COLUMNS;
use super::{Dialect, Key, Ledger, LedgerError, Result, Row};
use crate::metrics::Work;

/// A place in the feed. The default is its beginning.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPlace {
    /// The number of the change.
    pub feed: i64,
    /// The refund that stands there, of those with the same number; empty before all of them.
    pub app_id: String,
    /// Its own number.
    pub order_id: String,
}

/// What a feed is known by, and the key that its places are sealed with for those who may not see
/// all of it.
pub struct Feed {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Drawn with the ledger.
    pub key: [u8; KEY],
}

/// The length of a feed's key.
const KEY: usize = 32;

impl std::fmt::Debug for Feed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Feed").field("id", &self.id).finish_non_exhaustive()
    }
}

/// Changes that this process makes.
#[derive(Debug)]
pub struct News(broadcast::Receiver<Key>);

impl News {
    /// Waits for the next one.
    pub async fn next(&mut self) {
        match self.0.recv().await {
            Ok(_) | Err(broadcast::error::RecvError::Lagged(_)) => {}
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// The fact that a feed is known by.
const FEED: &str = "feed";

/// The fact that is the key of its places.
const FEED_KEY: &str = "feed key";

/// The fact that the database is known by whose transactions numbered the feed.
const FEED_OF: &str = "feed of";

impl Ledger {
    /// What the feed is known by: places of another one mean nothing in it.
    pub async fn feed(&self) -> Result<Feed> {
        let id = self.fact(FEED, &Uuid::new_v4().simple().to_string()).await?;
        let made: [u8; KEY] = rand::random();
        let text = self.fact(FEED_KEY, &hex::encode(made)).await?;
        let mut key = [0; KEY];
        hex::decode_to_slice(text, &mut key).map_err(LedgerError::new)?;
        Ok(Feed { id, key })
    }

    /// The end of the feed: whatever changes from now on comes after it.
    pub async fn feed_end(&self) -> Result<FeedPlace> {
        let sql = self.sql(match self.dialect {
            Dialect::Sqlite => "SELECT COALESCE(MAX(feed), 0) + 1 FROM refunds",
            Dialect::Postgres => OLDEST,
        });
        let end = sqlx::query_scalar(sql).fetch_one(&self.pool);
        let feed = self.metrics.measure(Work::Read, end).await?;
        Ok(FeedPlace { feed, ..FeedPlace::default() })
    }

    /// So many refunds that come after this place, each with its own.
    pub async fn feed_after(&self, place: &FeedPlace, limit: i64) -> Result<Vec<(Row, FeedPlace)>> {
        let readable = match self.dialect {
            Dialect::Sqlite => String::new(),
            Dialect::Postgres => format!("AND feed < ({OLDEST})"),
        };
        let sql = format!(
            "SELECT {COLUMNS}, feed FROM refunds \
             WHERE (feed, app_id, order_id) > ($1, $2, $3) {readable} \
             ORDER BY feed, app_id, order_id LIMIT $4"
        );
        let rows = sqlx::query(self.sql(&sql))
            .bind(place.feed)
            .bind(place.app_id.clone())
            .bind(place.order_id.clone())
            .bind(limit)
            .fetch_all(&self.pool);
        let rows = self.metrics.measure(Work::Read, rows).await?;
        let placed = |row| {
            let feed = sqlx::Row::try_get(row, "feed")?;
            let row = Row::from_row(row)?;
            let (app_id, order_id) = (row.key.app_id.to_string(), row.key.order_id.to_string());
            Ok((row, FeedPlace { feed, app_id, order_id }))
        };
        rows.iter().map(placed).collect()
    }

    /// Whether something changed that cannot be read yet, because a transaction before it has not
    /// ended. In SQLite nothing ever is.
    pub async fn feed_is_held_up(&self) -> Result<bool> {
        if self.dialect == Dialect::Sqlite {
            return Ok(false);
        }
        let held = sqlx::query_scalar::<_, i64>(self.sql(HELD_UP)).fetch_one(&self.pool);
        Ok(self.metrics.measure(Work::Read, held).await? > 0)
    }

    /// Waits for changes that this process makes from now on.
    pub fn news(&self) -> News {
        News(self.changes.subscribe())
    }

    /// Begins the feed anew where the database is another than the one that wrote it, such as
    /// after a dump was restored: there, transactions are numbered anew.
    pub(super) async fn mend_feed(&self) -> Result<()> {
        if self.dialect == Dialect::Sqlite {
            return Ok(());
        }
        let here = self.here().await?;
        self.fact(FEED_OF, &here).await?;
        let mut tx = self.pool.begin().await?;
        // One process after the other: the second finds it done.
        let of: String =
            sqlx::query_scalar("SELECT value FROM ledger_facts WHERE name = $1 FOR UPDATE")
                .bind(FEED_OF)
                .fetch_one(&mut *tx)
                .await?;
        let foreign = sqlx::query(FOREIGN).fetch_one(&mut *tx).await?;
        if of == here && foreign.try_get::<i64, _>(0)? == 0 {
            return Ok(());
        }
        tracing::warn!("the ledger was restored: whoever watches refunds begins anew");
        // As long as it takes, whatever statements are bounded by.
        sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
        sqlx::query("UPDATE refunds SET feed = 0 WHERE feed > 0").execute(&mut *tx).await?;
        for (name, value) in [(FEED, Uuid::new_v4().simple().to_string()), (FEED_OF, here)] {
            sqlx::query("UPDATE ledger_facts SET value = $1 WHERE name = $2")
                .bind(value)
                .bind(name)
                .execute(&mut *tx)
                .await?;
        }
        Ok(tx.commit().await?)
    }
}

impl Ledger {
    /// What tells this table from its copies, as far as the database lets this role know.
    async fn here(&self) -> Result<String> {
        let cluster = sqlx::query_scalar(CLUSTER).fetch_one(&self.pool).await;
        let cluster: String = cluster.unwrap_or_else(|_| "-".to_owned());
        let table: String = sqlx::query_scalar(TABLE).fetch_one(&self.pool).await?;
        Ok(format!("{cluster}/{table}"))
    }
}

/// The oldest transaction that has not ended, as this very statement sees it.
const OLDEST: &str = "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)";

/// The cluster. A role may not be allowed to ask.
const CLUSTER: &str = "SELECT CAST(system_identifier AS TEXT) FROM pg_control_system()";

/// The database in its cluster, and the table in that.
const TABLE: &str = "SELECT CAST(oid AS TEXT) || '/' || CAST(CAST(CAST('refunds' AS regclass) AS oid) AS TEXT) \
    FROM pg_database WHERE datname = current_database()";

/// Whether a row was written that is not older than every transaction under way.
const HELD_UP: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 FROM refunds WHERE feed >= \
    (SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)) LIMIT 1) AS it";

/// Whether a row was written by a transaction that is still to come.
const FOREIGN: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 FROM refunds WHERE feed >= \
    (SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)) LIMIT 1) AS it";
