//! What many runs came to, in numbers.

use sunmi_trade::error::RefundOutcome;
use sunmi_trade::ledger::State;

use crate::Run;
use crate::callers::Told;

#[derive(Debug, Default)]
pub struct Sum {
    pub runs: usize,
    pub refunds: usize,
    pub sends: usize,
    pub executions: usize,
    pub calls: usize,
    pub told_done: usize,
    pub told_not_applied: usize,
    pub told_not_attempted: usize,
    pub told_unknown: usize,
    pub settled: usize,
    pub not_applied: usize,
    pub for_persons: usize,
    pub deaths: usize,
    pub suspensions: usize,
}

impl Sum {
    pub const HEAD: &str = "| what goes wrong | runs | refunds | sent | executed | told done | told \
        NOT_APPLIED | told NOT_ATTEMPTED | told UNKNOWN | for persons |";

    pub fn add(&mut self, Run { left, trace }: &Run) {
        let told = |outcome| {
            let is = |told| matches!(told, Told::Failed(_, it) if it == outcome);
            left.calls.iter().filter(|call| is(call.told)).count()
        };
        let rows = |state| left.rows.iter().filter(|row| row.state == state).count();
        let lines = |what: &str| trace.iter().filter(|line| line.contains(what)).count();
        self.runs += 1;
        self.refunds += left.rows.len();
        self.sends += left.books.sent.len();
        self.executions += left.books.executions.len();
        self.calls += left.calls.len();
        self.told_done +=
            left.calls.iter().filter(|it| matches!(it.told, Told::Refunded(_))).count();
        self.told_not_applied += told(RefundOutcome::NotApplied);
        self.told_not_attempted += told(RefundOutcome::NotAttempted);
        self.told_unknown += told(RefundOutcome::Unknown);
        self.settled += rows(State::Settled);
        self.not_applied += rows(State::NotApplied);
        self.for_persons += left.for_persons().count();
        self.deaths += lines(": dies ");
        self.suspensions += lines(": is suspended ");
    }

    /// One row of the table in the documentation.
    pub fn row(&self, name: &str) -> String {
        format!(
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
            self.runs,
            self.refunds,
            self.sends,
            self.executions,
            self.told_done,
            self.told_not_applied,
            self.told_not_attempted,
            self.told_unknown,
            self.for_persons,
        )
    }
}
