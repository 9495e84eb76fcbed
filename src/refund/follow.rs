//! Follows a refund until its outcome is known or its caller's time is over. Sends nothing.

use std::time::Duration;

use super::{Begun, Refunds, schedule};
use crate::deadline::Deadline;
use crate::error::{Chain, Error, Fault, SunmiWords};
use crate::ledger::{Key, LedgerError, Pending, Row, State};
use crate::sunmi::Answered;
use crate::trade::{Evidence, RefundTrade, Refunded};

/// Whose refund a task follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// This call sent it.
    ThisCall,
    /// An earlier call, or another process, did.
    Another,
}

/// The waits before the ledger is read for what other processes change: they double.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);

/// A refund is not looked for in this last part of its caller's time, so that the answer with
/// what led to the doubt is there before the time is over.
pub(super) const LAST_WORD: Duration = Duration::from_millis(100);

/// How long after its lease a claim may be taken for ended by this process's own clock.
const LEASE_MARGIN: Duration = Duration::from_secs(5);

impl Refunds {
    /// Follows a refund that was sent before until its outcome is known or the deadline is over.
    pub(super) async fn follow(
        self,
        mut row: Row,
        sender: Sender,
        (deadline, begun): (Deadline, &Begun),
    ) -> Result<Answered<Refunded>, Error> {
        let deadline = deadline.earlier(LAST_WORD);
        let mut changes = self.ledger.changes(&row.key);
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(answer) = self.known_outcome(&row, sender, begun).await {
                return answer;
            }
            let may_look = row.is_open() && self.memory.may_look(&row, self.clock.now());
            if may_look && deadline.bound(self.resolve(&row)).await.is_some() {
                row = self.refresh(&row.key).await.map_err(Error::refund_outcome_unknown)?;
                if !row.is_open() {
                    continue;
                }
            }
            if deadline.left().is_zero() || self.is_left_to_a_person(&row) {
                return self.still_unknown(&row, sender, begun).await;
            }
            let next = Deadline::after(pause).min(deadline);
            pause = (pause * 2).min(LAST_PAUSE);
            next.bound(changes.next()).await;
            row = self.refresh(&row.key).await.map_err(Error::refund_outcome_unknown)?;
        }
    }

    /// The row as it is now. A claim whose lease is over, by the ledger's clock or by this
    /// process's own, is in doubt.
    pub(super) async fn refresh(&self, key: &Key) -> Result<Row, LedgerError> {
        let row = self.ledger.row(key).await?;
        if row.state != State::Claimed {
            return Ok(row);
        }
        let seen_for = self.memory.age(&row, self.clock.now());
        if row.lease_is_over() || seen_for >= self.lease() {
            self.ledger.expire(key, row.epoch).await?;
            return self.ledger.row(key).await;
        }
        Ok(row)
    }

    /// How long a claim's lease is at most, by this process's own clock.
    pub(super) fn lease(&self) -> Duration {
        self.rules.ceiling + LEASE_MARGIN
    }

    /// The answer of a row at rest. That a refund was not applied is told only once the row says
    /// so.
    async fn known_outcome(
        &self,
        row: &Row,
        sender: Sender,
        begun: &Begun,
    ) -> Option<Result<Answered<Refunded>, Error>> {
        match row.state {
            State::Claimed | State::InDoubt | State::Processing => None,
            State::Settled => {
                self.memory.forget(&row.key);
                Some(Ok(recorded(row, sender)))
            }
            State::NotApplied => {
                self.memory.forget(&row.key);
                match self.tell(row, begun).await {
                    Ok(true) => Some(Err(not_applied(row, sender))),
                    // It changed since.
                    Ok(false) => None,
                    Err(error) => Some(Err(Error::refund_outcome_unknown(error))),
                }
            }
        }
    }

    /// Records that a caller is told that a refund was not applied; takes it back if the caller is
    /// gone, who else would ask again and so send. False if it is not so any more.
    pub(super) async fn tell(&self, row: &Row, begun: &Begun) -> Result<bool, LedgerError> {
        let told = self.ledger.tell(&row.key, row.epoch).await.inspect_err(|error| {
            // It may be recorded all the same, and its caller is told that nothing is known.
            let (key, epoch) = (row.key.clone(), row.epoch);
            self.record_later(error, move |ledger| {
                let key = key.clone();
                async move { ledger.untell(&key, epoch).await.map(drop) }
            });
        })?;
        if told && !row.told {
            self.heard(&row.key, row.epoch, begun).await;
        }
        Ok(told)
    }

    /// Takes back what a row says that its caller was told, if nobody hears it.
    pub(super) async fn heard(&self, key: &Key, epoch: i64, begun: &Begun) {
        if begun.say() {
            return;
        }
        if let Err(error) = self.ledger.untell(key, epoch).await {
            tracing::error!(error = %Chain(&error), "a refund's record was not written");
        }
    }

    /// The answer when there is no time left: what Sunmi accepted is under way, all else is not
    /// known.
    async fn still_unknown(
        &self,
        row: &Row,
        sender: Sender,
        begun: &Begun,
    ) -> Result<Answered<Refunded>, Error> {
        if let Some(answer) = self.known_outcome(row, sender, begun).await {
            return answer;
        }
        match row.state {
            State::Processing => Ok(recorded(row, sender)),
            State::Claimed | State::InDoubt | State::Settled | State::NotApplied => {
                let error = Error::refund_outcome_unknown("the refund is still in doubt");
                let wait = schedule::repeat(age(row));
                Err(with_words(error, row).with(|context| context.retry_after = Some(wait)))
            }
        }
    }
}

/// What a caller is told of a refund that was not applied: whoever sent it learns why Sunmi
/// refused it, if it did.
pub(super) fn not_applied(row: &Row, sender: Sender) -> Error {
    let refusal = match row.doubt.as_ref().and_then(|doubt| doubt.pending.as_ref()) {
        Some(Pending::Refusal { reason, .. }) => Fault::of_reason(reason),
        Some(Pending::Failure) | None => None,
    };
    let fault = refusal.filter(|_| sender == Sender::ThisCall);
    with_words(Error::new(fault.unwrap_or(Fault::RefundNotApplied)), row).not_applied()
}

/// How long ago it was claimed, by the ledger's clock.
fn age(row: &Row) -> Duration {
    Duration::from_millis(row.now.saturating_sub(row.claimed_at).try_into().unwrap_or_default())
}

/// The error with what Sunmi last said of the refund.
pub(super) fn with_words(error: Error, row: &Row) -> Error {
    let Some(doubt) = &row.doubt else { return error };
    error.with(|context| {
        context.http_status = doubt.http_status;
        context.sunmi = doubt
            .code
            .clone()
            .map(|code| SunmiWords { code, message: doubt.message.clone().unwrap_or_default() });
    })
}

/// The recorded answer; of an emptied row, its outcome and how that is known.
pub(super) fn recorded(row: &Row, sender: Sender) -> Answered<Refunded> {
    let unrecorded =
        || Refunded { trade: RefundTrade::default(), evidence: Evidence::Reply, replayed: true };
    let mut refunded = row.answer.clone().unwrap_or_else(unrecorded);
    refunded.trade.state = refunded.trade.state.or(row.outcome);
    refunded.replayed = sender == Sender::Another;
    Answered { value: refunded, attempts: 0 }
}
