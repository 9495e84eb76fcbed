//! Judges a run by Sunmi's own books alone: what the ledger and the callers were left with
//! has to be what happened.

use std::time::Duration;

use sunmi_trade::ledger::{Row, State};
use sunmi_trade::sandbox::book::Execution;
use sunmi_trade::trade::TradeState;

use crate::callers::{Call, Told};
use crate::options::Options;
use crate::sent::{Books, Sent, payment_named};

mod calls;
mod rows;
mod sends;

/// What a run left behind.
#[derive(Debug)]
pub struct Left {
    pub options: Options,
    pub books: Books,
    pub rows: Vec<Row>,
    pub calls: Vec<Call>,
    /// What was told, in the end, to who asked again for what stood in the ledger.
    pub repeated: Vec<(Row, Told)>,
    /// Whether the ledger lost commits.
    pub restored: bool,
}

type Verdict = Result<(), String>;

/// What is judged as one number: where callers leave the `app_id` open, whatever it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number(Option<String>, String);

impl Left {
    /// Everything that is not as it should be.
    pub fn faults(&self) -> Vec<String> {
        let sends = (0..self.books.sent.len()).map(|at| self.judge_send(at));
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
        sends.chain(calls).chain(rows).chain(repeated).filter_map(Result::err).collect()
    }

    /// Whether a refund may happen twice, as section 13 of the design says: the ledger lost
    /// commits, and Sunmi does not find refunds by their number, or nobody looks.
    fn is_lost(&self) -> bool {
        let finds = self.options.queryable && !self.options.half_hidden;
        self.restored && !(finds && self.options.look_first)
    }

    fn number(&self, app_id: &str, number: &str) -> Number {
        let app_id = (self.options.app_ids > 1).then(|| app_id.to_owned());
        Number(app_id, number.to_owned())
    }

    fn of_call(&self, call: &Call) -> Number {
        self.number(call.refund.app_id.as_str(), call.refund.order_id.as_str())
    }

    fn of_row(&self, row: &Row) -> Number {
        self.number(row.key.app_id.as_str(), row.key.order_id.as_str())
    }

    fn sends(&self, number: &Number) -> impl Iterator<Item = &Sent> {
        self.books.sent.iter().filter(move |it| self.number(&it.app_id, &it.number) == *number)
    }

    fn calls_of(&self, number: &Number) -> impl Iterator<Item = &Call> {
        self.calls.iter().filter(move |it| self.of_call(it) == *number)
    }

    fn rows_of(&self, number: &Number) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(move |it| self.of_row(it) == *number)
    }

    fn executions<'a>(&'a self, sent: &'a Sent) -> impl Iterator<Item = &'a Execution> {
        sent.executions.iter().map(|at| &self.books.executions[*at])
    }

    /// Whether money moved by this execution. Of one that failed in the end it is as if it had
    /// not been; one that was returned later had moved it.
    fn moved(&self, execution: &Execution) -> bool {
        let failed = self.books.orders[execution.refund].state == "5";
        !failed || execution.returned_at_ms.is_some()
    }

    fn moves(&self, sent: &Sent) -> bool {
        self.executions(sent).any(|it| self.moved(it))
    }

    /// Whether a refund of this content happened, and stands or was returned after it did.
    fn succeeded(&self, number: &Number, payment: &str, amount: i64) -> Verdict {
        let all = || self.sends(number).flat_map(|it| self.executions(it));
        let fits = |it: &Execution| {
            self.moved(it)
                && it.amount == amount
                && payment_named(&it.payment_names.order_id) == payment
        };
        ensure(all().any(fits), || {
            format!("no such refund happened: {:?}", all().collect::<Vec<_>>())
        })
    }

    /// Whether a refund failed, and the money of all that moved under its number is back: Sunmi
    /// shows what was returned as failed.
    fn failed(&self, number: &Number, amount: i64) -> Verdict {
        let stands = |it: &Execution| self.books.orders[it.refund].state != "5";
        let mut all = self.sends(number).flat_map(|it| self.executions(it));
        let moved = all.find(|it| stands(it));
        ensure(moved.is_none() || self.is_lost(), || format!("money moved: {moved:?}"))?;
        let failed = self
            .books
            .orders
            .iter()
            .any(|it| it.order_id == number.1 && it.state == "5" && it.amount == amount);
        ensure(failed, || "none failed".to_owned())
    }

    /// Whether nothing that was sent under the number until then moved money. What was restored may
    /// say that a refund was not applied, of which nobody was told yet, and which was told and sent since:
    /// that is told once more. Whoever repeats it is told what Sunmi has, and sends nothing.
    fn not_applied(&self, number: &Number, until: Duration) -> Verdict {
        if self.restored {
            return Ok(());
        }
        let moved = self.sends(number).find(|it| it.at < until && self.moves(it));
        ensure(moved.is_none(), || format!("money moved: {moved:?}"))
    }
}

/// What [`TradeState`] says of a refund that goes on.
fn goes_on(state: TradeState) -> bool {
    matches!(state, TradeState::Processing | TradeState::Created | TradeState::Unpaid)
}

fn is_open(row: &Row) -> bool {
    matches!(row.state, State::InDoubt | State::Processing)
}

fn ensure(holds: bool, otherwise: impl FnOnce() -> String) -> Verdict {
    if holds { Ok(()) } else { Err(otherwise()) }
}
