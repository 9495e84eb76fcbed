//! What an answer proves of a refund. Pure judgements.

use crate::error::{Error, OnRefund};
use crate::sunmi::Answered;
use crate::trade::{Evidence, OrderType, Refund, RefundTrade, Refunded, Trade, TradeState};

/// What the answer to a refund call says of the refund.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is finished: it succeeded, or it failed.
    Settled(Refunded),
    /// Sunmi accepted it and has not finished.
    Processing(Refunded),
    /// It was not executed.
    Refused(Error),
    /// It was refused, in a way in which the second execution of one refund would be, too.
    Look(Error),
    /// It may have been executed.
    Doubt(Error),
}

/// Judges the answer to a refund call.
pub(super) fn judge(
    refund: &Refund,
    answer: Result<Answered<RefundTrade>, Error>,
) -> (Verdict, u32) {
    match answer {
        Ok(Answered { value, attempts }) => (judge_acceptance(refund, value, attempts), attempts),
        Err(error) => {
            let attempts = error.context().attempts.unwrap_or_default();
            let verdict = match error.fault().row().on_refund {
                OnRefund::NotApplied | OnRefund::NotAttempted => Verdict::Refused(error),
                OnRefund::Look => Verdict::Look(error),
                OnRefund::Unknown => Verdict::Doubt(error.into_refund_outcome_unknown()),
            };
            (verdict, attempts)
        }
    }
}

/// An accepted refund is this one if its type is absent or a refund, and its amount absent
/// or the one asked for. The answer's order number proves nothing: the document's sample
/// does not echo it.
fn judge_acceptance(refund: &Refund, trade: RefundTrade, attempts: u32) -> Verdict {
    let is_it = !trade.doubtful
        && matches!(trade.order_type, None | Some(OrderType::Refund))
        && trade.amount.is_none_or(|amount| amount == refund.amount);
    let progress = progress(trade.state).filter(|_| is_it);
    let refunded = Refunded { trade, evidence: Evidence::Reply, replayed: false };
    match progress {
        Some(Progress::Finished) => Verdict::Settled(refunded),
        Some(Progress::UnderWay) => Verdict::Processing(refunded),
        None => Verdict::Doubt(
            Error::refund_outcome_unknown(
                "Sunmi accepted the call, but its answer is not of this refund",
            )
            .with(|context| context.attempts = Some(attempts)),
        ),
    }
}

/// What was found under a refund's number.
#[derive(Debug)]
pub(super) enum Found {
    /// This refund, finished.
    Settled(Refunded),
    /// This refund, accepted and not finished.
    Processing(Refunded),
    /// Nothing that proves anything, for this reason.
    Nothing(&'static str),
}

/// Judges what was found under the number of a refund, when its claim was the one of `epoch`.
/// It is this refund if type and amount are there and agree. A failed one, though, may be
/// what Sunmi kept of an earlier claim, and the refund of this claim stand beside it: so it
/// proves something of the first claim alone.
pub(super) fn judge_found(amount: i64, epoch: i64, found: Trade) -> Found {
    let is_it = found.order_type == Some(OrderType::Refund) && found.amount == Some(amount);
    let failed = found.state == Some(TradeState::Failed);
    let progress = progress(found.state).filter(|_| is_it);
    let refunded = Refunded { trade: found.into(), evidence: Evidence::Query, replayed: false };
    match progress {
        Some(Progress::Finished) if failed && epoch > 1 => {
            Found::Nothing("a failed refund was found, which may be of an earlier attempt")
        }
        Some(Progress::Finished) => Found::Settled(refunded),
        Some(Progress::UnderWay) => Found::Processing(refunded),
        None => Found::Nothing("something else was found under the refund's number"),
    }
}

/// How far a refund in this state is.
enum Progress {
    UnderWay,
    Finished,
}

/// A refund is never in the state "ended", nor in none.
fn progress(state: Option<TradeState>) -> Option<Progress> {
    match state {
        Some(TradeState::Succeeded | TradeState::Failed) => Some(Progress::Finished),
        Some(TradeState::Created | TradeState::Unpaid | TradeState::Processing) => {
            Some(Progress::UnderWay)
        }
        Some(TradeState::Ended) | None => None,
    }
}

/// Whether a payment's total shows that nothing but what is known was refunded of it: it is a
/// payment, succeeded, and its total is there and equal to what is known.
pub(super) fn total_is_known(original: &Trade, known: i64) -> bool {
    original.order_type == Some(OrderType::Payment)
        && original.state == Some(TradeState::Succeeded)
        && original.refunded == Some(known)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(state: TradeState) -> Trade {
        Trade {
            amount: Some(100),
            order_type: Some(OrderType::Refund),
            state: Some(state),
            ..Trade::default()
        }
    }

    /// What it comes to, in a word.
    fn summary(found: &Found) -> &'static str {
        match found {
            Found::Settled(_) => "settled",
            Found::Processing(_) => "processing",
            Found::Nothing(_) => "nothing",
        }
    }

    #[test]
    fn a_failed_refund_that_is_found_proves_something_of_a_first_claim_alone() {
        let table = [
            (TradeState::Succeeded, ["settled", "settled"]),
            (TradeState::Processing, ["processing", "processing"]),
            (TradeState::Created, ["processing", "processing"]),
            (TradeState::Unpaid, ["processing", "processing"]),
            (TradeState::Failed, ["settled", "nothing"]),
            (TradeState::Ended, ["nothing", "nothing"]),
        ];
        for (state, expected) in table {
            let judged = [1, 2].map(|epoch| summary(&judge_found(100, epoch, found(state))));
            assert_eq!(judged, expected, "{state:?}");
        }
    }
}
