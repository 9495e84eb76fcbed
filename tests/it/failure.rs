//! A status and all its details as one value.

use std::collections::BTreeMap;
use std::time::Duration;

use prost::Message;
use prost_types::Any;
use sunmi_trade::api::pb;
use tonic::{Code, Status};
use tonic_types::pb as rpc;

/// What a caller is told in brief of a refund that may have happened.
pub(crate) const IN_DOUBT: (Code, &str, &str) =
    (Code::Unknown, "REFUND_OUTCOME_UNKNOWN", "UNKNOWN");

/// What a caller is told of a call that failed. Names are the contract's, without prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) code: Code,
    pub(crate) message: String,
    pub(crate) reason: String,
    pub(crate) next_step: String,
    /// Absent where the call was no refund.
    pub(crate) outcome: Option<String>,
    pub(crate) sunmi_code: Option<String>,
    pub(crate) sunmi_message: Option<String>,
    /// The metadata of `ErrorInfo`.
    pub(crate) info: BTreeMap<String, String>,
    pub(crate) request_id: String,
    pub(crate) retry_delay: Option<Duration>,
    /// Field and rule.
    pub(crate) violations: Vec<(String, String)>,
    /// Subject and description.
    pub(crate) quotas: Vec<(String, String)>,
    /// Sunmi's words as `LocalizedMessage`.
    pub(crate) localized: Option<String>,
}

impl Failure {
    /// Reads the details of a status, and holds those that repeat each other together.
    pub(crate) fn of(status: &Status) -> Self {
        let details = rpc::Status::decode(status.details()).expect("a google.rpc.Status");
        assert!(!details.details.is_empty(), "a status without details: {status:?}");
        assert_eq!(details.code, i32::from(status.code()));
        assert_eq!(details.message, status.message());
        let all = &details.details;
        let error: pb::TradeError = one(all, "sunmi.trade.v1.TradeError").expect("a TradeError");
        let info = one::<rpc::ErrorInfo>(all, "google.rpc.ErrorInfo").expect("an ErrorInfo");
        let request =
            one::<rpc::RequestInfo>(all, "google.rpc.RequestInfo").expect("a RequestInfo");
        let localized = one::<rpc::LocalizedMessage>(all, "google.rpc.LocalizedMessage");
        assert!(localized.iter().all(|message| message.locale == "zh-CN"));
        let failure = Self {
            code: status.code(),
            message: status.message().to_owned(),
            reason: error.reason().as_str_name().replacen("ERROR_REASON_", "", 1),
            next_step: error.next_step().as_str_name().replacen("NEXT_STEP_", "", 1),
            outcome: Some(error.refund_outcome())
                .filter(|outcome| *outcome != pb::RefundOutcome::Unspecified)
                .map(|outcome| outcome.as_str_name().replacen("REFUND_OUTCOME_", "", 1)),
            sunmi_code: error.sunmi_code,
            sunmi_message: error.sunmi_message,
            info: info.metadata.into_iter().collect(),
            request_id: request.request_id,
            retry_delay: one::<rpc::RetryInfo>(all, "google.rpc.RetryInfo").map(delay),
            violations: one::<rpc::BadRequest>(all, "google.rpc.BadRequest")
                .map(violations)
                .unwrap_or_default(),
            quotas: one::<rpc::QuotaFailure>(all, "google.rpc.QuotaFailure")
                .map(quotas)
                .unwrap_or_default(),
            localized: localized.map(|message| message.message),
        };
        assert_eq!(info.domain, "sunmi-trade");
        assert_eq!(info.reason, failure.reason);
        assert_eq!(failure.info.get("refundOutcome"), failure.outcome.as_ref());
        assert_eq!(failure.info.get("sunmiCode"), failure.sunmi_code.as_ref());
        failure
    }

    /// What a caller's code would branch on.
    pub(crate) fn verdict(&self) -> (Code, &str, &str) {
        (self.code, &self.reason, self.outcome.as_deref().unwrap_or_default())
    }

    /// How many times Sunmi was called, by its own account.
    pub(crate) fn attempts(&self) -> Option<u32> {
        self.info.get("attempts").map(|attempts| attempts.parse().expect("a number"))
    }

    /// The fields that are blamed.
    pub(crate) fn fields(&self) -> Vec<&str> {
        self.violations.iter().map(|(field, _)| field.as_str()).collect()
    }
}

fn delay(info: rpc::RetryInfo) -> Duration {
    info.retry_delay.expect("a delay").try_into().expect("a delay that is not negative")
}

fn violations(request: rpc::BadRequest) -> Vec<(String, String)> {
    request.field_violations.into_iter().map(|it| (it.field, it.description)).collect()
}

fn quotas(failure: rpc::QuotaFailure) -> Vec<(String, String)> {
    failure.violations.into_iter().map(|it| (it.subject, it.description)).collect()
}

/// The one detail of this type, if there is one.
fn one<T: Message + Default>(details: &[Any], name: &str) -> Option<T> {
    let url = format!("type.googleapis.com/{name}");
    let mut found = details.iter().filter(|any| any.type_url == url);
    let first = found.next().map(|any| T::decode(any.value.as_slice()).expect("a readable detail"));
    assert!(found.next().is_none(), "two details of type {name}");
    first
}
