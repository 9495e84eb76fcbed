//! What can be read from the ledger.

use std::time::Duration;

use serde::de::DeserializeOwned;
use sqlx::any::AnyRow;
use sqlx::{Any, Executor, FromRow, Row as _};

use super::{Decision, Key, Known, Ledger, LedgerError, Patience, Result, Row, State, millis};
use crate::metrics::{Doubts, Work};
use crate::trade::{Identifier, Note, OrderRef, Payment, PaymentNames, TradeState};

pub(super) const COLUMNS: &str = "app_id, order_id, msn, amount, original_kind, original, \
    business_id, content_hash, state, epoch, claim_order, change, lease_until, told, free, absent, \
    accepted, payment_then, payment_platform_id, payment_order_id, payment_mis_id, doubt, person, \
    disputed, outcome, answer, claimed_at, changed_at, looks, decided_by, decided_why, caller, \
    asked_by, asked_why, {now} AS now";

impl Ledger {
    /// The row of this refund.
    pub async fn read(&self, key: &Key) -> Result<Option<Row>> {
        self.measure(Work::Read, self.read_by(&self.pool, key)).await
    }

    pub(super) async fn read_by<'c>(
        &self,
        connection: impl Executor<'c, Database = Any>,
        key: &Key,
    ) -> Result<Option<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM refunds WHERE app_id = $1 AND order_id = $2");
        Ok(sqlx::query_as(self.sql(&sql))
            .bind(key.app_id.as_str().to_owned())
            .bind(key.order_id.as_str().to_owned())
            .fetch_optional(connection)
            .await?)
    }

    /// The row of a refund that is known to have one.
    pub async fn row(&self, key: &Key) -> Result<Row> {
        self.read(key).await?.ok_or_else(|| LedgerError::new("a row is gone"))
    }

    /// The rows of this number, one for each `app_id` that used it.
    pub async fn of_number(&self, order_id: &str) -> Result<Vec<Row>> {
        self.measure(Work::Read, self.of_number_by(&self.pool, order_id)).await
    }

    pub(super) async fn of_number_by<'c>(
        &self,
        connection: impl Executor<'c, Database = Any>,
        order_id: &str,
    ) -> Result<Vec<Row>> {
        let sql = format!("SELECT {COLUMNS} FROM refunds WHERE order_id = $1 ORDER BY app_id");
        let query = sqlx::query_as(self.sql(&sql)).bind(order_id.to_owned());
        Ok(query.fetch_all(connection).await?)
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

    /// All refunds of this payment, by every name that is known of it.
    pub async fn of_payment(&self, payment: &Payment) -> Result<Vec<Row>> {
        self.measure(Work::Read, self.of_payment_by(&self.pool, payment)).await
    }

    pub(super) async fn of_payment_by<'c>(
        &self,
        connection: impl Executor<'c, Database = Any>,
        payment: &Payment,
    ) -> Result<Vec<Row>> {
        // Names are never empty, so an empty one finds nothing.
        let both = |names: Vec<&str>| -> [String; 2] {
            let mut names = names.into_iter();
            [(); 2].map(|()| names.next().unwrap_or_default().to_owned())
        };
        let (kind, asked) = payment.asked.named();
        let sql = format!("SELECT {COLUMNS} FROM refunds WHERE {OF_PAYMENT}");
        let mut query = sqlx::query_as(self.sql(&sql))
            .bind(payment.app_id.as_str().to_owned())
            .bind(kind)
            .bind(asked.as_str().to_owned());
        let [platforms, orders, registers] = [
            both(payment.platform_ids().collect()),
            both(payment.order_ids().collect()),
            both(payment.mis_ids().collect()),
        ];
        for name in platforms.into_iter().chain(orders).chain(registers) {
            query = query.bind(name);
        }
        let mut rows: Vec<Row> = query.fetch_all(connection).await?;
        // The names find all that may be of it, and some that are not.
        rows.retain(|row| row.payment().is_same(payment));
        Ok(rows)
    }

    /// What is in doubt, and what of it needs a person, see [`Row::needs_person`].
    pub async fn doubts(&self, patience: Patience) -> Result<Doubts> {
        let doubts = sqlx::query_as(self.sql(&sum_of_doubts()))
            .bind(millis(patience.window))
            .bind(millis(patience.processing));
        let doubts = doubts.fetch_one(&self.pool);
        let (in_doubt, processing, oldest, persons, disputed): (i64, i64, i64, i64, i64) =
            self.measure(Work::Doubts, doubts).await?;
        let oldest = Duration::from_millis(u64::try_from(oldest).unwrap_or_default());
        Ok(Doubts { in_doubt, processing, oldest, persons, disputed })
    }

    /// Rows that the resolver should look at, the longest overdue first. They are this
    /// caller's for `hold`: no other replica gets them in that time. A row that is due later
    /// than `latest` from now is due: the clock went back.
    pub async fn take_due(&self, limit: i64, hold: Duration, latest: Duration) -> Result<Vec<Row>> {
        self.measure(Work::TakeDue, self.try_take_due(limit, hold, latest)).await
    }

    async fn try_take_due(&self, limit: i64, hold: Duration, latest: Duration) -> Result<Vec<Row>> {
        let sql = format!(
            "SELECT {COLUMNS}, look_at FROM refunds \
             WHERE state IN ('claimed', 'in_doubt', 'processing') \
             AND (look_at <= {{now}} OR look_at > {{now}} + $2) ORDER BY look_at, order_id LIMIT $1"
        );
        let due = sqlx::query(self.sql(&sql)).bind(limit).bind(millis(latest));
        let mut taken = Vec::new();
        for due in due.fetch_all(&self.pool).await? {
            let row = match Row::from_row(&due) {
                Ok(row) => row,
                // One row that cannot be read must not keep the others from being looked at.
                Err(error) => {
                    tracing::error!(%error, "a refund's row cannot be read");
                    continue;
                }
            };
            if self.take(&row.key, due.try_get("look_at")?, hold).await? {
                taken.push(row);
            }
        }
        Ok(taken)
    }

    async fn take(&self, key: &Key, look_at: i64, hold: Duration) -> Result<bool> {
        let update = "UPDATE refunds SET look_at = {now} + $1, looks = looks + 1 \
            WHERE app_id = $2 AND order_id = $3 AND look_at = $4";
        let take = sqlx::query(self.sql(update))
            .bind(millis(hold))
            .bind(key.app_id.as_str().to_owned())
            .bind(key.order_id.as_str().to_owned())
            .bind(look_at);
        Ok(self.wrote(take).await? == 1)
    }
}

/// The rows that have one of a payment's names: $1 its `app_id`, $2 and $3 the name asked by, $4
/// and $5 its numbers on the platform, $6 and $7 those of the shop, $8 and $9 of the register.
///
/// The empty text keeps SQLite, which knows no statistics, from reading all refunds of an `app_id`.
const OF_PAYMENT: &str = "payment_platform_id IN ($4, $5) \
    OR (original_kind = 'platform_id' AND original IN ($4, $5)) \
    OR (app_id || '' = $1 AND original_kind = $2 AND original = $3) \
    OR (app_id || '' = $1 AND original_kind = 'order_id' AND original IN ($6, $7)) \
    OR (app_id || '' = $1 AND original_kind = 'mis_id' AND original IN ($8, $9)) \
    OR (app_id || '' = $1 AND payment_order_id IN ($6, $7)) \
    OR (app_id || '' = $1 AND payment_mis_id IN ($8, $9))";

/// $1 is the window, $2 the patience, in milliseconds. An age is at least a second: a clock that
/// went back must not hide a refund that is open.
fn sum_of_doubts() -> String {
    let person = needs_person("$1", "$2");
    format!(
        "SELECT \
         CAST(COALESCE(SUM(CASE WHEN state = 'processing' THEN 0 ELSE 1 END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN state = 'processing' THEN 1 ELSE 0 END), 0) AS BIGINT), \
         CAST(COALESCE(MAX(CASE WHEN {{now}} - claimed_at < 1000 THEN 1000 \
             ELSE {{now}} - claimed_at END), 0) AS BIGINT), \
         CAST(COALESCE(SUM(CASE WHEN {person} THEN 1 ELSE 0 END), 0) AS BIGINT), \
         (SELECT COUNT(*) FROM refunds WHERE disputed IS NOT NULL) FROM refunds \
         WHERE state IN ('claimed', 'in_doubt', 'processing') \
         AND (state <> 'claimed' OR lease_until <= {{now}})"
    )
}

/// The rule of [`Row::needs_person`] over the row of a refund that is open, with the names of the
/// settle window and of the patience with what is in processing, both in milliseconds.
pub(super) fn needs_person(window: &str, processing: &str) -> String {
    format!(
        "(person = 1 OR CASE WHEN state = 'processing' THEN claimed_at + {processing} <= {{now}} \
         ELSE lease_until + 2 * {window} <= {{now}} END)"
    )
}

impl FromRow<'_, AnyRow> for Row {
    fn from_row(row: &AnyRow) -> sqlx::Result<Self> {
        let text = |column: &str| row.try_get::<String, _>(column);
        let decided_by: Option<String> = row.try_get("decided_by")?;
        let decided_why: Option<String> = row.try_get("decided_why")?;
        let outcome: Option<String> = row.try_get("outcome")?;
        Ok(Self {
            key: Key::from_row(row)?,
            msn: text("msn")?,
            amount: row.try_get("amount")?,
            original: original(&text("original_kind")?, text("original")?)?,
            business_id: text("business_id")?,
            content_hash: row.try_get("content_hash")?,
            state: State::named(&text("state")?).ok_or_else(|| unreadable("state"))?,
            epoch: row.try_get("epoch")?,
            claim_order: row.try_get("claim_order")?,
            change: row.try_get("change")?,
            lease_until: row.try_get("lease_until")?,
            told: flag(row, "told")?,
            evidence: Known {
                free: flag(row, "free")?,
                absent: flag(row, "absent")?,
                accepted: flag(row, "accepted")?,
                payment: json(row, "payment_then")?.unwrap_or_default(),
                names: PaymentNames {
                    platform_id: row.try_get("payment_platform_id")?,
                    order_id: row.try_get("payment_order_id")?,
                    mis_id: row.try_get("payment_mis_id")?,
                },
            },
            doubt: json(row, "doubt")?,
            person: flag(row, "person")?,
            disputed: row.try_get("disputed")?,
            outcome: outcome.as_deref().and_then(outcome_named),
            answer: json(row, "answer")?,
            claimed_at: row.try_get("claimed_at")?,
            changed_at: row.try_get("changed_at")?,
            looks: row.try_get("looks")?,
            decided: decided_by.zip(decided_why).map(|(by, reason)| Decision { by, reason }),
            caller: row.try_get("caller")?,
            note: Note { operator: row.try_get("asked_by")?, reason: row.try_get("asked_why")? },
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

fn flag(row: &AnyRow, column: &str) -> sqlx::Result<bool> {
    Ok(row.try_get::<i64, _>(column)? != 0)
}

fn json<T: DeserializeOwned>(row: &AnyRow, column: &str) -> sqlx::Result<Option<T>> {
    let text: Option<String> = row.try_get(column)?;
    let read = text.map(|json| serde_json::from_str(&json)).transpose();
    read.map_err(|error| sqlx::Error::Decode(error.into()))
}

#[cfg(test)]
mod tests;
