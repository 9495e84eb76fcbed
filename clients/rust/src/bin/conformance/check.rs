//! Holds an answer to what is expected.

use std::fmt::Debug;
use std::time::Duration;

use serde_json::Value;
use tonic::Code;

use sunmi_trade_client::details::Failure;
use sunmi_trade_client::json::{self, Defaults};

use crate::cases::Expect;
use crate::run::Answer;

/// Nothing, or what was expected and what came.
pub(crate) type Result = std::result::Result<(), String>;

/// Checks all that is expected of an answer, and tells all that is not so.
pub(crate) fn answer(expect: &Expect, answer: &Answer) -> Result {
    let mut wrong = Vec::new();
    let code = answer.as_ref().map_or_else(|failure| failure.code, |_| Code::Ok);
    same("status", &expect.status.as_str(), &name(code), &mut wrong);
    let shown = match answer {
        Ok(response) => {
            of_response(expect, response, &mut wrong);
            response.to_string()
        }
        Err(failure) => {
            of_failure(expect, failure, &mut wrong);
            failure.to_string()
        }
    };
    if wrong.is_empty() { Ok(()) } else { Err(format!("{}; of {shown}", wrong.join("; "))) }
}

fn of_response(expect: &Expect, response: &Value, wrong: &mut Vec<String>) {
    let details = expect.error.as_ref().is_some_and(|it| !it.is_null())
        || !expect.metadata.is_empty()
        || expect.retry == Some(true)
        || expect.retry_at_least_ms.is_some()
        || expect.violations.as_ref().is_some_and(|it| !it.is_empty())
        || expect.localized == Some(true);
    same("details of an error", &details, &false, wrong);
    if let Some(expected) = &expect.response {
        contained(expected, response, "response", wrong);
    }
}

fn of_failure(expect: &Expect, failure: &Failure, wrong: &mut Vec<String>) {
    same("a response", &expect.response.is_some(), &false, wrong);
    if let Some(expected) = &expect.error {
        let written = failure.trade_error.as_ref().map(|it| json::write(it, Defaults::Written));
        match written.transpose() {
            Ok(came) => contained(expected, &came.unwrap_or_default(), "error", wrong),
            Err(error) => wrong.push(error.to_string()),
        }
    }
    let metadata = failure.details.error_info().map(|info| &info.metadata);
    for (key, expected) in &expect.metadata {
        let came = metadata.and_then(|metadata| metadata.get(key));
        same(&format!("metadata.{key}"), &Some(expected), &came, wrong);
    }
    if let Some(expected) = expect.retry {
        // One without a delay is neither.
        let there = failure.details.retry_info().is_some();
        let delays = failure.retry_after().is_some_and(|delay| !delay.is_zero());
        same("retry", &(expected, expected), &(there, delays), wrong);
    }
    if let Some(least) = expect.retry_at_least_ms {
        let came = failure.retry_after();
        let enough = came.is_some_and(|delay| delay >= Duration::from_millis(least));
        same(&format!("{least} ms of {came:?}"), &true, &enough, wrong);
    }
    if let Some(expected) = &expect.violations {
        let all = failure.details.bad_request().into_iter().flat_map(|it| &it.field_violations);
        let mut came: Vec<_> = all.map(|it| it.field.as_str()).collect();
        let mut expected: Vec<_> = expected.iter().map(String::as_str).collect();
        came.sort_unstable();
        expected.sort_unstable();
        same("violations", &expected, &came, wrong);
    }
    if let Some(expected) = expect.localized {
        let came = failure.details.localized_message().is_some();
        same("localized", &expected, &came, wrong);
    }
}

fn same<T: PartialEq + Debug>(what: &str, expected: &T, came: &T, wrong: &mut Vec<String>) {
    if expected != came {
        wrong.push(format!("{what}: expected {expected:?}, came {came:?}"));
    }
}

/// Whether all of what is expected is there; `null` is what is not there.
fn contained(expected: &Value, came: &Value, at: &str, wrong: &mut Vec<String>) {
    match (expected, came) {
        (Value::Object(expected), Value::Object(came)) => {
            for (key, expected) in expected {
                let came = came.get(key).unwrap_or(&Value::Null);
                contained(expected, came, &format!("{at}.{key}"), wrong);
            }
        }
        (Value::Array(expected), Value::Array(came)) if expected.len() == came.len() => {
            for (i, (expected, came)) in expected.iter().zip(came).enumerate() {
                contained(expected, came, &format!("{at}[{i}]"), wrong);
            }
        }
        (expected, came) if expected == came => {}
        (expected, came) => wrong.push(format!("{at}: expected {expected}, came {came}")),
    }
}

/// gRPC's name of a code.
fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expect(json: Value) -> Expect {
        serde_json::from_value(json).unwrap()
    }

    #[test]
    fn what_is_expected_is_contained_and_not_equal() {
        let came = Ok(json!({"a": {"b": "1", "c": "2"}, "d": ["x", "y"]}));
        for (expected, fits) in [
            (json!({"a": {"b": "1"}}), true),
            (json!({"d": ["x", "y"], "e": null}), true),
            (json!({"a": {"b": "2"}}), false),
            (json!({"a": {"b": null}}), false),
            (json!({"d": ["x"]}), false),
            (json!({"e": "1"}), false),
        ] {
            let expect = expect(json!({"status": "OK", "response": expected}));
            assert_eq!(answer(&expect, &came).is_ok(), fits, "{expect:?}");
        }
    }

    #[test]
    fn that_there_is_no_trade_error_can_be_expected() {
        let none = Failure::from(&tonic::Status::unavailable("words"));
        let mut some = none.clone();
        some.trade_error = Some(sunmi_trade_client::v1::TradeError::default());
        let expect = expect(json!({"status": "UNAVAILABLE", "error": null}));
        assert_eq!(answer(&expect, &Err(Box::new(none))), Ok(()));
        assert!(answer(&expect, &Err(Box::new(some))).is_err());
    }

    #[test]
    fn an_expectation_that_is_not_known_is_an_error() {
        let read = serde_json::from_value::<Expect>(json!({"status": "OK", "retries": true}));
        assert!(read.is_err());
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        let expect = expect(json!({"status": "OK", "response": {"a": "1", "b": "2"}}));
        let wrong = answer(&expect, &Ok(json!({"a": "2"}))).unwrap_err();
        assert!(wrong.contains("response.a") && wrong.contains("response.b"), "{wrong}");
    }

    #[test]
    fn a_response_where_an_error_is_expected_is_not_passed_over() {
        let expect = expect(json!({"status": "OK", "violations": ["msn"]}));
        assert!(answer(&expect, &Ok(json!({}))).is_err());
    }
}
