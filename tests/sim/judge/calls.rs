//! What callers were told.

use sunmi_trade::error::{Fault, RefundOutcome};
use sunmi_trade::ledger::{Row, State};
use sunmi_trade::trade::TradeState;

use super::{Left, Verdict, ensure, goes_on};
use crate::callers::{Call, Told};

impl Left {
    pub(super) fn judge_call(&self, call: &Call) -> Verdict {
        let number = &self.of_call(call);
        let amount = call.refund.amount;
        match call.told {
            Told::Nothing => Ok(()),
            Told::Panic => Err("nothing should panic".to_owned()),
            Told::Refunded(TradeState::Succeeded) => {
                self.is_bound(call)?;
                self.succeeded(number, &call.payment, amount)?;
                let before = self.sends(number).any(|it| it.at < call.ended && self.moves(it));
                ensure(before, || "it was sent only later".to_owned())
            }
            Told::Refunded(TradeState::Failed) => {
                self.is_bound(call)?;
                self.failed(number, amount)
            }
            // Sunmi accepted it, and has still to say how it ends.
            Told::Refunded(state) if goes_on(state) => {
                self.is_bound(call)?;
                let very = |it: &&crate::sent::Sent| {
                    (it.amount, &it.payment) == (amount, &call.payment) && it.at < call.ended
                };
                let sent = self.sends(number).any(|it| very(&it));
                ensure(sent, || "this refund was never sent".to_owned())
            }
            Told::Refunded(_) => Err("no refund ends so".to_owned()),
            Told::Failed(_, RefundOutcome::Unknown) => Ok(()),
            Told::Failed(_, RefundOutcome::NotApplied) => {
                self.is_bound(call)?;
                self.not_applied(number, call.ended)
            }
            Told::Failed(fault, RefundOutcome::NotAttempted) => {
                self.sent_nothing(call)?;
                if fault == Fault::RefundOrderIdReused {
                    self.is_reused(call)
                } else if fault == Fault::RefundInFlight {
                    self.is_in_flight(call)
                } else {
                    Ok(())
                }
            }
        }
    }

    /// Whatever is told of a refund is told of the content that its number is bound to.
    fn is_bound(&self, call: &Call) -> Verdict {
        let number = self.of_call(call);
        let hash = call.refund.content_hash();
        let mut rows = self.rows_of(&number);
        let bound = rows.any(|row| row.content_hash.as_ref() == Some(&hash));
        // A connection that could not be made is told of, too, where no row came to be.
        let nothing = matches!(call.told, Told::Failed(Fault::UpstreamUnreachable, _));
        ensure(bound || nothing || self.restored, || {
            "its number is bound to other content".to_owned()
        })
    }

    /// This call sent nothing, then or later. Others with this number may have.
    fn sent_nothing(&self, call: &Call) -> Verdict {
        let sent = self.books.sent.iter().find(|it| it.by.as_ref() == Some(&call.name));
        ensure(sent.is_none(), || format!("it sent: {sent:?}"))
    }

    fn is_reused(&self, call: &Call) -> Verdict {
        let number = self.of_call(call);
        let hash = call.refund.content_hash();
        let differs = |row: &Row| row.content_hash.as_ref() != Some(&hash);
        let elsewhere = self.rows_of(&number).any(differs);
        let before = self.books.used_before.contains(&number.1);
        ensure(elsewhere || before || self.restored, || {
            "nobody used the number with other content".to_owned()
        })
    }

    fn is_in_flight(&self, call: &Call) -> Verdict {
        let Some(open) = &call.open else { return Ok(()) };
        let used = self.calls.iter().any(|it| {
            it.refund.order_id.as_str() == open
                && it.started <= call.ended
                && it.payment == call.payment
                && it.name != call.name
        });
        ensure(used, || "nobody used that number for this payment".to_owned())
    }

    /// What is known is told again.
    pub(super) fn judge_repeat(&self, row: &Row, told: Told) -> Verdict {
        let holds = match (row.state, told) {
            (State::Settled, Told::Refunded(state)) => row.outcome == Some(state),
            (State::Settled, _) => self.options.exchanged,
            (_, Told::Nothing | Told::Panic) => false,
            _ => true,
        };
        let number = row.key.order_id.as_str();
        ensure(holds, || format!("{number}: asked for again, it was told {told:?}: {row:?}"))
    }

    /// The calls that had no definite answer in time.
    pub fn indefinite(&self) -> Vec<String> {
        let definite = |call: &Call| match call.told {
            Told::Refunded(_) | Told::Failed(_, RefundOutcome::NotApplied) => true,
            Told::Failed(fault, _) => fault == Fault::RefundOrderIdReused,
            Told::Nothing | Told::Panic => false,
        };
        let in_time = |call: &Call| call.ended - call.started <= call.deadline;
        let calls = self.calls.iter().filter(|it| !definite(it) || !in_time(it));
        calls.map(|call| format!("without a definite answer in time: {call:?}")).collect()
    }
}
