//! What changes a row. Each is one statement, committed by itself: compare, and set.

use std::time::Duration;

use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AssertSqlSafe, FromRow, Row as _};

use super::claims::bind_content;
use super::reads::needs_person;
use super::{Decision, Doubt, Key, Ledger, Patience, Result, Row, State, millis};
use crate::metrics::Work;
use crate::telemetry::shown;
use crate::trade::{Identifier, Refund, Refunded, TradeState};

/// What Sunmi said of a refund that is in doubt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said<'a> {
    /// An answer that is believed once looks bear it out.
    pub answer: Option<&'a Refunded>,
    /// Whether it said that it accepted something.
    pub accepted: bool,
}

/// What became of a record that a refund ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// It was written.
    Written,
    /// It was settled so before.
    Already,
    /// It was not written: the row says otherwise, by now or for good.
    Otherwise,
}

impl Ledger {
    /// Records that a refund succeeded: over any epoch, and over all but what is settled already.
    /// Over what a caller was told not to have been applied, or is settled as failed, it is a
    /// contradiction, which is kept, counted and logged.
    pub async fn settle(&self, key: &Key, answer: &Refunded) -> Result<Settled> {
        self.measure(Work::Settle, self.try_settle(key, answer)).await
    }

    async fn try_settle(&self, key: &Key, answer: &Refunded) -> Result<Settled> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'settled', outcome = 'SUCCEEDED', answer = $3, \
             accepted = 1, person = 0, changed_at = {now}, change = {next_change}, \
             disputed = CASE WHEN told = 1 THEN $4 ELSE disputed END \
             WHERE app_id = $1 AND order_id = $2 AND state <> 'settled' \
             RETURNING epoch, told, disputed",
        );
        let query = of_key(sql, key)
            .bind(serde_json::to_string(answer)?)
            .bind("it succeeded after a caller was told that it was not applied");
        let Some(written) = self.returned(query).await? else {
            return match self.row(key).await?.outcome {
                Some(TradeState::Failed) => {
                    self.dispute(key, "Sunmi has it as succeeded, after it failed").await?;
                    Ok(Settled::Otherwise)
                }
                _ => Ok(Settled::Already),
            };
        };
        self.announce(key, written.try_get("epoch")?, State::Settled, "SUCCEEDED");
        if written.try_get::<i64, _>("told")? != 0 {
            self.contradicted(key, "it succeeded after a caller was told that it was not applied");
        }
        Ok(Settled::Written)
    }

    /// Records that a refund failed, over the row as it was when that was concluded. Over one that
    /// succeeded, or was not applied, under this very claim since, it is a contradiction.
    pub async fn fail(&self, row: &Row, answer: &Refunded) -> Result<bool> {
        let (key, epoch) = (&row.key, row.epoch);
        let sql = self.sql(
            "UPDATE refunds SET state = 'settled', outcome = 'FAILED', answer = $4, person = 0, \
             changed_at = {now}, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND change = $5 \
             AND state IN ('claimed', 'in_doubt', 'processing')",
        );
        let answer = serde_json::to_string(answer)?;
        let query = of_epoch(sql, key, epoch).bind(answer).bind(row.change);
        let written = self.moved(query, key, epoch, (State::Settled, "FAILED")).await?;
        if !written {
            let row = self.row(key).await?;
            if row.epoch == epoch && row.has_succeeded() {
                self.dispute(key, "Sunmi has it as failed, after it succeeded").await?;
            } else if row.epoch == epoch && row.state == State::NotApplied {
                self.dispute(key, "Sunmi has it as failed, after it was not applied").await?;
            }
        }
        Ok(written)
    }

    /// Records that Sunmi accepted a refund and has not finished: over any epoch. Over what is
    /// settled as failed, or what a caller was told not to have been applied, it is a
    /// contradiction.
    pub async fn processing(&self, key: &Key, answer: &Refunded) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'processing', answer = $3, accepted = 1, person = 0, \
             changed_at = {now}, change = {next_change}, look_at = {now}, \
             disputed = CASE WHEN told = 1 THEN $4 ELSE disputed END \
             WHERE app_id = $1 AND order_id = $2 \
             AND state IN ('claimed', 'in_doubt', 'not_applied') RETURNING epoch, told",
        );
        let why = "Sunmi accepted it after a caller was told that it was not applied";
        let query = of_key(sql, key).bind(serde_json::to_string(answer)?).bind(why);
        let written = self.measure(Work::Move, self.returned(query)).await?;
        let Some(written) = written else {
            if self.row(key).await?.outcome == Some(TradeState::Failed) {
                self.dispute(key, "Sunmi has it as accepted, after it failed").await?;
            }
            return Ok(false);
        };
        self.announce(key, written.try_get("epoch")?, State::Processing, "accepted");
        if written.try_get::<i64, _>("told")? != 0 {
            self.contradicted(key, why);
        }
        Ok(true)
    }

    /// Records that the refund of this claim may have happened, and what led there. `answer` is
    /// what Sunmi answered, where that is believed once looks bear it out; `accepted`, that Sunmi
    /// said that it accepted something.
    pub async fn doubt(
        &self,
        key: &Key,
        epoch: i64,
        doubt: &Doubt,
        said: Said<'_>,
    ) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', doubt = $4, answer = $5, \
             accepted = CASE WHEN $6 = 1 THEN 1 ELSE accepted END, \
             changed_at = {now}, change = {next_change}, look_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state IN ('claimed', 'in_doubt')",
        );
        let query = of_epoch(sql, key, epoch)
            .bind(serde_json::to_string(doubt)?)
            .bind(said.answer.map(serde_json::to_string).transpose()?)
            .bind(i64::from(said.accepted));
        self.moved(query, key, epoch, (State::InDoubt, &doubt.why)).await
    }

    /// Records that this claim's owner may no longer send, and left no answer. That is so once its
    /// lease is over by the ledger's clock, or was for as long as a lease by this process's own.
    pub async fn expire(&self, key: &Key, epoch: i64) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', changed_at = {now}, change = {next_change}, \
             look_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'claimed'",
        );
        self.moved(of_epoch(sql, key, epoch), key, epoch, (State::InDoubt, "lease over")).await
    }

    /// Records, of a number that was not applied in this claim, that something was found under it
    /// that proves nothing: nothing more is sent until that is known. The content is the same; a
    /// row that retention emptied has it again.
    pub async fn reopen(&self, refund: &Refund, epoch: i64, doubt: &Doubt) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', msn = $3, amount = $4, business_id = $7, \
             doubt = $8, lease_until = {now}, changed_at = {now}, change = {next_change}, \
             look_at = {now} \
             WHERE app_id = $1 AND order_id = $2 AND original_kind = $5 AND original = $6 \
             AND epoch = $9 AND state = 'not_applied'",
        );
        let query =
            bind_content(sqlx::query(sql), refund).bind(serde_json::to_string(doubt)?).bind(epoch);
        self.moved(query, &Key::of(refund), epoch, (State::InDoubt, &doubt.why)).await
    }

    /// Records that a refusal is believed, by looks that bore it out, over the row as it was then:
    /// no money moved under this claim. Nobody is told yet.
    pub async fn refuse_borne_out(&self, row: &Row, doubt: &Doubt) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'not_applied', doubt = $4, told = 0, answer = NULL, \
             person = 0, changed_at = {now}, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND change = $5 \
             AND state = 'in_doubt'",
        );
        let query =
            of_epoch(sql, &row.key, row.epoch).bind(serde_json::to_string(doubt)?).bind(row.change);
        self.moved(query, &row.key, row.epoch, (State::NotApplied, &doubt.why)).await
    }

    /// Records a refusal that Sunmi answered to this claim's own request: no money moved under it.
    /// `told` is whether the caller whose claim it is waits to be told.
    pub async fn refuse(&self, key: &Key, epoch: i64, doubt: &Doubt, told: bool) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'not_applied', doubt = $4, told = $5, answer = NULL, \
             person = 0, changed_at = {now}, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state IN ('claimed', 'in_doubt')",
        );
        let query =
            of_epoch(sql, key, epoch).bind(serde_json::to_string(doubt)?).bind(i64::from(told));
        self.moved(query, key, epoch, (State::NotApplied, &doubt.why)).await
    }

    /// Records that the claim of this id was given back: nothing was sent under it, and nothing
    /// will be. False if there is no such claim any more.
    pub async fn give_back(&self, key: &Key, id: &str, why: &str) -> Result<bool> {
        let doubt = Doubt { why: why.to_owned(), ..Doubt::default() };
        let sql = self.sql(
            "UPDATE refunds SET state = 'not_applied', doubt = $4, told = 1, person = 0, \
             changed_at = {now}, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND claim_id = $3 \
             AND state IN ('claimed', 'in_doubt') RETURNING epoch",
        );
        let query = of_key(sql, key).bind(id.to_owned()).bind(serde_json::to_string(&doubt)?);
        let written = self.measure(Work::Move, self.returned(query)).await?;
        if let Some(written) = &written {
            self.announce(key, written.try_get("epoch")?, State::NotApplied, why);
        }
        Ok(written.is_some())
    }

    /// Records the judgement that a refund in doubt never happened, over the row as it was when
    /// that was concluded. Nobody is told yet. Neither a
    /// refund that Sunmi ever accepted nor one whose window is not over can be judged so.
    pub async fn judge_not_applied(&self, row: &Row, window: Duration) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'not_applied', told = 0, answer = NULL, person = 0, \
             changed_at = {now}, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'in_doubt' \
             AND accepted = 0 AND lease_until + $4 <= {now} AND change = $5",
        );
        let query = of_epoch(sql, &row.key, row.epoch).bind(millis(window)).bind(row.change);
        self.moved(query, &row.key, row.epoch, (State::NotApplied, "two witnesses")).await
    }

    /// Records that a caller is told that the refund of this claim was not applied. False if it
    /// is not so any more; true, too, if another was told before.
    pub async fn tell(&self, key: &Key, epoch: i64) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET told = 1, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'not_applied'",
        );
        let query = of_epoch(sql, key, epoch);
        self.measure(Work::Move, self.change(query)).await
    }

    /// Takes back that a caller is told: it was gone before it heard.
    pub async fn untell(&self, key: &Key, epoch: i64) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET told = 0, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = 'not_applied'",
        );
        let query = of_epoch(sql, key, epoch);
        self.measure(Work::Move, self.change(query)).await
    }

    /// Records that only a person can settle a refund that is open.
    pub async fn needs_person(&self, key: &Key, epoch: i64) -> Result<bool> {
        let sql = self.sql(
            "UPDATE refunds SET person = 1 WHERE app_id = $1 AND order_id = $2 AND epoch = $3 \
             AND state IN ('in_doubt', 'processing') AND person = 0",
        );
        self.measure(Work::Move, self.change(of_epoch(sql, key, epoch))).await
    }

    /// Records the same of all refunds that are open for so long that nothing but a person can
    /// settle them, whichever process has looked for them: how many. What changes only with time
    /// would else be told to nobody who follows changes.
    pub async fn call_persons(&self, patience: Patience) -> Result<u64> {
        let sql = self.sql(&format!(
            "UPDATE refunds SET person = 1 WHERE state IN ('in_doubt', 'processing') \
             AND person = 0 AND {}",
            needs_person("$1", "$2")
        ));
        let call = sqlx::query(sql).bind(millis(patience.window)).bind(millis(patience.processing));
        self.measure(Work::CallPersons, self.wrote(call)).await
    }

    /// Keeps that Sunmi contradicts how a refund is settled; it stays settled so.
    pub async fn dispute(&self, key: &Key, why: &str) -> Result<()> {
        let sql = self.sql("UPDATE refunds SET disputed = $3 WHERE app_id = $1 AND order_id = $2");
        self.change(of_key(sql, key).bind(why.to_owned())).await?;
        self.contradicted(key, why);
        Ok(())
    }

    fn contradicted(&self, key: &Key, why: &str) {
        self.metrics.contradiction();
        let refund = shown(key.order_id.as_str());
        tracing::error!(
            app_id = key.app_id.as_str(),
            refund = refund.as_deref(),
            why,
            "Sunmi contradicts what is recorded of a refund"
        );
    }

    /// Records what a person decided of a refund that is in doubt or processing, over the row that
    /// the person saw.
    pub async fn decide(
        &self,
        row: &Row,
        answer: Option<&Refunded>,
        decision: &Decision,
    ) -> Result<bool> {
        let state = if answer.is_some() { State::Settled } else { State::NotApplied };
        // The person is no caller: the next one that asks is told.
        let sql = self.sql(
            "UPDATE refunds SET state = $5, outcome = $6, answer = $7, decided_by = $8, \
             decided_why = $9, told = 0, person = 0, changed_at = {now}, change = {next_change} \
             WHERE app_id = $1 AND order_id = $2 AND epoch = $3 AND state = $4 \
             AND state IN ('in_doubt', 'processing')",
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
        self.wrote(query).await?;
        Ok(())
    }

    /// Makes all refunds of this `app_id` due that are in doubt or in processing.
    pub async fn look_now(&self, app_id: &Identifier) -> Result<()> {
        let sql = self.sql(
            "UPDATE refunds SET look_at = {now} \
             WHERE app_id = $1 AND state IN ('claimed', 'in_doubt', 'processing') \
             AND state <> 'claimed'",
        );
        self.wrote(sqlx::query(sql).bind(app_id.as_str().to_owned())).await?;
        Ok(())
    }

    /// Empties rows that have been at rest for so long: of what was asked, of who asked, and of
    /// the answer all but its evidence, which is what its text ends with. The key and the
    /// outcome stay, because an old number must never be executed again; the payment, because
    /// a settle window may be longer than the retention, and judgements look for other refunds
    /// of it; the hash of the content, so that another content is told from it; and what a person
    /// decided, because nothing else tells why.
    pub async fn purge(&self, retention: Duration) -> Result<u64> {
        let sql = self.sql(
            r#"UPDATE refunds SET amount = NULL, msn = '', business_id = '', caller = NULL,
                 asked_by = NULL, asked_why = NULL,
                 payment_then = NULL, doubt = NULL, change = {next_change},
                 answer = CASE
                 WHEN answer LIKE '%,"evidence":"Query"}' THEN '{"trade":{},"evidence":"Query"}'
                 WHEN answer LIKE '%,"evidence":"Operator"}'
                 THEN '{"trade":{},"evidence":"Operator"}'
                 WHEN answer IS NOT NULL THEN '{"trade":{},"evidence":"Reply"}' END
             WHERE state IN ('settled', 'not_applied') AND amount IS NOT NULL
             AND changed_at + $1 <= {now}"#,
        );
        let purge = sqlx::query(sql).bind(millis(retention));
        self.measure(Work::Purge, self.wrote(purge)).await
    }

    /// Puts all claimed refunds in doubt.
    pub(super) async fn doubt_all_claimed(&self) -> Result<()> {
        let sql = self.sql(
            "UPDATE refunds SET state = 'in_doubt', changed_at = {now}, change = {next_change}, \
             look_at = {now} WHERE state = 'claimed' RETURNING app_id, order_id, epoch",
        );
        let mut write = self.begin().await?;
        let doubted = sqlx::query(sql).fetch_all(write.connection()?).await?;
        write.keep().await?;
        for row in doubted {
            let key = Key::from_row(&row)?;
            self.announce(&key, row.try_get("epoch")?, State::InDoubt, "the last process ended");
        }
        Ok(())
    }

    pub(super) async fn moved(
        &self,
        query: Query<'_, Any, AnyArguments>,
        key: &Key,
        epoch: i64,
        (state, why): (State, &str),
    ) -> Result<bool> {
        let changed = self.measure(Work::Move, self.change(query)).await?;
        if changed {
            self.announce(key, epoch, state, why);
        }
        Ok(changed)
    }

    async fn change(&self, query: Query<'_, Any, AnyArguments>) -> Result<bool> {
        Ok(self.wrote(query).await? == 1)
    }

    /// One event for each change of state, for operators and for those who wait for it.
    pub(super) fn announce(&self, key: &Key, epoch: i64, state: State, why: &str) {
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

/// A query over a row: its key is $1 and $2.
fn of_key<'q>(sql: AssertSqlSafe<String>, key: &Key) -> Query<'q, Any, AnyArguments> {
    sqlx::query(sql).bind(key.app_id.as_str().to_owned()).bind(key.order_id.as_str().to_owned())
}

/// A query over a claim: its key is $1 and $2, its epoch $3.
fn of_epoch<'q>(sql: AssertSqlSafe<String>, key: &Key, epoch: i64) -> Query<'q, Any, AnyArguments> {
    of_key(sql, key).bind(epoch)
}

#[cfg(test)]
mod tests;
