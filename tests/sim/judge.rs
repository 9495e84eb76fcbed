//! Judges a run by Sunmi's own books alone: what the ledger and the callers were left with
//! has to be what happened.

use std::time::Duration;

use sunmi_trade::error::{Fault, RefundOutcome};
use sunmi_trade::ledger::{Row, State};
use sunmi_trade::sandbox::book::{Execution, Kind, Order};
use sunmi_trade::trade::{OrderRef, TradeState};

use crate::callers::{Call, Told};
use crate::upstream::Sent;

/// What a run left behind.
pub struct Left {
    pub executions: Vec<Execution>,
    pub orders: Vec<Order>,
    pub sent: Vec<Sent>,
    pub rows: Vec<Row>,
    pub calls: Vec<Call>,
    /// What was told, in the end, to who asked again for what stood in the ledger.
    pub repeated: Vec<(Row, Told)>,
    pub queryable: bool,
}

type Verdict = Result<(), String>;

impl Left {
    /// Everything that is not as it should be.
    pub fn faults(&self) -> Vec<String> {
        let executed = self.executions.iter().map(|it| self.judge_number(&it.order_id));
        let calls = self.calls.iter().map(|call| {
            self.judge_call(call).map_err(|why| {
                let number = call.refund.order_id.as_str();
                format!("{number}: the caller was told {:?}, but {why}: {call:?}", call.told)
            })
        });
        let rows = self.rows.iter().map(|row| {
            self.judge_row(row).map_err(|why| {
                let number = row.key.order_id.as_str();
                format!("{number}: its row is {}, but {why}: {row:?}", row.state.name())
            })
        });
        let repeated = self.repeated.iter().map(|(row, told)| self.judge_repeat(row, *told));
        executed.chain(calls).chain(rows).chain(repeated).filter_map(Result::err).collect()
    }

    /// A refund that failed gave its money back: it is as if it had not been.
    fn judge_number(&self, number: &str) -> Verdict {
        let times = self.refunds(number).filter(|it| it.state != "5").count();
        ensure(times <= 1, || format!("{number}: executed {times} times"))?;
        let known = self.rows.iter().any(|row| row.key.order_id.as_str() == number);
        ensure(known, || format!("{number}: executed, and the ledger does not know it"))
    }

    fn judge_call(&self, call: &Call) -> Verdict {
        match call.told {
            Told::Nothing => Ok(()),
            Told::Panic => Err("nothing should panic".to_owned()),
            Told::Refunded(TradeState::Succeeded) => self.judge_success(call),
            Told::Refunded(TradeState::Failed) => {
                self.is_as(call.refund.order_id.as_str(), call.refund.amount, "5")
            }
            // Sunmi accepted it, and has still to say how it ends.
            Told::Refunded(TradeState::Processing | TradeState::Created | TradeState::Unpaid) => {
                ensure(self.sends_before(call).next().is_some(), || "it was never sent".to_owned())
            }
            Told::Refunded(TradeState::Ended) => Err("no refund ends so".to_owned()),
            Told::Failed(fault, outcome) => match outcome {
                RefundOutcome::Unknown => Ok(()),
                RefundOutcome::NotApplied => {
                    let moved = self.sends_before(call).any(|sent| self.moved_money(sent));
                    ensure(!moved, || "an earlier send moved money".to_owned())
                }
                RefundOutcome::NotAttempted => self.judge_not_attempted(call, fault),
            },
        }
    }

    fn judge_success(&self, call: &Call) -> Verdict {
        let number = call.refund.order_id.as_str();
        self.is_as(number, call.refund.amount, "3")?;
        let all = || self.executions.iter().filter(|it| it.order_id == number);
        let of = all().any(|it| it.original == call.payment);
        ensure(of, || "another payment was refunded".to_owned())?;
        let moved = self.sends_before(call).any(|sent| {
            self.moved_money(sent) && sent.executed.is_some_and(|it| it.at <= call.ended)
        });
        ensure(moved, || "it was executed only later".to_owned())
    }

    /// This call sent nothing. Others with this number may have.
    fn judge_not_attempted(&self, call: &Call, fault: Fault) -> Verdict {
        let others = || {
            let number = &call.refund.order_id;
            self.calls.iter().filter(move |it| {
                let earlier = it.started <= call.ended && !std::ptr::eq(*it, call);
                it.refund.order_id == *number && earlier
            })
        };
        if fault == Fault::RefundOrderIdReused {
            let differs = others().any(|it| it.refund != call.refund);
            return ensure(differs, || "nobody used the number with other content".to_owned());
        }
        let quiet = others().all(|it| it.ended + Duration::from_secs(60) < call.started);
        let sent = self.sends_before(call).any(|sent| sent.at >= call.started);
        ensure(!quiet || !sent, || "it sent".to_owned())
    }

    fn judge_row(&self, row: &Row) -> Verdict {
        let number = row.key.order_id.as_str();
        let Some(amount) = row.amount else { return Err("it is empty".to_owned()) };
        match (row.state, row.outcome) {
            (State::Claimed, _) => Err("its lease is long over".to_owned()),
            (State::NotApplied, _) => {
                let moved = self.refunds(number).any(|it| it.state != "5");
                ensure(!moved, || "money moved".to_owned())
            }
            (State::Settled, Some(TradeState::Succeeded)) => self.is_as(number, amount, "3"),
            (State::Settled, Some(TradeState::Failed)) => self.is_as(number, amount, "5"),
            (State::Settled, outcome) => Err(format!("with {outcome:?}")),
            (State::Processing, _) => {
                let told = self.shown(number).is_some_and(|it| tells(it, row, amount));
                ensure(!told, || "Sunmi would tell how it ended".to_owned())
            }
            (State::InDoubt, _) => self.judge_doubt(row, amount),
        }
    }

    /// What is left in doubt must be what the rules leave to a person.
    fn judge_doubt(&self, row: &Row, amount: i64) -> Verdict {
        let number = row.key.order_id.as_str();
        if let Some(shown) = self.shown(number) {
            let told = tells(shown, row, amount);
            return ensure(!told, || "Sunmi would show it by its number".to_owned());
        }
        let known: i64 = self
            .rows
            .iter()
            .filter(|it| it.original == row.original && it.state == State::Settled)
            .filter(|it| it.outcome == Some(TradeState::Succeeded))
            .filter_map(|it| it.amount)
            .sum();
        let total = self.payment(&row.original).map(|payment| payment.refunded);
        ensure(total != Some(known), || "the payment's total shows that it never happened".into())
    }

    /// What is known is told again; what is known not to have happened is tried again.
    fn judge_repeat(&self, row: &Row, told: Told) -> Verdict {
        let number = row.key.order_id.as_str();
        let holds = match (row.state, told) {
            (State::Settled, Told::Refunded(state)) => row.outcome == Some(state),
            (State::NotApplied, Told::Refunded(TradeState::Succeeded)) => true,
            (
                State::NotApplied,
                Told::Failed(_, RefundOutcome::NotApplied | RefundOutcome::NotAttempted),
            ) => true,
            // Refused, and looked for: what was found may be of an earlier attempt.
            (State::NotApplied, Told::Failed(Fault::RefundOutcomeUnknown, _)) => {
                self.shown(number).is_some_and(|it| it.state == "5")
            }
            (State::Processing, Told::Refunded(TradeState::Processing | TradeState::Created)) => {
                true
            }
            (State::InDoubt, Told::Failed(Fault::RefundOutcomeUnknown, _)) => true,
            _ => false,
        };
        ensure(holds, || format!("{number}: asked for again, it was told {told:?}: {row:?}"))
    }

    /// Whether a refund of this number and amount is in this state, and all others failed.
    fn is_as(&self, number: &str, amount: i64, state: &str) -> Verdict {
        let fits = |it: &&Order| it.amount == amount && it.state == state;
        let fitting = self.refunds(number).filter(fits).count();
        let not_failed = self.refunds(number).filter(|it| it.state != "5").count();
        let holds = fitting >= 1 && not_failed == usize::from(state != "5");
        ensure(holds, || {
            let all: Vec<_> = self.refunds(number).collect();
            format!("not in state {state} with {amount}: {all:?}")
        })
    }

    /// What a query by the refund's number shows in the end: of several the latest.
    fn shown(&self, number: &str) -> Option<&Order> {
        self.refunds(number).last().filter(|_| self.queryable)
    }

    fn refunds(&self, number: &str) -> impl Iterator<Item = &Order> {
        self.orders.iter().filter(move |it| it.kind == Kind::Refund && it.order_id == number)
    }

    fn moved_money(&self, sent: &Sent) -> bool {
        sent.executed.is_some_and(|it| self.orders[it.order].state != "5")
    }

    fn payment(&self, original: &OrderRef) -> Option<&Order> {
        let fits = |it: &&Order| match original {
            OrderRef::MisId(id) => it.mis_id == id.as_str(),
            OrderRef::OrderId(id) => it.order_id == id.as_str(),
            OrderRef::PlatformId(id) => it.platform_id == id.as_str(),
        };
        self.orders.iter().filter(|it| it.kind == Kind::Payment).find(fits)
    }

    /// What was sent under the number of this call before the call was answered.
    fn sends_before(&self, call: &Call) -> impl Iterator<Item = &Sent> {
        let (number, ended) = (call.refund.order_id.clone(), call.ended);
        self.sent.iter().filter(move |it| it.number == number.as_str() && it.at < ended)
    }
}

/// Whether this order tells what became of a row's refund. A failed one may be of an earlier
/// claim, and tells nothing of a later one.
fn tells(shown: &Order, row: &Row, amount: i64) -> bool {
    shown.amount == amount && (shown.state != "5" || row.epoch == 1)
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}
