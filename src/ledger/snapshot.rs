//! The ledger as it was at one moment, for what is read page by page and must fit together.

use sqlx::{Any, Transaction};

use super::{ClaimedAt, Dialect, Filter, Ledger, Result, Row};

/// The ledger as it was when it was first read from here, whatever is claimed and settled
/// meanwhile. It writes nothing and is in no writer's way. While it lives, PostgreSQL cannot
/// clear up what is deleted, and SQLite's log grows.
pub struct Snapshot {
    ledger: Ledger,
    tx: Transaction<'static, Any>,
}

impl std::fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

impl Ledger {
    /// The ledger as it is now, for as long as what comes back lives. Whoever only visits an SQLite
    /// ledger cannot read it otherwise meanwhile: it has one connection to read by.
    ///
    /// # Errors
    /// That the ledger cannot be read.
    pub async fn snapshot(&self) -> Result<Snapshot> {
        let begin = match self.dialect {
            // A snapshot by itself, from the first read on.
            Dialect::Sqlite => "BEGIN DEFERRED",
            Dialect::Postgres => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        };
        Ok(Snapshot { ledger: self.clone(), tx: self.pool.begin_with(begin).await? })
    }
}

impl Snapshot {
    /// So many refunds that fit, as [`Ledger::search`] finds them.
    ///
    /// # Errors
    /// That the ledger cannot be read.
    pub async fn search(
        &mut self,
        filter: &Filter,
        after: Option<&ClaimedAt>,
        limit: i64,
    ) -> Result<Vec<Row>> {
        Ok(self.ledger.search_by(&mut *self.tx, filter, after, limit).await?)
    }

    /// The rows of this number, one for each `app_id` that used it.
    ///
    /// # Errors
    /// That the ledger cannot be read.
    pub async fn of_number(&mut self, order_id: &str) -> Result<Vec<Row>> {
        self.ledger.of_number_by(&mut *self.tx, order_id).await
    }
}
