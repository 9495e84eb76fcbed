//! Whether a refusal of the trade had to come, and whether it is believed. A refusal is also what
//! the second copy of an executed request gets, so by itself it proves nothing.

use super::seen::{Course, NumberSeen};
use super::total::Total;
use crate::error::Fault;
use crate::ledger::PaymentThen;
use crate::trade::TradeState;

/// Whether the looks before the send show that this refusal had to come for a refund of this
/// amount.
///
/// | refusal | explained by |
/// |---|---|
/// | E22 | what was refunded, by Sunmi's total or by the ledger, leaves less than the amount |
/// | D04, E20, T01 | the payment had ended |
/// | E19 | the payment was not found |
/// | any other | nothing |
///
/// A refund in processing explains nothing by itself, for it may have failed by then: see
/// [`is_used_up`]. Nor does a partial amount
/// explain T13: of two copies of one request the first may have been executed before.
pub(crate) fn is_explained(fault: Fault, payment: &PaymentThen, amount: i64) -> bool {
    let base = match payment {
        PaymentThen::Found(base) => Some(base),
        PaymentThen::NotLooked | PaymentThen::NotFound | PaymentThen::NotShown => None,
    };
    if fault == Fault::RefundAmountWrong {
        let left = base.and_then(|it| it.amount?.checked_sub(it.total.max(it.refunded)));
        left.is_some_and(|left| left < amount)
    } else if fault == Fault::OrderNotFound {
        *payment == PaymentThen::NotFound
    } else {
        let ended =
            [Fault::TransactionEnded, Fault::TransactionNotSupported, Fault::TransactionInvalid];
        ended.contains(&fault) && base.is_some_and(|it| it.state == TradeState::Ended)
    }
}

/// Whether E22 had to come because of refunds that were in processing before the send: together
/// with what was refunded, those that `hold` now, under way or succeeded, leave less than the
/// amount. One that failed since would have left room for the first copy of the request.
pub(crate) fn is_used_up(fault: Fault, payment: &PaymentThen, hold: i64, amount: i64) -> bool {
    let PaymentThen::Found(base) = payment else { return false };
    let used = base.total.max(base.refunded.saturating_add(hold));
    fault == Fault::RefundAmountWrong
        && base.amount.is_some_and(|all| all.saturating_sub(used) < amount)
}

/// Whether what looks show bears an answer out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Belief {
    /// It is true.
    Believed,
    /// This look bears it out, and it takes another one, a lag later.
    LookAgain,
    /// This look does not bear it out.
    Doubt,
}

impl Belief {
    /// A look that bears an answer out by itself, or not; `before` is whether an earlier one did,
    /// at least a lag ago.
    fn of(clean: bool, before: bool) -> Self {
        match (clean, before) {
            (true, true) => Self::Believed,
            (true, false) => Self::LookAgain,
            (false, _) => Self::Doubt,
        }
    }
}

/// Whether a refusal of the trade is believed.
///
/// | explained | baseline | number | total | look by look |
/// |---|---|---|---|---|
/// | yes | there | absent | excludes the amount | believed at once |
/// | yes | none | absent | – | believed at once |
/// | any | there | absent | excludes the amount | believed after two |
/// | any | none | absent or cannot be asked for | – | believed after two |
/// | all else | | | | doubt |
pub(crate) fn believe_refusal(
    explained: bool,
    payment: &PaymentThen,
    (number, total): (NumberSeen, Total),
    before: bool,
) -> Belief {
    let clean = match payment {
        PaymentThen::Found(_) => number == NumberSeen::Absent && total == Total::Excludes,
        PaymentThen::NotLooked | PaymentThen::NotFound | PaymentThen::NotShown => {
            matches!(number, NumberSeen::Absent | NumberSeen::Unanswered)
        }
    };
    let had_to_come = explained && number == NumberSeen::Absent;
    Belief::of(clean, before || had_to_come)
}

/// Whether the answer that a refund failed is believed: after two looks that show its number
/// absent or failed, and that the total excludes the amount, or that the payment cannot be found.
pub(crate) fn believe_failure((number, total): (NumberSeen, Total), before: bool) -> Belief {
    let number = matches!(number, NumberSeen::Absent | NumberSeen::Refund(Course::Failed));
    let total = matches!(total, Total::Excludes | Total::PaymentUnfindable);
    Belief::of(number && total, before)
}

#[cfg(test)]
mod tests;
