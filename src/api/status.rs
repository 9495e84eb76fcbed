//! From [`Error`] to a gRPC status with its details: the only maker of statuses.

use std::collections::HashMap;
use std::time::Duration;

use prost::Message;
use prost_types::Any;
use tonic::{Code, Status};
use tonic_types::pb as rpc;

use super::pb;
use crate::error::{self, DayBound, Error, NextStep, RefundOutcome, Row, Violation};
use crate::trade::Method;

/// Text of Sunmi's is cut to this many bytes, so that all trailers together stay under
/// 6 KiB: gRPC's C core drops what is above 8 to 16 KiB, and with it the status.
const MAX_TEXT: usize = 256;

/// So many violations are listed at most.
const MAX_VIOLATIONS: usize = 20;

/// The wait that is advised where Sunmi asked for none.
const RETRY_DELAY: Duration = Duration::from_secs(1);

/// The domain of `google.rpc.ErrorInfo`.
const DOMAIN: &str = "sunmi-trade";

/// The status that tells the caller of this error.
pub(super) fn status(error: &Error, method: Method, request_id: &str) -> Status {
    let row = error.fault().row();
    let code = code(row.code);
    let details = rpc::Status {
        code: code.into(),
        message: row.message.to_owned(),
        details: details(error, method, request_id),
    };
    Status::with_details(code, row.message, details.encode_to_vec().into())
}

fn details(error: &Error, method: Method, request_id: &str) -> Vec<Any> {
    let (row, context) = (error.fault().row(), error.context());
    let mut details = vec![
        any("sunmi.trade.v1.TradeError", &trade_error(error, method)),
        any("google.rpc.ErrorInfo", &error_info(error, method)),
        any(
            "google.rpc.RequestInfo",
            &rpc::RequestInfo { request_id: request_id.to_owned(), ..Default::default() },
        ),
    ];
    if row.retry_info {
        let delay = context.retry_after.unwrap_or(RETRY_DELAY).max(RETRY_DELAY);
        let retry_delay = prost_types::Duration::try_from(delay).ok();
        details.push(any("google.rpc.RetryInfo", &rpc::RetryInfo { retry_delay }));
    }
    if !context.violations.is_empty() {
        details.push(any("google.rpc.BadRequest", &bad_request(&context.violations)));
    }
    if let Some(bound) = &context.day_bound {
        details.push(any("google.rpc.QuotaFailure", &quota_failure(bound)));
    }
    if let Some(words) = context.sunmi.as_ref().filter(|words| !words.message.is_empty()) {
        let message = rpc::LocalizedMessage {
            locale: "zh-CN".to_owned(),
            message: cut(&words.message).to_owned(),
        };
        details.push(any("google.rpc.LocalizedMessage", &message));
    }
    details
}

/// What a machine is told of this error.
pub(super) fn trade_error(error: &Error, method: Method) -> pb::TradeError {
    let words = error.context().sunmi.as_ref();
    let row = error.fault().row();
    pb::TradeError {
        reason: reason(&row).into(),
        sunmi_code: words.map(|words| cut(&words.code).to_owned()),
        sunmi_message: words
            .filter(|words| !words.message.is_empty())
            .map(|words| cut(&words.message).to_owned()),
        next_step: next_step(row.next_step).into(),
        refund_outcome: outcome(error, method)
            .map_or(pb::RefundOutcome::Unspecified, refund_outcome)
            .into(),
    }
}

fn error_info(error: &Error, method: Method) -> rpc::ErrorInfo {
    let context = error.context();
    let mut metadata = HashMap::from([("operation".to_owned(), method.name().to_owned())]);
    if let Some(words) = &context.sunmi {
        metadata.insert("sunmiCode".to_owned(), cut(&words.code).to_owned());
    }
    if let Some(status) = context.http_status {
        metadata.insert("httpStatus".to_owned(), status.to_string());
    }
    if let Some(attempts) = context.attempts {
        metadata.insert("attempts".to_owned(), attempts.to_string());
    }
    if let Some(outcome) = outcome(error, method) {
        metadata.insert("refundOutcome".to_owned(), outcome.name().to_owned());
    }
    if let Some(open) = &context.open_order_id {
        metadata.insert("openOrderId".to_owned(), open.clone());
    }
    if let Some(bound) = &context.day_bound {
        metadata.insert("maxRefundPerDayMinor".to_owned(), bound.most.to_string());
        metadata.insert("leftMinor".to_owned(), bound.left.to_string());
        if let Some(time) = bound.resets_at {
            metadata.insert("resetsAt".to_owned(), time.to_string());
        }
    }
    rpc::ErrorInfo {
        reason: error.fault().row().reason.to_owned(),
        domain: DOMAIN.to_owned(),
        metadata,
    }
}

fn bad_request(violations: &[Violation]) -> rpc::BadRequest {
    let violation = |field: &str, description: String| rpc::bad_request::FieldViolation {
        field: field.to_owned(),
        description,
        ..Default::default()
    };
    let listed = violations.iter().take(MAX_VIOLATIONS);
    let mut field_violations: Vec<_> =
        listed.map(|it| violation(it.field, it.rule.to_owned())).collect();
    if violations.len() > MAX_VIOLATIONS {
        let count = violations.len();
        field_violations.push(violation("", format!("{count} violations in all")));
    }
    rpc::BadRequest { field_violations }
}

fn quota_failure(bound: &DayBound) -> rpc::QuotaFailure {
    let until = bound.resets_at.map_or_else(String::new, |time| format!(" until {time}"));
    let (most, left) = (bound.most, bound.left);
    let violation = rpc::quota_failure::Violation {
        subject: format!("caller:{}", bound.caller),
        description: format!(
            "may refund {most} minor units on one day in China, and has {left} left{until}"
        ),
        ..Default::default()
    };
    rpc::QuotaFailure { violations: vec![violation] }
}

/// What is known of the money, if this was about any.
fn outcome(error: &Error, method: Method) -> Option<RefundOutcome> {
    (method == Method::Refund).then(|| error.refund_outcome())
}

fn any(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/{name}"), value: message.encode_to_vec() }
}

/// The text, cut to [`MAX_TEXT`] bytes between characters.
fn cut(text: &str) -> &str {
    let end = (0..=text.len().min(MAX_TEXT)).rev().find(|at| text.is_char_boundary(*at));
    &text[..end.unwrap_or_default()]
}

fn reason(row: &Row) -> pb::ErrorReason {
    // A test holds the table to the contract, so there is always one.
    pb::ErrorReason::from_str_name(&format!("ERROR_REASON_{}", row.reason)).unwrap_or_default()
}

fn next_step(step: NextStep) -> pb::NextStep {
    match step {
        NextStep::FixRequest => pb::NextStep::FixRequest,
        NextStep::Retry => pb::NextStep::Retry,
        NextStep::RepeatSameRefund => pb::NextStep::RepeatSameRefund,
        NextStep::ResolveOpenRefund => pb::NextStep::ResolveOpenRefund,
        NextStep::FixMerchantAccount => pb::NextStep::FixMerchantAccount,
        NextStep::FixDeployment => pb::NextStep::FixDeployment,
        NextStep::AskSunmi => pb::NextStep::AskSunmi,
    }
}

fn refund_outcome(outcome: RefundOutcome) -> pb::RefundOutcome {
    match outcome {
        RefundOutcome::NotApplied => pb::RefundOutcome::NotApplied,
        RefundOutcome::NotAttempted => pb::RefundOutcome::NotAttempted,
        RefundOutcome::Unknown => pb::RefundOutcome::Unknown,
    }
}

fn code(code: error::Code) -> Code {
    match code {
        error::Code::Unknown => Code::Unknown,
        error::Code::InvalidArgument => Code::InvalidArgument,
        error::Code::DeadlineExceeded => Code::DeadlineExceeded,
        error::Code::NotFound => Code::NotFound,
        error::Code::PermissionDenied => Code::PermissionDenied,
        error::Code::ResourceExhausted => Code::ResourceExhausted,
        error::Code::FailedPrecondition => Code::FailedPrecondition,
        error::Code::Aborted => Code::Aborted,
        error::Code::Internal => Code::Internal,
        error::Code::Unavailable => Code::Unavailable,
        error::Code::Unauthenticated => Code::Unauthenticated,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::error::{Fault, SunmiWords};

    #[test]
    fn table_and_contract_have_the_same_reasons() {
        let table: BTreeSet<i32> =
            Fault::ALL.iter().map(|fault| reason(&fault.row()).into()).collect();
        let contract: BTreeSet<i32> =
            (1..).map_while(|n| pb::ErrorReason::try_from(n).ok()).map(i32::from).collect();
        assert_eq!(table, contract);
    }

    #[test]
    fn trailers_stay_under_6_kib_whatever_sunmi_says() {
        let words = SunmiWords { code: "码".repeat(100_000), message: "说".repeat(100_000) };
        let rule = crate::trade::Identifier::RULE;
        let error = Error::new(Fault::ParameterRequired).with(|context| {
            context.sunmi = Some(words);
            context.violations = vec![Violation { field: "ori_platform_id", rule }; 21];
        });
        let status = status(&error, Method::Refund, &"x".repeat(128));
        let headers = status.into_http::<()>().into_parts().0.headers;
        let size: usize =
            headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(size < 6 << 10, "{size}");
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(cut(&"说".repeat(100)).len(), 255);
        assert_eq!(cut("short"), "short");
    }
}
