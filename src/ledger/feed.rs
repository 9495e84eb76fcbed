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
use super::{Dialect, Key, Ledger, Result, Row};
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

impl Ledger {
    /// What the feed is known by: places of another one mean nothing in it.
    pub async fn feed_id(&self) -> Result<String> {
        let made = Uuid::new_v4().simple().to_string();
        self.fact(FEED, &made).await
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
        let mut tx = self.pool.begin().await?;
        let foreign = sqlx::query(FOREIGN).fetch_one(&mut *tx).await?;
        if foreign.try_get::<i64, _>(0)? == 0 {
            return Ok(());
        }
        tracing::warn!("the ledger was restored: whoever watches refunds begins anew");
        // As long as it takes, whatever statements are bounded by.
        sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
        sqlx::query("UPDATE refunds SET feed = 0 WHERE feed > 0").execute(&mut *tx).await?;
        sqlx::query("UPDATE ledger_facts SET value = $1 WHERE name = $2")
            .bind(Uuid::new_v4().simple().to_string())
            .bind(FEED)
            .execute(&mut *tx)
            .await?;
        Ok(tx.commit().await?)
    }
}

/// The oldest transaction that has not ended, as this very statement sees it.
const OLDEST: &str = "SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS TEXT) AS BIGINT)";

/// Whether a row was written by a transaction that is still to come.
const FOREIGN: &str = "SELECT CAST(COUNT(*) AS BIGINT) FROM (SELECT 1 FROM refunds WHERE feed >= \
    (SELECT CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS TEXT) AS BIGINT)) LIMIT 1) AS it";
