//! Follows a refund until its outcome is known or its caller's time is over. Sends nothing.

use std::time::Duration;

use super::{Refunds, reused};
use crate::deadline::Deadline;
use crate::error::{Error, Fault};
use crate::ledger::{Key, LedgerError, Row, State};
use crate::sunmi::Answered;
use crate::trade::{Evidence, Refund, RefundTrade, Refunded};

/// Whose refund a task follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sender {
    /// This call sent it.
    ThisCall,
    /// An earlier call, or another process, did.
    Another,
}

/// The waits between looks at a refund that is followed: they double.
const FIRST_LOOK: Duration = Duration::from_millis(100);
const LAST_LOOK: Duration = Duration::from_secs(2);

/// A refund is not looked for in this last part of its caller's time, so that the answer with
/// what led to the doubt is there before the time is over.
const LAST_WORD: Duration = Duration::from_millis(30);

impl Refunds {
    /// Follows a refund that was sent before until its outcome is known or the deadline is
    /// over. Sends nothing.
    pub(super) async fn follow(
        self,
        mut row: Row,
        refund: &Refund,
        sender: Sender,
        deadline: Deadline,
    ) -> Result<Answered<Refunded>, Error> {
        let deadline = deadline.earlier(LAST_WORD);
        let mut changes = self.ledger.changes(&row.key);
        let mut wait = FIRST_LOOK;
        loop {
            if let Some(answer) = known_outcome(&row, refund, sender) {
                return answer;
            }
            if row.is_open() && deadline.bound(self.resolve(&row)).await.is_some() {
                row = self.refresh(&row.key).await.map_err(Error::refund_outcome_unknown)?;
                if !row.is_open() {
                    continue;
                }
            }
            let left = deadline.left();
            if left <= FIRST_LOOK {
                return still_unknown(&row, refund, sender);
            }
            // The last look comes while there is time for its answer.
            let next = Deadline::after(wait.min(left - FIRST_LOOK));
            wait = (wait * 2).min(LAST_LOOK);
            // Another task of this process may change the row; another process, too, but that
            // is only seen by looking.
            while !row.is_at_rest() && next.bound(changes.next()).await.is_some() {
                row = self.refresh(&row.key).await.map_err(Error::refund_outcome_unknown)?;
            }
            row = self.refresh(&row.key).await.map_err(Error::refund_outcome_unknown)?;
        }
    }

    /// The row as it is now. A claim whose lease is over is in doubt.
    pub(super) async fn refresh(&self, key: &Key) -> Result<Row, LedgerError> {
        let row = self.ledger.row(key).await?;
        if row.state == State::Claimed && row.lease_is_over() {
            self.ledger.expire(key, row.epoch).await?;
            return self.ledger.row(key).await;
        }
        Ok(row)
    }
}

/// The answer of a row at rest.
fn known_outcome(
    row: &Row,
    refund: &Refund,
    sender: Sender,
) -> Option<Result<Answered<Refunded>, Error>> {
    match row.state {
        State::Claimed | State::InDoubt | State::Processing => None,
        State::NotApplied => Some(Err(Error::new(Fault::RefundNotApplied))),
        State::Settled => Some(match (row.differences(refund), sender) {
            (fields, _) if fields.is_empty() => Ok(recorded(row, sender)),
            // An earlier claim of the number, with other content, was executed after all.
            (_, Sender::ThisCall) => Err(Error::refund_outcome_unknown(
                "an earlier refund under this number was executed",
            )),
            (fields, Sender::Another) => Err(reused(fields)),
        }),
    }
}

/// The answer when there is no time left: what Sunmi accepted is under way, all else is not
/// known.
fn still_unknown(row: &Row, refund: &Refund, sender: Sender) -> Result<Answered<Refunded>, Error> {
    if let Some(answer) = known_outcome(row, refund, sender) {
        return answer;
    }
    match row.state {
        State::Processing => Ok(recorded(row, sender)),
        State::Claimed | State::InDoubt | State::Settled | State::NotApplied => {
            Err(Error::refund_outcome_unknown("the refund is still in doubt"))
        }
    }
}

/// The recorded answer; of an emptied row, its outcome and how that is known.
fn recorded(row: &Row, sender: Sender) -> Answered<Refunded> {
    let unrecorded =
        || Refunded { trade: RefundTrade::default(), evidence: Evidence::Reply, replayed: true };
    let mut refunded = row.answer.clone().unwrap_or_else(unrecorded);
    refunded.trade.state = refunded.trade.state.or(row.outcome);
    refunded.replayed = sender == Sender::Another;
    Answered { value: refunded, attempts: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trade::{Identifier, OrderRef, TradeState};

    #[test]
    fn an_emptied_row_still_tells_its_outcome_and_how_that_is_known() {
        let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
        let answer = |state, evidence| Refunded {
            trade: RefundTrade { state, ..RefundTrade::default() },
            evidence,
            replayed: false,
        };
        let emptied = Row {
            key: Key { app_id: id("app"), order_id: id("R1") },
            msn: String::new(),
            amount: None,
            original: OrderRef::OrderId(id("P1")),
            business_id: String::new(),
            state: State::Settled,
            epoch: 1,
            lease_until: 0,
            outcome: Some(TradeState::Failed),
            answer: Some(answer(None, Evidence::Query)),
            claimed_at: 0,
            changed_at: 0,
            looks: 0,
            decided: None,
            caller: None,
            now: 0,
        };
        let told = recorded(&emptied, Sender::ThisCall).value;
        assert_eq!(told, answer(Some(TradeState::Failed), Evidence::Query));
    }
}
