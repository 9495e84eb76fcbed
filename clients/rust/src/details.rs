//! What an error says: `TradeError`, and beside it the messages of `google.rpc`.

use std::fmt;
use std::time::Duration;

use prost::{Message, Name};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt, pb};

use crate::v1::{ErrorReason, NextStep, RefundOutcome, TradeError};

/// An error of a call, with its details typed.
#[derive(Clone, Debug)]
pub struct Failure {
    /// gRPC's own code: for people and for other errors than the server's.
    pub code: Code,
    /// gRPC's own message, for people.
    pub message: String,
    /// Absent where the error is not the server's, or its details cannot be read. Then nothing is
    /// known of a refund.
    pub trade_error: Option<TradeError>,
    /// `ErrorInfo`, `RetryInfo`, `BadRequest`, `RequestInfo`, `LocalizedMessage` and `QuotaFailure`.
    pub details: ErrorDetails,
}

impl From<&Status> for Failure {
    fn from(status: &Status) -> Self {
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            trade_error: trade_error(status),
            // Empty where one of them cannot be read.
            details: status.get_error_details(),
        }
    }
}

fn trade_error(status: &Status) -> Option<TradeError> {
    let inner = pb::Status::decode(status.details()).ok()?;
    // Of another code: something on the way replaced the status, and left its details.
    if inner.code != status.code() as i32 {
        return None;
    }
    let details = inner.details;
    let is_it = |url: &str| url.rsplit('/').next() == Some(&TradeError::full_name());
    let found = details.iter().find(|any| is_it(&any.type_url))?;
    TradeError::decode(found.value.as_slice()).ok()
}

impl Failure {
    /// Why the call failed. A number that this version does not know is `Unspecified`, as in the
    /// two below: the stubs' getters do that. [`name`] tells such numbers apart.
    pub fn reason(&self) -> ErrorReason {
        self.trade_error.as_ref().map(TradeError::reason).unwrap_or_default()
    }

    /// What is known of a refund's money: nothing, without a `TradeError`.
    pub fn outcome(&self) -> RefundOutcome {
        self.trade_error.as_ref().map(TradeError::refund_outcome).unwrap_or_default()
    }

    /// What to do next.
    pub fn next_step(&self) -> NextStep {
        self.trade_error.as_ref().map(TradeError::next_step).unwrap_or_default()
    }

    /// How long to wait before the next call. No time is no delay to keep to: calls would follow
    /// each other without a pause.
    pub fn retry_after(&self) -> Option<Duration> {
        self.details.retry_info()?.retry_delay.filter(|delay| !delay.is_zero())
    }

    /// The number of another refund of the payment, which is open.
    pub fn open_number(&self) -> Option<&str> {
        self.details.error_info()?.metadata.get("openOrderId").map(String::as_str)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.code, self.message)?;
        let Some(error) = &self.trade_error else { return f.write_str(" (no TradeError)") };
        let reason = name(error.reason, "ERROR_REASON", ErrorReason::as_str_name);
        let outcome = name(error.refund_outcome, "REFUND_OUTCOME", RefundOutcome::as_str_name);
        let next_step = name(error.next_step, "NEXT_STEP", NextStep::as_str_name);
        write!(f, " ({reason}, {outcome}, {next_step}")?;
        if let Some(words) = &error.sunmi_message {
            write!(f, ", {} {words}", error.sunmi_code.as_deref().unwrap_or_default())?;
        }
        for violation in self.details.bad_request().iter().flat_map(|it| &it.field_violations) {
            write!(f, ", {}: {}", violation.field, violation.description)?;
        }
        for violation in self.details.quota_failure().iter().flat_map(|it| &it.violations) {
            write!(f, ", {}: {}", violation.subject, violation.description)?;
        }
        if let Some(request) = self.details.request_info() {
            write!(f, ", request {}", request.request_id)?;
        }
        f.write_str(")")
    }
}

/// The name of an enum's number; one of a newer server is its prefix and the number, such as
/// `ERROR_REASON_99`.
pub fn name<E: TryFrom<i32>>(number: i32, prefix: &str, name: fn(&E) -> &'static str) -> String {
    E::try_from(number).map_or_else(|_| format!("{prefix}_{number}"), |it| name(&it).to_owned())
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn with(details: Vec<prost_types::Any>) -> Status {
        let status = pb::Status { code: 2, message: String::new(), details };
        Status::with_details(Code::Unknown, "words", status.encode_to_vec().into())
    }

    fn of_a_newer_server() -> TradeError {
        TradeError { reason: 99, next_step: 98, refund_outcome: 97, ..TradeError::default() }
    }

    #[test]
    fn numbers_of_a_newer_server_are_shown_and_settle_nothing() {
        let any = prost_types::Any::from_msg(&of_a_newer_server()).unwrap();
        let failure = Failure::from(&with(vec![any]));
        assert_eq!(failure.outcome(), RefundOutcome::Unspecified);
        assert_eq!(
            failure.to_string(),
            "Unknown: words (ERROR_REASON_99, REFUND_OUTCOME_97, NEXT_STEP_98)"
        );
    }

    #[test]
    fn details_that_cannot_be_read_are_no_trade_error() {
        let type_url = TradeError::type_url();
        let broken = prost_types::Any { type_url, value: vec![0xff] };
        for status in [
            Status::unknown("words"),
            Status::with_details(Code::Unknown, "words", vec![0xff, 0xff].into()),
            with(vec![broken]),
        ] {
            let failure = Failure::from(&status);
            assert_eq!(failure.trade_error, None);
            assert_eq!(failure.to_string(), "Unknown: words (no TradeError)");
        }
    }

    #[test]
    fn a_trade_error_is_read_beside_details_that_cannot_be() {
        let type_url = "type.googleapis.com/google.rpc.RetryInfo".to_owned();
        let broken = prost_types::Any { type_url, value: vec![0xff] };
        let any = prost_types::Any::from_msg(&of_a_newer_server()).unwrap();
        let failure = Failure::from(&with(vec![broken, any]));
        assert_eq!(failure.trade_error, Some(of_a_newer_server()));
        assert_eq!(failure.retry_after(), None);
    }

    #[test]
    fn the_details_beside_it_are_typed() {
        let metadata = HashMap::from([("openOrderId".to_owned(), "R-9".to_owned())]);
        let mut details = ErrorDetails::new();
        details.set_error_info("REFUND_IN_FLIGHT", "sunmi-trade", metadata);
        details.set_retry_info(Some(Duration::from_secs(2)));
        let status = Status::with_error_details(Code::FailedPrecondition, "words", details);
        let failure = Failure::from(&status);
        assert_eq!(failure.open_number(), Some("R-9"));
        assert_eq!(failure.retry_after(), Some(Duration::from_secs(2)));
    }
}
