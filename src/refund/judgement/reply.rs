//! What the answer to the refund call proves.

use super::seen::Course;
use crate::error::{Error, Fault, OnRefund};
use crate::sunmi::Answered;
use crate::trade::{Evidence, OrderRef, OrderType, Refund, RefundTrade, Refunded};

/// What the answer to a refund call says of the refund.
///
/// | answer | verdict |
/// |---|---|
/// | success in state 3, and nothing contradicts | succeeded |
/// | success in state 1 or 2, D01, and nothing contradicts | processing |
/// | success in state 5, and nothing contradicts | failed, once looks bear it out |
/// | success that contradicts, or in no such state | doubt |
/// | a refusal of the account or the deployment | refused |
/// | a refusal of the trade; a code that the operator calls a refusal | refused, once looks bear it out |
/// | no connection was made, or time was over before the first byte | not sent |
/// | anything else, an HTTP error without a readable envelope among it | doubt |
///
/// An answer contradicts if its type is not a refund, its amount another one, or its original,
/// of the kind that was asked by, another one; each only where it is there.
#[derive(Debug)]
pub(crate) enum Verdict {
    Succeeded(Refunded),
    Processing(Refunded),
    Failed(Refunded),
    Refused(Error),
    RefusedTrade(Error),
    NotSent(Error),
    Doubt(Error),
}

/// Judges the answer to a refund call. `refused_codes` are codes that the operator calls refusals.
pub(crate) fn judge(
    refund: &Refund,
    answer: Result<Answered<RefundTrade>, Error>,
    refused_codes: &[String],
) -> Verdict {
    match answer {
        Ok(answer) => judge_acceptance(refund, answer.value),
        Err(error) => judge_error(error, refused_codes),
    }
}

fn judge_acceptance(refund: &Refund, trade: RefundTrade) -> Verdict {
    if let Some(what) = contradiction(refund, &trade) {
        return Verdict::Doubt(accepted(what));
    }
    let course = Course::of(trade.state);
    let refunded = Refunded { trade, evidence: Evidence::Reply, replayed: false };
    match course {
        Course::Succeeded => Verdict::Succeeded(refunded),
        Course::UnderWay => Verdict::Processing(refunded),
        Course::Failed => Verdict::Failed(refunded),
        Course::Odd => {
            Verdict::Doubt(accepted("Sunmi accepted the call, in a state that no refund has"))
        }
    }
}

fn accepted(what: &'static str) -> Error {
    Error::refund_outcome_unknown(what)
        .with(|context| context.accepted = Some(crate::error::Accepted::Unusable))
}

/// In which field an answer is not of this refund, if it is not. Its order number proves nothing:
/// the document's sample does not echo it. Nor does its business number, which the document
/// describes differently in request and answer.
fn contradiction(refund: &Refund, trade: &RefundTrade) -> Option<&'static str> {
    let other =
        |name: &Option<String>, asked: &str| name.as_ref().is_some_and(|name| name != asked);
    let other_original = match &refund.original {
        OrderRef::MisId(id) => other(&trade.ori_mis_id, id.as_str()),
        OrderRef::OrderId(id) => other(&trade.ori_order_id, id.as_str()),
        // The answer has no such field.
        OrderRef::PlatformId(_) => false,
    };
    if trade.doubtful {
        Some("Sunmi accepted the call, but its answer does not tell of what refund it is")
    } else if trade.order_type == Some(OrderType::Payment) {
        Some("Sunmi accepted the call, but its answer is of a payment (orderType)")
    } else if trade.amount.is_some_and(|amount| amount != refund.amount) {
        Some("Sunmi accepted the call, but its answer is of another amount (amount)")
    } else if other_original {
        Some("Sunmi accepted the call, but its answer is of another payment (oriMisId, oriOrderId)")
    } else {
        None
    }
}

fn judge_error(error: Error, refused_codes: &[String]) -> Verdict {
    match (error.fault(), error.fault().row().on_refund) {
        (Fault::UpstreamUnreachable, _) | (_, OnRefund::NotAttempted) => Verdict::NotSent(error),
        (_, OnRefund::NotApplied) => Verdict::Refused(error),
        (_, OnRefund::Look) => Verdict::RefusedTrade(error),
        (Fault::SunmiCodeUnrecognized, _) if is_refused(&error, refused_codes) => {
            Verdict::RefusedTrade(error)
        }
        (_, OnRefund::Unknown) => Verdict::Doubt(error.into_refund_outcome_unknown()),
    }
}

fn is_refused(error: &Error, refused_codes: &[String]) -> bool {
    error.context().sunmi.as_ref().is_some_and(|words| refused_codes.contains(&words.code))
}

#[cfg(test)]
mod tests;
