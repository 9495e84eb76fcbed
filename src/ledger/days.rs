//! What the refunds of a caller come to on one day in China, for callers that have a bound.

use sqlx::any::AnyRow;
use sqlx::{Any, Executor, Row as _};

use super::{Ledger, Result};
use crate::metrics::Work;

/// Milliseconds of a day. China has one time, without daylight saving: UTC+8.
const DAY: i64 = 24 * 60 * 60 * 1000;
const AHEAD_OF_UTC: i64 = 8 * 60 * 60 * 1000;

/// Amounts are summed in two parts, so that no sum overflows in the database.
const PART: i64 = 1_000_000_000;

/// A day in China, in milliseconds by the ledger's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Day {
    begins: i64,
}

impl Day {
    /// The day of this time.
    pub(super) fn of(time: i64) -> Self {
        let since = time.saturating_add(AHEAD_OF_UTC).rem_euclid(DAY);
        Self { begins: time.saturating_sub(since) }
    }
}

/// What the refunds of a caller came to on a day in China: all but those that are known to have
/// moved no money. What is claimed, in doubt or in processing counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spent {
    /// How much, in minor units. More than any one amount can be, at the utmost.
    pub amount: i128,
    /// When the day ends, in milliseconds by the ledger's clock.
    pub until: i64,
}

impl Spent {
    /// Whether so much more is within this bound.
    pub fn leaves(self, amount: i64, most: i64) -> bool {
        self.amount + i128::from(amount) <= i128::from(most)
    }

    /// What is left of this bound; 0 where more was spent.
    pub fn left_of(self, most: i64) -> i64 {
        let left = i128::from(most) - self.amount;
        i64::try_from(left.max(0)).unwrap_or(i64::MAX)
    }

    /// The same, but for this refund, which is among them.
    pub(super) fn without(self, amount: i64) -> Self {
        Self { amount: self.amount - i128::from(amount), ..self }
    }
}

impl Ledger {
    /// What this caller has spent today, by the ledger's clock. Only a claim can tell whether a
    /// refund is still within a bound: others may be claimed meanwhile.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn spent_today(&self, caller: &str) -> Result<Spent> {
        self.measure(Work::Read, async {
            let now = sqlx::query(self.sql("SELECT {now} AS now")).fetch_one(&self.pool).await?;
            self.spent_by(&self.pool, caller, Day::of(now.try_get("now")?)).await
        })
        .await
    }

    /// What this caller has spent since a day began. That is more than on that day where the
    /// ledger's clock was set back since: then patience is lost, and no second bound is won.
    pub(super) async fn spent_by<'c>(
        &self,
        connection: impl Executor<'c, Database = Any>,
        caller: &str,
        day: Day,
    ) -> Result<Spent> {
        let query =
            sqlx::query(self.sql(SPENT)).bind(caller.to_owned()).bind(day.begins).bind(PART);
        let sums = query.fetch_one(connection).await?;
        let part = |row: &AnyRow, name| row.try_get::<i64, _>(name).map(i128::from);
        let amount = part(&sums, "parts")? * i128::from(PART) + part(&sums, "rest")?;
        Ok(Spent { amount, until: day.begins.saturating_add(DAY) })
    }
}

/// The refunds that may have moved money. One that failed, and of which Sunmi shows something else
/// since, may have. By the index of callers and times of claims.
const SPENT: &str = "SELECT CAST(COALESCE(SUM(amount / $3), 0) AS BIGINT) AS parts, \
    CAST(COALESCE(SUM(amount % $3), 0) AS BIGINT) AS rest \
    FROM refunds WHERE caller = $1 AND claimed_at >= $2 AND state <> 'not_applied' \
    AND (outcome IS NULL OR outcome <> 'FAILED' OR disputed IS NOT NULL)";

#[cfg(test)]
mod tests;
