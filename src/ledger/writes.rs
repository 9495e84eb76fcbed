//! How a write reaches the database: in an SQLite file as a part of a transaction of many
//! ([`super::group`]), else in a transaction of its own.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Transaction};

use super::group::Part;
use super::{Dialect, Ledger, Result, durability};

/// What is written, until it is kept or undone. Dropped, it is undone.
pub(super) enum Write {
    Part(Part),
    Own(Transaction<'static, Any>),
}

impl Ledger {
    pub(super) async fn begin(&self) -> Result<Write> {
        if let Some(group) = &self.group {
            return Ok(Write::Part(group.begin().await?));
        }
        let begin = match self.dialect {
            // In memory, where nobody else writes.
            Dialect::Sqlite => "BEGIN IMMEDIATE",
            // What other claims committed while this one waits for its turn has to be seen, whatever
            // a pooler made of this server's settings.
            Dialect::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        };
        Ok(Write::Own(self.pool.begin_with(begin).await?))
    }

    /// What a statement that writes returns of the row that it wrote. It is run to its end: the
    /// driver would else take the row and never hear that the commit failed.
    pub(super) async fn returned(
        &self,
        query: Query<'_, Any, AnyArguments>,
    ) -> Result<Option<AnyRow>> {
        let Some(group) = &self.group else { return Ok(query.fetch_all(&self.pool).await?.pop()) };
        let mut part = group.begin().await?;
        let written = query.fetch_all(part.connection()?).await;
        match written {
            Ok(mut rows) => part.keep().await.map(|()| rows.pop()),
            Err(error) => {
                part.undo().await?;
                Err(error.into())
            }
        }
    }

    /// How many rows a statement wrote.
    pub(super) async fn wrote(&self, query: Query<'_, Any, AnyArguments>) -> Result<u64> {
        let Some(group) = &self.group else {
            return Ok(query.execute(&self.pool).await?.rows_affected());
        };
        let mut part = group.begin().await?;
        let written = query.execute(part.connection()?).await;
        match written {
            Ok(done) => part.keep().await.map(|()| done.rows_affected()),
            Err(error) => {
                part.undo().await?;
                Err(error.into())
            }
        }
    }
}

impl Write {
    /// The connection to write with.
    pub(super) fn connection(&mut self) -> Result<&mut AnyConnection> {
        match self {
            Self::Part(part) => part.connection(),
            Self::Own(transaction) => Ok(&mut *transaction),
        }
    }

    /// Commits it, and says whether the database warned of that.
    ///
    /// # Errors
    /// That it could not be committed. It may be all the same.
    pub(super) async fn keep(self) -> Result<bool> {
        match self {
            Self::Part(part) => part.keep().await.map(|()| false),
            Self::Own(transaction) => Ok(durability::watch(transaction.commit()).await?),
        }
    }

    /// Undoes it.
    ///
    /// # Errors
    /// That what it may have seen is not committed.
    pub(super) async fn undo(self) -> Result<()> {
        match self {
            Self::Part(part) => part.undo().await,
            Self::Own(transaction) => Ok(transaction.rollback().await?),
        }
    }
}
