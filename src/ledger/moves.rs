//! What changes a row. Each is one statement, committed by itself: compare, and set.

use std::time::Duration;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, FromRow, Row as _};
use tokio::time::Instant;

use super::{Claim, Decision, Key, Ledger, LedgerError, Result, Row, State, millis};
use crate::deadline::Deadline;
use crate::metrics::Work;
use crate::permit::Permit;
use crate::telemetry::shown;
use crate::trade::{Refund, Refunded, TradeState};

/// Beyond the ceiling, so that a lease is never over while its owner may still send.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

/// So often a claim is tried again when others change the row meanwhile.
const CLAIM_TRIES: u32 = 16;

impl Ledger {
    /// Claims a refund: durably, before anything is sent. Its owner may send until `ceiling`
    /// has passed, by its own clock, since before the claim.
    pub async fn claim(&self, refund: &Refund, ceiling: Duration) -> Result<Claim> {
        self.metrics.measure(Work::Claim, self.try_claim(refund, ceiling)).await
    }

    async fn try_claim(&self, refund: &Refund, ceiling: Duration) -> Result<Claim> {
        // Before the claim, so that the owner's time is over before its lease is.
        let send_until = Deadline::at(Instant::now() + ceiling);
        let lease = millis(ceiling + LEASE_MARGIN);
        for _ in 0..CLAIM_TRIES {
            if self.insert(refund, lease).await? {
                return Ok(self.fresh(refund, 1, send_until));
            }
            let Some(row) = self.read(&Key::of(refund)).await? else { continue };
            if row.state != State::NotApplied {
                return Ok(known(row, refund));
            }
            if self.claim_again(refund, row.epoch, lease).await? {
                return Ok(self.fresh(refund, row.epoch + 1, send_until));
            }
        }
        Err(LedgerError::new("others kept changing the row"))
    }

    /// Like [`Self::claim`], but claims nothing.
    pub async fn recall(&self, refund: &Refund) -> Result<Claim> {
        match self.read(&Key::of(refund)).await? {
            Some(row) if row.state != State::NotApplied => Ok(known(row, refund)),
            Some(_) | None => Ok(Claim::Free),
        }
    }

    fn fresh(&self, refund: &Refund, epoch: i64, send_until: Deadline) -> Claim {
        self.announce(&Key::of(refund), epoch, State::Claimed, "claim");
        Claim::Fresh(Permit::of_claim(epoch, send_until))
    }

    async fn insert(&self, refund: &Refund, lease: i64) -> Result<bool> {
        self.change(
            bind_refund(
                sqlx::query(self.sql(
                    "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
                     business_id, state, epoch, lease_until, claimed_at, changed_at, look_at, looks, \
                     caller) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, 'claimed', 1, {now} + $8, {now}, {now}, \
                     {now} + $8, 0, $9) ON CONFLICT DO NOTHING",
                )),
                refund,
            )
            .bind(lease)
            .bind(refund.caller.as_deref().map(str::to_owned)),
        )
        .await
    }

    async fn claim_again(&self, refund: &Refund, epoch: i64, lease: i64) -> Result<bool> {
        self.change(
            bind_refund(
                sqlx::query(self.sql(
                    "UPDATE refunds SET msn = $3, amount = $4, original_kind = $5, original = $6, \
                     business_id = $7, state = 'claimed', epoch = epoch + 1, \
                     lease_until = {now} + $8, answer = NULL, outcome = NULL, \
                     claimed_at = {now}, changed_at = {now}, look_at = {now} + $8, looks = 0, \
                     caller = $10 \
                     WHERE app_id = $1 AND order_id = $2 AND epoch = $9 AND state = 'not_applied'",
                )),
                refund,
            )
            .bind(lease)
            .bind(epoch)
            .bind(refund.caller.as_deref().map(str::to_owned)),
        )
        .await
    }

    /// Records how a refund ended. Evidence that it happened is written from any epoch, and
    /// wins over all but what is settled already; that it failed, only over its own claim.
    /// False if it was not written.
    pub async fn settle(&self, refund: &Refund, epoch: i64, answer: &Refunded) -> Result<bool> {
        self.metrics.measure(Work::Settle, self.try_settle(refund, epoch, answer)).await
    }

    async fn try_settle(&self, refund: &Refund, epoch: i64, answer: &Refunded) -> Result<bool> {
        let outcome = match answer.trade.state {
            Some(TradeState::Failed) => "FAILED",
            _ => "SUCCEEDED",
        };
        let changed = self
            .change(
                bind_refund(
                    sqlx::query(self.sql(
                        "UPDATE refunds SET msn = $3, amount = $4, original_kind = $5, \
                         original = $6, business_id = $7, state = 'settled', outcome = $8, \
                         answer = $9, changed_at = {now} \
                         WHERE app_id = $1 AND order_id = $2 AND state <> 'settled' \
                         AND ($8 <> 'FAILED' OR epoch = $10)",
                    )),
                    refund,
                )
                .bind(outcome)
                .bind(serde_json::to_string(answer)?)
                .bind(epoch),
            )
            .await?;
        if changed {
            self.announce(&Key::of(refund), epoch, State::Settled, outcome);
        }
        Ok(changed)
    }

    /// Records that Sunmi accepted a refund and has not finished.
    pub async fn processing(&self, key: &Key, epoch: i64, answer: &Refunded) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'processing', answer = $4, changed_at = {now}, \
             look_at = {now} WHERE app_id = $1 AND order_id = $2 AND epoch = $3 \
             AND state IN ('claimed', 'in_doubt')",
        );
        let query = of_epoch(sql, key, epoch).bind(serde_json::to_string(answer)?);
        self.moved(query, key, epoch, (State::Processing, "accepted")).await
    }

    /// Records that the refund of this claim may have happened.
    pub async fn doubt(&self, key: &Key, epoch: i64) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', changed_at = {now}, look_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'claimed'",
        );
        self.moved(of_epoch(sql, key, epoch), key, epoch, (State::InDoubt, "no answer")).await
    }

    /// Records that this claim's lease ran out without an answer.
    pub async fn expire(&self, key: &Key, epoch: i64) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', changed_at = {now}, look_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'claimed' \
             AND lease_until <= {now}",
        );
        self.moved(of_epoch(sql, key, epoch), key, epoch, (State::InDoubt, "lease over")).await
    }

    /// Records, for the owner of a claim, that nothing was executed under it.
    pub async fn refuse(&self, key: &Key, epoch: i64, why: &'static str) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'not_applied', changed_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'claimed'",
        );
        self.moved(of_epoch(sql, key, epoch), key, epoch, (State::NotApplied, why)).await
    }

    /// Records the judgement that a refund in doubt never happened: unless the window since
    /// its lease is not over, or another refund of the same payment could be sent or was
    /// settled within it, whose effect on the payment's total could be mistaken for this
    /// one's.
    pub async fn judge_not_applied(&self, row: &Row, window: Duration) -> Result<bool> {
        let (kind, original) = row.original.named();
        let sql = self.sql(
            "UPDATE refunds SET state = 'not_applied', changed_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'in_doubt' \
             AND lease_until + $4 <= {now} AND NOT EXISTS ( \
                 SELECT 1 FROM refunds AS other WHERE other.app_id = $1 \
                 AND other.original_kind = $5 AND other.original = $6 AND other.order_id <> $2 \
                 AND (other.state = 'claimed' OR other.lease_until + $4 > {now} \
                      OR (other.state = 'settled' AND other.changed_at + $4 > {now})))",
        );
        let query = of_epoch(sql, &row.key, row.epoch)
            .bind(millis(window))
            .bind(kind)
            .bind(original.as_str().to_owned());
        self.moved(query, &row.key, row.epoch, (State::NotApplied, "two witnesses")).await
    }

    /// Records what a person decided of a refund that is not settled, over the row that the
    /// person saw.
    pub async fn decide(
        &self,
        row: &Row,
        answer: Option<&Refunded>,
        decision: &Decision,
    ) -> Result<bool> {
        let state = if answer.is_some() { State::Settled } else { State::NotApplied };
        let sql = self.sql(
            "UPDATE refunds SET state = $5, outcome = $6, answer = $7, decided_by = $8, \
             decided_why = $9, changed_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = $4",
        );
        let query = of_epoch(sql, &row.key, row.epoch)
            .bind(row.state.name())
            .bind(state.name())
            .bind(answer.map(|_| "SUCCEEDED"))
            .bind(answer.map(serde_json::to_string).transpose()?)
            .bind(decision.by.clone())
            .bind(decision.reason.clone());
        self.moved(query, &row.key, row.epoch, (state, "a person decided")).await
    }

    /// Lets the resolver look at a row again after `wait`.
    pub async fn look_again(&self, key: &Key, wait: Duration) -> Result<()> {
        let sql =
            self.sql("UPDATE refunds SET look_at = {now} + $3 WHERE app_id = $1 AND order_id = $2");
        let query = sqlx::query(sql)
            .bind(key.app_id.as_str().to_owned())
            .bind(key.order_id.as_str().to_owned())
            .bind(millis(wait));
        query.execute(&self.pool).await?;
        Ok(())
    }

    /// Empties rows that have been at rest for so long: of what was asked, of who asked, and of
    /// the answer all but its evidence, which is what its text ends with. The key and the
    /// outcome stay, because an old number must never be executed again; the payment, because
    /// a settle window may be longer than the retention, and judgements look for other refunds
    /// of it; and what a person decided, because nothing else tells why.
    pub async fn purge(&self, retention: Duration) -> Result<u64> {
        let sql = self.sql(
            r#"UPDATE refunds SET amount = NULL, msn = '', business_id = '', caller = NULL,
                 answer = CASE
                 WHEN answer LIKE '%,"evidence":"Query"}' THEN '{"trade":{},"evidence":"Query"}'
                 WHEN answer LIKE '%,"evidence":"Operator"}'
                 THEN '{"trade":{},"evidence":"Operator"}'
                 WHEN answer IS NOT NULL THEN '{"trade":{},"evidence":"Reply"}' END
             WHERE state IN ('settled', 'not_applied') AND amount IS NOT NULL
             AND changed_at + $1 <= {now}"#,
        );
        let purge = sqlx::query(sql).bind(millis(retention)).execute(&self.pool);
        let done = self.metrics.measure(Work::Purge, purge).await?;
        Ok(done.rows_affected())
    }

    /// Puts all claimed refunds in doubt.
    pub(super) async fn doubt_all_claimed(&self) -> Result<()> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', changed_at = {now}, look_at = {now} \
             WHERE state = 'claimed' RETURNING app_id, order_id, epoch",
        );
        for row in sqlx::query(sql).fetch_all(&self.pool).await? {
            let key = Key::from_row(&row)?;
            self.announce(&key, row.try_get("epoch")?, State::InDoubt, "the last process ended");
        }
        Ok(())
    }

    async fn moved(
        &self,
        query: Query<'_, Any, AnyArguments>,
        key: &Key,
        epoch: i64,
        (state, why): (State, &str),
    ) -> Result<bool> {
        let changed = self.metrics.measure(Work::Move, self.change(query)).await?;
        if changed {
            self.announce(key, epoch, state, why);
        }
        Ok(changed)
    }

    async fn change(&self, query: Query<'_, Any, AnyArguments>) -> Result<bool> {
        Ok(query.execute(&self.pool).await?.rows_affected() == 1)
    }

    /// One event for each change of state, for operators and for those who wait for it.
    fn announce(&self, key: &Key, epoch: i64, state: State, why: &str) {
        tracing::info!(
            app_id = key.app_id.as_str(),
            refund = shown(key.order_id.as_str()).as_deref(),
            epoch,
            state = state.name(),
            why,
            "refund"
        );
        // Nobody may be waiting.
        let _ = self.changes.send(key.clone());
    }
}

/// The row of this number, if it has this content.
fn known(row: Row, refund: &Refund) -> Claim {
    match row.differences(refund) {
        fields if fields.is_empty() => Claim::Known(Box::new(row)),
        fields => Claim::Differs(fields),
    }
}

/// Binds the key as $1 and $2, and the content as $3 to $7.
fn bind_refund<'q>(
    query: Query<'q, Any, AnyArguments>,
    refund: &Refund,
) -> Query<'q, Any, AnyArguments> {
    let (kind, original) = refund.original.named();
    query
        .bind(refund.app_id.as_str().to_owned())
        .bind(refund.order_id.as_str().to_owned())
        .bind(refund.msn.as_str().to_owned())
        .bind(refund.amount)
        .bind(kind)
        .bind(original.as_str().to_owned())
        .bind(refund.business_id.as_str().to_owned())
}

/// A query over a claim: its key is $1 and $2, its epoch $3.
fn of_epoch<'q>(sql: AssertSqlSafe<String>, key: &Key, epoch: i64) -> Query<'q, Any, AnyArguments> {
    sqlx::query(sql)
        .bind(key.app_id.as_str().to_owned())
        .bind(key.order_id.as_str().to_owned())
        .bind(epoch)
}
