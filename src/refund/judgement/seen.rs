//! What a look at a refund's number, or at a payment, shows.

use crate::error::{Accepted, Error, Fault};
use crate::sunmi::Answered;
use crate::trade::{OrderRef, OrderType, PaymentNames, Refund, Trade, TradeState};

/// What a query by a refund's number shows.
///
/// | answer | shows |
/// |---|---|
/// | E19 | absent |
/// | a refund of the amount | a refund, in its state |
/// | no type or no amount that can be read, or another original | unclear |
/// | a payment, or another amount | another order |
/// | another code of Sunmi's, success without data | unanswered |
/// | D01 without data: it is being processed, whatever it is | cannot be read |
/// | all else | cannot be read: [`can_be_read`] |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NumberSeen {
    /// There is no such order.
    Absent,
    /// A refund of the amount asked for.
    Refund(Course),
    /// It may be a refund of that amount; its type or amount is not told.
    Unclear,
    /// Another order.
    Other,
    /// Sunmi does not say: it cannot be asked for by this number.
    Unanswered,
}

/// How a refund that was found stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Course {
    Succeeded,
    UnderWay,
    Failed,
    /// In a state that no refund has, or in none.
    Odd,
}

impl Course {
    pub(crate) fn of(state: Option<TradeState>) -> Self {
        match state {
            Some(TradeState::Succeeded) => Self::Succeeded,
            Some(TradeState::Failed) => Self::Failed,
            Some(TradeState::Created | TradeState::Unpaid | TradeState::Processing) => {
                Self::UnderWay
            }
            Some(TradeState::Ended) | None => Self::Odd,
        }
    }
}

/// What a query for a payment shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PaymentSeen {
    /// There is no such payment: face payments may not be found by query.
    NotFound,
    /// Sunmi does not say, or what it has is no payment.
    NotShown,
    /// There it is.
    Found(PaymentFacts),
}

/// What is seen of a payment. Amounts are in minor units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaymentFacts {
    /// The total refunded of it.
    pub(crate) total: Option<i64>,
    /// Its state.
    pub(crate) state: TradeState,
    /// Its amount.
    pub(crate) amount: Option<i64>,
    /// Its names.
    pub(crate) names: PaymentNames,
}

type Look = Result<Answered<Trade>, Error>;

/// The refund that a look by its number is for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked<'a> {
    /// How much, in minor units.
    pub(crate) amount: i64,
    /// The payment, by the name that the request gave.
    pub(crate) original: &'a OrderRef,
}

impl<'a> From<&'a Refund> for Asked<'a> {
    fn from(refund: &'a Refund) -> Self {
        Self { amount: refund.amount, original: &refund.original }
    }
}

/// What a look by the number of this refund shows; `None` if it cannot be read.
pub(crate) fn number(refund: &Asked<'_>, look: &Look) -> Option<NumberSeen> {
    let found = match look {
        Ok(found) => &found.value,
        Err(error) if error.fault() == Fault::OrderNotFound => return Some(NumberSeen::Absent),
        Err(error) => return can_be_read(error).then_some(NumberSeen::Unanswered),
    };
    Some(match (found.order_type, found.amount) {
        (None, None) if found.state == Some(TradeState::Processing) => return None,
        (Some(OrderType::Payment), _) => NumberSeen::Other,
        (_, Some(other)) if other != refund.amount => NumberSeen::Other,
        _ if names_another_original(refund, found) => NumberSeen::Unclear,
        (Some(OrderType::Refund), Some(_)) => NumberSeen::Refund(Course::of(found.state)),
        (None, _) | (_, None) => NumberSeen::Unclear,
    })
}

/// What a look at the payment of this name shows; `None` if it cannot be read, or is an answer
/// about another payment.
pub(crate) fn payment(asked: &OrderRef, look: &Look) -> Option<PaymentSeen> {
    let found = match look {
        Ok(found) => &found.value,
        Err(error) if error.fault() == Fault::OrderNotFound => return Some(PaymentSeen::NotFound),
        Err(error) => return can_be_read(error).then_some(PaymentSeen::NotShown),
    };
    if !is_named(asked, found) {
        return None;
    }
    Some(match (found.order_type, found.state) {
        (Some(OrderType::Payment), Some(state)) => PaymentSeen::Found(PaymentFacts {
            total: found.refunded,
            state,
            amount: found.amount,
            names: PaymentNames::from(found),
        }),
        (Some(OrderType::Payment | OrderType::Refund) | None, _) => PaymentSeen::NotShown,
    })
}

/// Whether what was found names another payment as its original. The document has no such field
/// in the answer to a query, but what is there is not to be passed over.
fn names_another_original(refund: &Asked<'_>, found: &Trade) -> bool {
    let (field, asked) = match refund.original {
        OrderRef::MisId(id) => ("oriMisId", id),
        OrderRef::OrderId(id) => ("oriOrderId", id),
        OrderRef::PlatformId(id) => ("oriPlatformId", id),
    };
    let named = found.unrecognized.get(field).filter(|name| !name.is_empty());
    named.is_some_and(|name| name != asked.as_str())
}

/// Whether what was found does not name another order than the one asked for.
fn is_named(asked: &OrderRef, found: &Trade) -> bool {
    let (name, asked) = match asked {
        OrderRef::MisId(id) => (&found.mis_id, id),
        OrderRef::OrderId(id) => (&found.order_id, id),
        OrderRef::PlatformId(id) => (&found.platform_id, id),
    };
    name.as_ref().is_none_or(|name| name == asked.as_str())
}

/// Whether a look that failed says anything about the order: Sunmi answered it, with a code that
/// is neither of its own weather nor of who asks, or with success and no data.
pub(crate) fn can_be_read(error: &Error) -> bool {
    match error.fault() {
        Fault::UpstreamReplyUnreadable => error.context().accepted == Some(Accepted::WithoutData),
        Fault::ServiceUnavailable
        | Fault::SignatureRejected
        | Fault::AlipayRefundCallFailed
        | Fault::IpIllegal
        | Fault::TooManyRequests
        | Fault::SystemError
        | Fault::RequestInvalid
        | Fault::UpstreamUnreachable
        | Fault::UpstreamInterrupted
        | Fault::UpstreamHttpUnavailable
        | Fault::UpstreamHttpThrottled
        | Fault::UpstreamHttpRefused
        | Fault::UpstreamHttpOther
        | Fault::DeadlineExceeded
        | Fault::Overloaded
        | Fault::LedgerUnavailable
        | Fault::LedgerUnread
        | Fault::RefundNotFound
        | Fault::RefundOrderIdReused
        | Fault::RefundInFlight
        | Fault::RefundNotApplied
        | Fault::RefundOutcomeUnknown
        | Fault::CallerUnauthenticated
        | Fault::CallerNotAllowed
        | Fault::Internal => false,
        Fault::InsufficientAuthorization
        | Fault::ParameterMissing
        | Fault::ServerParameterMissing
        | Fault::ParameterIllegal
        | Fault::TransactionEnded
        | Fault::MerchantNotFound
        | Fault::OrderNumberIllegal
        | Fault::OrderNotFound
        | Fault::TransactionNotSupported
        | Fault::RefundAmountWrong
        | Fault::DeviceLacksAlipayAuthorization
        | Fault::AlipayAuthorizationMissing
        | Fault::MerchantIllegal
        | Fault::ParameterRequired
        | Fault::ServerParameterRequired
        | Fault::NotARefundOrder
        | Fault::ParameterMalformed
        | Fault::VendorIllegal
        | Fault::PaymentChannelNotOpened
        | Fault::TransactionInvalid
        | Fault::SameDayPartialRefundNotSupported
        | Fault::SunmiCodeUnrecognized => true,
    }
}

#[cfg(test)]
mod tests;
