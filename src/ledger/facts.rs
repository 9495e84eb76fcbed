//! What a ledger is: an id made with it, and the upstream that its numbers belong to.

use uuid::Uuid;

use super::{Decision, Ledger, LedgerError, Result};

/// What is told of a ledger at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// An id that was made with it.
    pub id: String,
    /// Whether it was made just now.
    pub new: bool,
    /// How many refunds it has.
    pub rows: i64,
    /// How many of them are not at rest.
    pub open: i64,
}

impl Ledger {
    /// The name of the upstream that it belongs to: this one, if it belonged to none.
    pub(super) async fn bind(&self, upstream: &str) -> Result<String> {
        self.fact("upstream", upstream).await
    }

    /// The name of the upstream that it belongs to, if it belongs to one.
    pub(super) async fn bound_to(&self) -> Result<Option<String>> {
        self.known("upstream").await
    }

    /// What it is.
    pub async fn identity(&self) -> Result<Identity> {
        let made = Uuid::new_v4().to_string();
        let id = self.fact("id", &made).await?;
        let (rows, open): (i64, i64) = sqlx::query_as(
            "SELECT COUNT(*) AS rows, CAST(COALESCE(SUM(CASE WHEN state IN ('settled', \
             'not_applied') THEN 0 ELSE 1 END), 0) AS BIGINT) AS open FROM refunds",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Identity { new: id == made && rows == 0, id, rows, open })
    }

    /// Binds the ledger to another upstream, by a person's word, which is kept.
    ///
    /// # Errors
    /// That it belongs to this one already.
    pub async fn rehome(&self, upstream: &str, decision: &Decision) -> Result<String> {
        let before = self.bind(upstream).await?;
        if before == upstream {
            return Err(LedgerError::new(format!("it belongs to {upstream} already")));
        }
        let said = format!("from {before} to {upstream} by {}: {}", decision.by, decision.reason);
        let mut write = self.begin().await?;
        sqlx::query("UPDATE ledger_facts SET value = $1 WHERE name = 'upstream'")
            .bind(upstream.to_owned())
            .execute(write.connection()?)
            .await?;
        let keep = "INSERT INTO ledger_facts (name, value) \
            VALUES ('rehomed at ' || CAST({now} AS TEXT), $1) ON CONFLICT DO NOTHING";
        sqlx::query(self.sql(keep)).bind(said).execute(write.connection()?).await?;
        write.keep().await?;
        Ok(before)
    }

    /// The fact of this name: this value, if there was none.
    pub(super) async fn fact(&self, name: &str, value: &str) -> Result<String> {
        if let Some(known) = self.known(name).await? {
            return Ok(known);
        }
        let insert =
            "INSERT INTO ledger_facts (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
        self.wrote(sqlx::query(insert).bind(name.to_owned()).bind(value.to_owned())).await?;
        self.known(name).await?.ok_or_else(|| LedgerError::new("a fact is gone"))
    }

    async fn known(&self, name: &str) -> Result<Option<String>> {
        Ok(sqlx::query_scalar("SELECT value FROM ledger_facts WHERE name = $1")
            .bind(name.to_owned())
            .fetch_optional(&self.pool)
            .await?)
    }
}
