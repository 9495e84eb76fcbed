//! What can be read from the ledger.

use std::time::Duration;

use sqlx::any::AnyRow;
use sqlx::{FromRow, Row as _};

use super::{Decision, Key, Ledger, LedgerError, Result, Row, State, millis};
use crate::metrics::{Doubts, Work};
use crate::trade::{Identifier, OrderRef, TradeState};

const COLUMNS: &str = "app_id, order_id, msn, amount, original_kind, original, business_id, \
    state, epoch, lease_until, outcome, answer, claimed_at, changed_at, looks, \
    decided_by, decided_why, caller, {now} AS now";

impl Ledger {
    /// The row of this refund.
    pub async fn read(&self, key: &Key) -> Result<Option<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM refunds WHERE app_id = $1 AND order_id = $2");
        let row = sqlx::query_as(self.sql(&sql))
            .bind(key.app_id.as_str())
            .bind(key.order_id.as_str())
            .fetch_optional(&self.pool);
        Ok(self.metrics.measure(Work::Read, row).await?)
    }

    /// The row of a refund that is known to have one.
    pub async fn row(&self, key: &Key) -> Result<Row> {
        self.read(key).await?.ok_or_else(|| LedgerError::new("a row is gone"))
    }

    /// The rows of this number, one for each `app_id` that used it.
    pub async fn of_number(&self, order_id: &str) -> Result<Vec<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM refunds WHERE order_id = $1 ORDER BY app_id");
        Ok(sqlx::query_as(self.sql(&sql)).bind(order_id).fetch_all(&self.pool).await?)
    }

    /// The latest rows, of this state if one is given, the most recently claimed first.
    pub async fn list(&self, state: Option<State>, limit: i64) -> Result<Vec<Row>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM refunds WHERE state = $1 OR $1 = '' \
             ORDER BY claimed_at DESC, order_id LIMIT $2"
        );
        Ok(sqlx::query_as(self.sql(&sql))
            .bind(state.map_or("", State::name))
            .bind(limit)
            .fetch_all(&self.pool)
            .await?)
    }

    /// How much of this payment was refunded, as far as this ledger knows for certain.
    pub async fn refunded(&self, row: &Row) -> Result<i64> {
        let (kind, original) = row.original.named();
        Ok(sqlx::query_scalar(
            "SELECT CAST(COALESCE(SUM(amount), 0) AS BIGINT) FROM refunds \
             WHERE app_id = $1 AND original_kind = $2 AND original = $3 \
             AND state = 'settled' AND outcome = 'SUCCEEDED'",
        )
        .bind(row.key.app_id.as_str())
        .bind(kind)
        .bind(original.as_str().to_owned())
        .fetch_one(&self.pool)
        .await?)
    }

    /// What is in doubt.
    pub async fn doubts(&self) -> Result<Doubts> {
        let doubts = sqlx::query_as(self.sql(
            "SELECT CAST(COALESCE(SUM(CASE WHEN state = 'processing' THEN 0 ELSE 1 END), 0) AS BIGINT), \
             CAST(COALESCE(SUM(CASE WHEN state = 'processing' THEN 1 ELSE 0 END), 0) AS BIGINT), \
             CAST(COALESCE(MAX({now} - claimed_at), 0) AS BIGINT) FROM refunds \
             WHERE state IN ('in_doubt', 'processing') OR (state = 'claimed' AND lease_until <= {now})",
        ))
        .fetch_one(&self.pool);
        let (in_doubt, processing, oldest): (i64, i64, i64) =
            self.metrics.measure(Work::Doubts, doubts).await?;
        let oldest = Duration::from_millis(u64::try_from(oldest).unwrap_or_default());
        Ok(Doubts { in_doubt, processing, oldest })
    }

    /// Rows that the resolver should look at, the longest overdue first. They are this
    /// caller's for `hold`: no other replica gets them in that time.
    pub async fn take_due(&self, limit: i64, hold: Duration) -> Result<Vec<Row>> {
        self.metrics.measure(Work::TakeDue, self.try_take_due(limit, hold)).await
    }

    async fn try_take_due(&self, limit: i64, hold: Duration) -> Result<Vec<Row>> {
        let sql = format!(
            "SELECT {COLUMNS}, look_at FROM refunds \
             WHERE state IN ('claimed', 'in_doubt', 'processing') AND look_at <= {{now}} \
             ORDER BY look_at, order_id LIMIT $1"
        );
        let due = sqlx::query(self.sql(&sql)).bind(limit).fetch_all(&self.pool).await?;
        let mut taken = Vec::with_capacity(due.len());
        for due in due {
            let (row, look_at) = (Row::from_row(&due)?, due.try_get::<i64, _>("look_at")?);
            let update = "UPDATE refunds SET look_at = {now} + $1, looks = looks + 1 \
                WHERE app_id = $2 AND order_id = $3 AND look_at = $4";
            let done = sqlx::query(self.sql(update))
                .bind(millis(hold))
                .bind(row.key.app_id.as_str())
                .bind(row.key.order_id.as_str())
                .bind(look_at)
                .execute(&self.pool)
                .await?;
            if done.rows_affected() == 1 {
                taken.push(row);
            }
        }
        Ok(taken)
    }
}

impl FromRow<'_, AnyRow> for Row {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let decided_by: Option<String> = row.try_get("decided_by")?;
        let decided_why: Option<String> = row.try_get("decided_why")?;
        let answer: Option<String> = row.try_get("answer")?;
        let outcome: Option<String> = row.try_get("outcome")?;
        Ok(Self {
            key: Key::from_row(row)?,
            msn: text("msn")?,
            amount: row.try_get("amount")?,
            original: original(&text("original_kind")?, text("original")?)?,
            business_id: text("business_id")?,
            state: State::named(&text("state")?).ok_or_else(|| unreadable("state"))?,
            epoch: row.try_get("epoch")?,
            lease_until: row.try_get("lease_until")?,
            outcome: outcome.as_deref().and_then(outcome_named),
            answer: answer
                .map(|json| serde_json::from_str(&json))
                .transpose()
                .map_err(|error| sqlx::Error::Decode(error.into()))?,
            claimed_at: row.try_get("claimed_at")?,
            changed_at: row.try_get("changed_at")?,
            looks: row.try_get("looks")?,
            decided: decided_by.zip(decided_why).map(|(by, reason)| Decision { by, reason }),
            caller: row.try_get("caller")?,
            now: row.try_get("now")?,
        })
    }
}

impl FromRow<'_, AnyRow> for Key {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        Ok(Self {
            app_id: identifier("app_id", row.try_get("app_id")?)?,
            order_id: identifier("order_id", row.try_get("order_id")?)?,
        })
    }
}

fn original(kind: &str, number: String) -> sqlx::Result<OrderRef> {
    let number = identifier("original", number)?;
    match kind {
        "mis_id" => Ok(OrderRef::MisId(number)),
        "order_id" => Ok(OrderRef::OrderId(number)),
        "platform_id" => Ok(OrderRef::PlatformId(number)),
        _ => Err(unreadable("original_kind")),
    }
}

fn outcome_named(name: &str) -> Option<TradeState> {
    match name {
        "SUCCEEDED" => Some(TradeState::Succeeded),
        "FAILED" => Some(TradeState::Failed),
        _ => None,
    }
}

fn identifier(column: &str, text: String) -> sqlx::Result<Identifier> {
    Identifier::parse(text).ok_or_else(|| unreadable(column))
}

fn unreadable(column: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("the column {column} holds what this version never wrote").into())
}

impl From<serde_json::Error> for LedgerError {
    fn from(error: serde_json::Error) -> Self {
        Self(error.into())
    }
}
