//! Reads an HTTP reply: the envelope of `code`, `msg` and `data`, or what there is instead.
//! Lenient where the document contradicts itself, as `docs/upstream.md` tells.

use std::borrow::Cow;

use serde_json::error::Category;

use super::blame::blame;
use super::codes::{self, Meaning, meaning};
use super::fields::Fields;
use super::http_reply::{Body, HttpReply};
use super::json::{self, Json, Object, Read};
use crate::error::{Accepted, BoxError, Error, Fault, SunmiWords};

/// A call that Sunmi accepted.
#[derive(Debug)]
pub(super) enum Reply<T> {
    /// It was done, with this result.
    Done(T),
    /// It is not finished (D01); there may be a result so far.
    Processing(T),
}

impl<'a> Reply<Fields<'a>> {
    /// The same with its result in a type. Of a call that is not finished a state is kept, but
    /// not believed.
    pub(super) fn typed<T>(self, typed: fn(Fields<'a>) -> T) -> Reply<T> {
        match self {
            Self::Done(fields) => Reply::Done(typed(fields)),
            Self::Processing(mut fields) => {
                fields.keep("state");
                Reply::Processing(typed(fields))
            }
        }
    }
}

/// A text that contradicts itself.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a field is named twice")]
struct NamedTwice;

/// The envelope: what Sunmi says, its `data`, and fields that the document does not have.
struct Envelope<'a> {
    words: SunmiWords,
    data: Option<Json<'a>>,
    rest: Object<'a>,
    /// Whether bytes that are not UTF-8 were replaced. A refusal is one all the same; a
    /// result is not passed on with characters that Sunmi did not send.
    damaged: bool,
}

/// What `take` makes of a reply, and what that is counted as: its result code, or why it has none
/// that counts. `order_field` is the field in which the call named its order.
pub(super) fn read<T>(
    reply: HttpReply,
    order_field: &'static str,
    take: impl FnOnce(Reply<Fields<'_>>) -> T,
) -> (&'static str, Result<T, Error>) {
    let HttpReply { status, retry_after, body } = reply;
    let mut code = codes::OTHER;
    let text = text(&body);
    let read = match envelope(text.as_ref()) {
        Ok(envelope) => {
            code = codes::known(&envelope.words.code);
            read_envelope(envelope, status, order_field, take)
        }
        Err(cause) if cause.is::<NamedTwice>() => {
            let fault = match status {
                200 => Fault::UpstreamReplyUnreadable,
                status => doubtful_fault(status),
            };
            // One of its codes may be a success.
            let accepted = Some(Accepted::Unusable);
            Err(Error::new(fault).with(|context| context.accepted = accepted).because(cause))
        }
        Err(cause) if status == 200 => {
            Err(Error::new(Fault::UpstreamReplyUnreadable).because(cause))
        }
        Err(_) => Err(Error::new(http_fault(status))),
    };
    let read = read.map_err(|error| {
        error.with(|context| {
            context.retry_after = retry_after;
            context.http_status = (status != 200).then_some(status);
        })
    });
    (read.as_ref().err().and_then(|error| without_code(error.fault())).unwrap_or(code), read)
}

/// A readable envelope goes by its code, whatever the HTTP status, if that is a refusal or
/// a doubt. Success with an error status contradicts itself and is a doubt.
fn read_envelope<T>(
    envelope: Envelope<'_>,
    status: u16,
    order_field: &'static str,
    take: impl FnOnce(Reply<Fields<'_>>) -> T,
) -> Result<T, Error> {
    let Envelope { words, data, rest, damaged } = envelope;
    let (data, inside) = match data {
        Some(Json::Text(text)) => (None, Some(text)),
        data => (data, None),
    };
    let data = || result_set(data, inside.as_deref());
    match meaning(&words.code) {
        Meaning::Fault(fault) => {
            let (fault, violations) = blame(fault, &words.message, order_field);
            Err(Error::new(fault).with(|context| {
                context.sunmi = Some(words);
                context.violations = violations;
            }))
        }
        Meaning::Success | Meaning::Processing if status != 200 => {
            Err(accepted(doubtful_fault(status), words, Accepted::Unusable))
        }
        Meaning::Success | Meaning::Processing if damaged => {
            Err(unreadable(words, "a result that is not UTF-8".into()))
        }
        Meaning::Success => match data() {
            Ok(Some(data)) => Ok(take(Reply::Done(Fields::new(data, rest)))),
            Ok(None) => {
                let fault = Fault::UpstreamReplyUnreadable;
                Err(accepted(fault, words, Accepted::WithoutData).because("success without data"))
            }
            Err(cause) => Err(unreadable(words, cause)),
        },
        Meaning::Processing => match data() {
            Err(cause) if cause.is::<NamedTwice>() => Err(unreadable(words, cause)),
            data => {
                let data = data.ok().flatten().unwrap_or_default();
                Ok(take(Reply::Processing(Fields::new(data, rest))))
            }
        },
    }
}

/// What replies are counted as whose code does not count, because they have none or because
/// their HTTP status contradicts it.
fn without_code(fault: Fault) -> Option<&'static str> {
    const HTTP: [Fault; 4] = [
        Fault::UpstreamHttpUnavailable,
        Fault::UpstreamHttpThrottled,
        Fault::UpstreamHttpRefused,
        Fault::UpstreamHttpOther,
    ];
    match fault == Fault::UpstreamReplyUnreadable {
        true => Some("unreadable"),
        false => HTTP.contains(&fault).then_some("http_error"),
    }
}

/// A success, or processing, that says no more.
fn unreadable(words: SunmiWords, cause: BoxError) -> Error {
    accepted(Fault::UpstreamReplyUnreadable, words, Accepted::Unusable).because(cause)
}

fn accepted(fault: Fault, words: SunmiWords, how: Accepted) -> Error {
    Error::new(fault).with(|context| {
        context.sunmi = Some(words);
        context.accepted = Some(how);
    })
}

/// What an HTTP error status says. Those of the third arm are answered before a request is
/// processed.
fn http_fault(status: u16) -> Fault {
    match status {
        500..=599 => Fault::UpstreamHttpUnavailable,
        429 => Fault::UpstreamHttpThrottled,
        400 | 401 | 403 | 404 | 405 | 411 | 413..=415 | 431 => Fault::UpstreamHttpRefused,
        _ => Fault::UpstreamHttpOther,
    }
}

/// The same of a reply that contradicts itself: it is no refusal.
fn doubtful_fault(status: u16) -> Fault {
    let fault = Some(http_fault(status)).filter(|it| *it != Fault::UpstreamHttpRefused);
    fault.unwrap_or(Fault::UpstreamHttpOther)
}

/// The text of a reply, with other characters where it is not UTF-8; none if it is too long.
fn text(body: &Body) -> Option<Cow<'_, str>> {
    let Body::Whole(bytes) = body else { return None };
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // Mostly it is, which this finds out at a tenth of the cost.
    let whole = std::str::from_utf8(bytes).map(Cow::Borrowed);
    Some(whole.unwrap_or_else(|_| String::from_utf8_lossy(bytes)))
}

fn envelope<'a>(text: Option<&'a Cow<'_, str>>) -> Result<Envelope<'a>, BoxError> {
    let text = text.ok_or("a reply of more than 1 MiB")?;
    let Json::Object(mut rest) = json(text)? else {
        return Err("JSON of another shape".into());
    };
    let mut take = |wanted| {
        let at = rest.iter().position(|(name, _)| name == wanted)?;
        Some(rest.swap_remove(at).1)
    };
    let code = take("code").and_then(scalar).ok_or("a reply without a code")?;
    let message = take("msg").and_then(scalar).unwrap_or_default();
    let data = take("data");
    let damaged = matches!(text, Cow::Owned(_));
    Ok(Envelope { words: SunmiWords { code, message }, data, rest, damaged })
}

/// The `data` of a reply: an object, or what a string holds `inside` if it is one. Null, an empty
/// string and an empty object are none.
fn result_set<'a>(
    data: Option<Json<'a>>,
    inside: Option<&'a str>,
) -> Result<Option<Object<'a>>, BoxError> {
    let data = match inside.filter(|text| !text.trim().is_empty()) {
        Some(text) => Some(json(text)?),
        None => data,
    };
    match data {
        None | Some(Json::Null) => Ok(None),
        Some(Json::Object(data)) => Ok(Some(data).filter(|data| !data.is_empty())),
        Some(Json::Bool(_) | Json::Number(_) | Json::Text(_) | Json::List(_)) => {
            Err("data that is not an object".into())
        }
    }
}

/// The value of a text in JSON in which no name stands twice, or where it is none. What serde says
/// of it may quote the text, which is not for logs.
fn json(text: &str) -> Result<Json<'_>, BoxError> {
    match json::read(text) {
        Ok(Read { names_twice: true, .. }) => Err(NamedTwice.into()),
        Ok(Read { value, names_twice: false }) => Ok(value),
        Err(error) => {
            let what = match error.classify() {
                Category::Data => "JSON of another shape",
                Category::Syntax | Category::Io => "no JSON",
                Category::Eof => "JSON that breaks off",
            };
            Err(format!("{what}, at line {} column {}", error.line(), error.column()).into())
        }
    }
}

/// A string or a number, as text.
fn scalar(value: Json<'_>) -> Option<String> {
    match value {
        Json::Text(text) => Some(text.into_owned()).filter(|text| !text.is_empty()),
        Json::Number(number) => Some(number.to_string()),
        Json::Null | Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, Value, json};

    use super::*;
    use crate::error::OnRefund;
    use crate::trade::Unrecognized;

    fn http(status: u16, body: impl Into<Vec<u8>>) -> HttpReply {
        HttpReply { status, retry_after: None, body: Body::Whole(body.into().into()) }
    }

    /// What a reply comes to, in a word.
    fn summary(reply: HttpReply) -> String {
        let all = |reply: Reply<Fields<'_>>| match reply {
            Reply::Done(fields) => format!("done {:?}", fields.rest()),
            Reply::Processing(fields) => format!("processing {:?}", fields.rest()),
        };
        read(reply, "order_id", all).1.unwrap_or_else(|error| format!("{:?}", error.fault()))
    }

    /// Why a reply is refused.
    fn refused(reply: HttpReply) -> Error {
        read(reply, "order_id", |reply| format!("{reply:?}")).1.unwrap_err()
    }

    #[test]
    fn replies_with_status_200_are_read_leniently() {
        let table: &[(&str, &str)] = &[
            (r#"{"code":"1","data":{"a":"b"},"msg":""}"#, r#"done {"a": "b"}"#),
            (r#"{"code":"10000","data":{"a":"b"}}"#, r#"done {"a": "b"}"#),
            (r#"{"code":1,"data":{"a":5}}"#, r#"done {"a": "5"}"#),
            (r#"{"code":10000,"data":"{\"a\":5}"}"#, r#"done {"a": "5"}"#),
            ("\u{FEFF}{\"code\":1,\"data\":{\"a\":5}}", r#"done {"a": "5"}"#),
            (r#"{"code":1,"data":{"a":5},"extra":[ 1 ]}"#, r#"done {"a": "5", "extra": "[1]"}"#),
            (r#"{"code":1,"data":{"a":5},"a":6}"#, r#"done {"a": "5"}"#),
            (r#"{"code":1}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":null}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":""}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":{}}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":"null"}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":[{"a":5}]}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":"{\"a\":"}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":{"a":5}"#, "UpstreamReplyUnreadable"),
            (r#"{"data":{"a":5}}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":"","data":{"a":5}}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":true}"#, "UpstreamReplyUnreadable"),
            ("[]", "UpstreamReplyUnreadable"),
            ("<html>", "UpstreamReplyUnreadable"),
            ("", "UpstreamReplyUnreadable"),
            (r#"{"code":"D01"}"#, "processing {}"),
            (r#"{"code":"D01","data":[]}"#, "processing {}"),
            (r#"{"code":"D01","data":{"a":5}}"#, r#"processing {"a": "5"}"#),
            (r#"{"code":"E19","msg":"x","data":[]}"#, "OrderNotFound"),
            (r#"{"code":"E19","msg":null}"#, "OrderNotFound"),
            (r#"{"code":20000}"#, "ServiceUnavailable"),
            (r#"{"code":"X99"}"#, "SunmiCodeUnrecognized"),
            (r#"{"code":1.0,"data":{"a":5}}"#, "SunmiCodeUnrecognized"),
            (r#"{"code":"E19","data":{"a":5},"code":"1"}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":"1","data":{"a":5},"code":"E19"}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":"E19","code":"E19"}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":{"a":5},"data":{"a":6}}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":{"a":5,"a":6}}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":1,"data":"{\"a\":5,\"a\":6}"}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":"D01","data":{"a":5,"a":6}}"#, "UpstreamReplyUnreadable"),
            (r#"{"code":"D01","data":"{\"a\":5,\"a\":6}"}"#, "UpstreamReplyUnreadable"),
        ];
        for (body, expected) in table {
            assert_eq!(&summary(http(200, *body)), expected, "{body}");
        }
    }

    #[test]
    fn an_error_status_goes_by_the_code_only_if_that_is_a_refusal_or_a_doubt() {
        let success = r#"{"code":"1","data":{"a":"b"}}"#;
        let table: &[(u16, &str, &str)] = &[
            (502, "<html>", "UpstreamHttpUnavailable"),
            (503, r#"{"code":"R03"}"#, "TooManyRequests"),
            (500, r#"{"code":"S03"}"#, "SystemError"),
            (400, r#"{"code":"E22"}"#, "RefundAmountWrong"),
            (400, r#"{"code":"X99"}"#, "SunmiCodeUnrecognized"),
            (400, "", "UpstreamHttpRefused"),
            (431, "", "UpstreamHttpRefused"),
            (408, "", "UpstreamHttpOther"),
            (204, "", "UpstreamHttpOther"),
            (302, "", "UpstreamHttpOther"),
            (429, "", "UpstreamHttpThrottled"),
            (500, success, "UpstreamHttpUnavailable"),
            (400, success, "UpstreamHttpOther"),
            (201, success, "UpstreamHttpOther"),
            (400, r#"{"code":"D01"}"#, "UpstreamHttpOther"),
            (400, r#"{"code":"1","code":"E22"}"#, "UpstreamHttpOther"),
            (503, r#"{"code":"1","code":"E22"}"#, "UpstreamHttpUnavailable"),
        ];
        for (status, body, expected) in table {
            assert_eq!(&summary(http(*status, *body)), expected, "{status} {body}");
        }
    }

    #[test]
    fn brackets_without_end_are_unreadable_and_harmless() {
        for body in ["[".repeat(100_000), format!(r#"{{"code":1,"data":{}"#, "[".repeat(100_000))] {
            assert_eq!(summary(http(200, body)), "UpstreamReplyUnreadable");
        }
    }

    #[test]
    fn bytes_that_are_not_utf_8_spoil_a_result_and_no_refusal() {
        let table: [(&[u8], &str); 3] = [
            (b"{\"code\":\"E19\",\"msg\":\"\xB6\xA9\"}", "OrderNotFound"),
            (b"{\"code\":\"1\",\"data\":{\"a\":\"\xB6\"}}", "UpstreamReplyUnreadable"),
            (b"{\"code\":\"D01\",\"msg\":\"\xB6\"}", "UpstreamReplyUnreadable"),
        ];
        for (body, expected) in table {
            assert_eq!(summary(http(200, body)), expected);
        }
    }

    #[test]
    fn what_was_accepted_is_told_whatever_else_a_reply_says() {
        use Accepted::{Unusable, WithoutData};
        let success = r#"{"code":"1","data":{"a":"b"}}"#;
        let table: &[(u16, &[u8], Option<Accepted>)] = &[
            (200, br#"{"code":"1"}"#, Some(WithoutData)),
            (200, br#"{"code":10000,"data":""}"#, Some(WithoutData)),
            (500, br#"{"code":"1"}"#, Some(Unusable)),
            (500, success.as_bytes(), Some(Unusable)),
            (201, br#"{"code":"D01"}"#, Some(Unusable)),
            (200, br#"{"code":1,"data":[{"a":5}]}"#, Some(Unusable)),
            (200, br#"{"code":1,"data":"{\"a\":"}"#, Some(Unusable)),
            (200, b"{\"code\":\"1\",\"data\":{\"a\":\"\xB6\"}}", Some(Unusable)),
            (200, b"{\"code\":\"D01\",\"msg\":\"\xB6\"}", Some(Unusable)),
            (200, br#"{"code":"1","data":{"a":5,"a":6}}"#, Some(Unusable)),
            (200, br#"{"code":"1","code":"E22"}"#, Some(Unusable)),
            (400, br#"{"code":"E22","code":"1"}"#, Some(Unusable)),
            (200, br#"{"code":"D01","data":"{\"a\":5,\"a\":6}"}"#, Some(Unusable)),
            (200, br#"{"code":"E22","msg":"x"}"#, None),
            (500, br#"{"code":"X99"}"#, None),
            (200, b"<html>", None),
            (502, b"", None),
        ];
        for (status, body, expected) in table {
            let error = refused(http(*status, *body));
            let name = String::from_utf8_lossy(body);
            assert_eq!(error.context().accepted, *expected, "{status} {name}");
            let later = error.into_refund_outcome_unknown();
            assert_eq!(later.context().accepted, *expected, "{status} {name}");
        }
    }

    #[test]
    fn sunmis_words_are_kept_with_the_fault() {
        let error = refused(http(200, r#"{"code":"E27","msg":"msn必传"}"#));
        let words = error.context().sunmi.as_ref().unwrap();
        assert_eq!((words.code.as_str(), words.message.as_str()), ("E27", "msn必传"));
        assert_eq!(error.context().violations[0].field, "msn");
    }

    /// A result's fields, as strings and as numbers.
    fn data() -> impl Strategy<Value = Map<String, Value>> {
        let value =
            prop_oneof!["\\PC{0,20}".prop_map(Value::from), any::<i64>().prop_map(Value::from)];
        proptest::collection::btree_map("[a-z]{1,8}", value, 1..6)
            .prop_map(|fields| fields.into_iter().collect())
    }

    /// What is kept of a result of which nothing was read.
    fn unread(data: &Map<String, Value>) -> Unrecognized {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        data.iter().map(|(name, value)| (name.clone(), text(value))).collect()
    }

    fn code() -> impl Strategy<Value = Value> {
        let codes = ["1", "10000", "D01"].map(Value::from).to_vec();
        proptest::sample::select([codes, vec![Value::from(1), Value::from(10000)]].concat())
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(
            status in 100u16..600,
            body in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            // Neither a code nor braces around it come up by chance.
            let error = refused(http(status, body));
            prop_assert_eq!(&error.context().sunmi, &None);
            prop_assert_eq!(error.context().http_status, (status != 200).then_some(status));
        }

        #[test]
        fn a_result_is_the_same_in_all_its_shapes(code in code(), data in data(), msg in "\\PC{0,9}") {
            let word = if code == "D01" { "processing" } else { "done" };
            let expected = format!("{word} {:?}", unread(&data));
            let inside = Value::from(Value::from(data.clone()).to_string());
            for data in [Value::from(data), inside] {
                let body = json!({"code": code, "data": data, "msg": msg}).to_string();
                prop_assert_eq!(&summary(http(200, format!("\u{FEFF}{body}"))), &expected);
                prop_assert_eq!(&summary(http(200, body)), &expected);
            }
        }

        #[test]
        fn a_code_that_is_no_success_is_never_a_result(
            status in 100u16..600,
            code in "[A-Z0-9]{1,5}",
            data in data(),
            msg in "\\PC{0,20}",
        ) {
            prop_assume!(!["1", "10000", "D01"].contains(&code.as_str()));
            let body = json!({"code": code, "data": data, "msg": msg}).to_string();
            let error = refused(http(status, body));
            prop_assert_eq!(&error.context().sunmi, &Some(SunmiWords { code, message: msg }));
        }

        #[test]
        fn a_result_with_an_error_status_is_a_doubt(
            status in (100u16..600).prop_filter("no error", |status| *status != 200),
            code in code(),
            data in data(),
        ) {
            let body = json!({"code": code, "data": data}).to_string();
            let error = refused(http(status, body));
            prop_assert_eq!(error.fault().row().on_refund, OnRefund::Unknown);
        }
    }
}
