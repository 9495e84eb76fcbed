//! What a person is shown of the ledger as a whole. SQLite answers one at a time, refunds
//! included, so nothing here reads more of a large ledger than it needs.

use super::reads::{COLUMNS, needs_person};
use super::{Ledger, Patience, Result, Row, State, millis};
use crate::metrics::Work;

/// So far the refunds of a state at rest are counted. To count a million takes SQLite some 40 ms, for
/// which refunds wait.
pub const COUNTED: i64 = 1_000_000;

/// Refunds that are open and that no owner may send any more; see `refunds_open_by_claim`.
const OPEN: &str = "state IN ('claimed', 'in_doubt', 'processing') \
    AND (state <> 'claimed' OR lease_until <= {now})";

impl Ledger {
    /// How many refunds there are in each state. Of a state at rest more than [`COUNTED`] are told
    /// as one more than that.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn count_by_state(&self) -> Result<Vec<(State, i64)>> {
        // By `refunds_at_rest`, which has to be asked in its own words.
        let at_rest = |state: State| {
            format!(
                " UNION ALL SELECT '{0}', COUNT(*) FROM (SELECT 1 FROM refunds WHERE state = '{0}' \
                 AND state NOT IN ('claimed', 'in_doubt', 'processing') LIMIT {1}) AS of_state",
                state.name(),
                COUNTED + 1
            )
        };
        let counts = format!(
            "SELECT state, COUNT(*) AS refunds FROM refunds \
             WHERE state IN ('claimed', 'in_doubt', 'processing') GROUP BY state{}{}",
            at_rest(State::Settled),
            at_rest(State::NotApplied)
        );
        let counted = sqlx::query_as(self.sql(&counts)).fetch_all(&self.pool);
        let counted: Vec<(String, i64)> = self.measure(Work::Read, counted).await?;
        let of = |state: State| {
            let found = counted.iter().find(|(name, _)| name == state.name());
            (state, found.map_or(0, |(_, count)| *count))
        };
        Ok(State::ALL.map(of).into())
    }

    /// So many of the refunds that need a person, the oldest first: see [`Row::needs_person`].
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn needing_persons(&self, patience: Patience, limit: i64) -> Result<Vec<Row>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM refunds WHERE {OPEN} AND {} \
             ORDER BY claimed_at, app_id, order_id LIMIT $3",
            needs_person("$1", "$2")
        );
        let rows = sqlx::query_as(self.sql(&sql))
            .bind(millis(patience.window))
            .bind(millis(patience.processing))
            .bind(limit)
            .fetch_all(&self.pool);
        self.measure(Work::Read, rows).await
    }

    /// So many of the refunds of which Sunmi said what contradicts how they are settled, the
    /// oldest first.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn disputed(&self, limit: i64) -> Result<Vec<Row>> {
        // The sum keeps SQLite from reading all rows in the order of an index to find these few.
        let sql = format!(
            "SELECT {COLUMNS} FROM refunds WHERE disputed IS NOT NULL \
             ORDER BY claimed_at + 0, app_id, order_id LIMIT $1"
        );
        let rows = sqlx::query_as(self.sql(&sql)).bind(limit).fetch_all(&self.pool);
        self.measure(Work::Read, rows).await
    }
}
