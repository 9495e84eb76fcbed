//! The reader of replies, against a second reading of the same reply. The input is a body,
//! or a line with an HTTP status and then a body.

#![no_main]

use std::borrow::Cow;
use std::collections::HashSet;
use std::error::Error as _;
use std::fmt::Debug;

use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};
use sunmi_trade::error::{Error, Fault, OnRefund};
use sunmi_trade::sunmi::codes::{Meaning, meaning};
use sunmi_trade::sunmi::fuzzing::{ORDER_FIELD, Read, query, refund, swipe_query};
use sunmi_trade::sunmi::{Body, HttpReply};
use sunmi_trade::trade::Unrecognized;

#[path = "reply/fields.rs"]
mod fields;

use fields::{Field, card_fields, query_fields, refund_fields};

fuzz_target!(|input: &[u8]| {
    let (status, body) = split(input);
    let expected = expected(status, body);
    check(query(reply(status, body)), status, &expected, query_fields);
    check(refund(reply(status, body)), status, &expected, refund_fields);
    check(swipe_query(reply(status, body)), status, &expected, card_fields);
});

fn split(input: &[u8]) -> (u16, &[u8]) {
    let status = |line: &[u8]| std::str::from_utf8(line).ok()?.parse().ok();
    let split = input.iter().position(|byte| *byte == b'\n').and_then(|end| {
        let status: u16 = status(&input[..end])?;
        (100..1000).contains(&status).then_some((status, &input[end + 1..]))
    });
    split.unwrap_or((200, input))
}

fn reply(status: u16, body: &[u8]) -> HttpReply {
    HttpReply { status, retry_after: None, body: Body::Whole(body.to_vec().into()) }
}

/// What a reply must come to.
enum Expected {
    /// Nothing of Sunmi's; whether it may have been processed is up to the status.
    NoEnvelope,
    /// What this code means, in Sunmi's own words.
    Refusal(Fault, String, String),
    /// A reply that contradicts itself, or a success that cannot be read.
    Doubt,
    /// A result, and whether it is one that Sunmi has finished.
    Result { done: bool, data: Map<String, Value>, beside: Map<String, Value> },
}

fn expected(status: u16, body: &[u8]) -> Expected {
    let text = String::from_utf8_lossy(body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(body));
    let damaged = matches!(text, Cow::Owned(_));
    let Ok(Value::Object(mut beside)) = serde_json::from_str(&text) else {
        return Expected::NoEnvelope;
    };
    if names_twice(&text) {
        return Expected::Doubt;
    }
    let [code, message, data] =
        ["code", "msg", "data"].map(|name| beside.shift_remove(name).unwrap_or_default());
    let code = match code {
        Value::String(code) if !code.is_empty() => code,
        Value::Number(code) => code.to_string(),
        _ => return Expected::NoEnvelope,
    };
    let message = match message {
        Value::String(text) => text,
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    };
    let done = match meaning(&code) {
        Meaning::Fault(fault) => return Expected::Refusal(fault, code, message),
        Meaning::Success => true,
        Meaning::Processing => false,
    };
    let data = match data {
        Value::String(text) => match serde_json::from_str(&text) {
            Ok(_) if names_twice(&text) => return Expected::Doubt,
            data => data.unwrap_or_default(),
        },
        data => data,
    };
    match data {
        _ if status != 200 || damaged => Expected::Doubt,
        Value::Object(data) if !data.is_empty() => Expected::Result { done, data, beside },
        _ if done => Expected::Doubt,
        _ => Expected::Result { done, data: Map::new(), beside },
    }
}

/// Whether an object in this JSON, at any depth, has a name twice, found by its brackets.
fn names_twice(json: &str) -> bool {
    // The names so far of each object that is open; none for a list.
    let mut open: Vec<Option<HashSet<String>>> = Vec::new();
    let (mut at, mut name_next) = (0, false);
    while let Some(byte) = json.as_bytes().get(at) {
        let mut length = 1;
        match byte {
            b'{' => open.push(Some(HashSet::new())),
            b'[' => open.push(None),
            b'}' | b']' => drop(open.pop()),
            b'"' => {
                let mut literals = serde_json::Deserializer::from_str(&json[at..]).into_iter();
                let literal: String = literals.next().expect("a string").expect("whole");
                length = literals.byte_offset();
                let names = open.last_mut().and_then(Option::as_mut).filter(|_| name_next);
                if names.is_some_and(|names| !names.insert(literal)) {
                    return true;
                }
            }
            _ => {}
        }
        if !byte.is_ascii_whitespace() {
            name_next = matches!(byte, b'{' | b',');
        }
        at += length;
    }
    false
}

fn check<T: PartialEq + Debug>(
    read: Read<T>,
    status: u16,
    expected: &Expected,
    fields: fn(&T) -> (Vec<Field>, &Unrecognized),
) {
    let (error, on_refund) = match (read, expected) {
        (Ok((finished, result)), Expected::Result { done, data, beside }) => {
            assert_eq!(finished, *done);
            let (fields, unrecognized) = fields(&result);
            return check_fields(fields, unrecognized, data, beside);
        }
        (Ok(result), _) => panic!("no result, and read as one: {result:?}"),
        (Err(error), _) => {
            let on_refund = error.fault().row().on_refund;
            (error, on_refund)
        }
    };
    assert_eq!(error.context().http_status, Some(status).filter(|status| *status != 200));
    match expected {
        Expected::Result { .. } => panic!("a result, and not read as one: {error:?}"),
        Expected::Doubt => assert_eq!(on_refund, OnRefund::Unknown, "{error:?}"),
        Expected::NoEnvelope => {
            assert_eq!(error.context().sunmi, None);
            let refused = (400..=499).contains(&status) && !matches!(status, 408 | 409 | 429);
            assert!(on_refund == OnRefund::Unknown || refused, "{error:?}");
        }
        Expected::Refusal(fault, code, message) => check_refusal(&error, *fault, code, message),
    }
}

fn check_refusal(error: &Error, fault: Fault, code: &str, message: &str) {
    let words = error.context().sunmi.as_ref().expect("Sunmi's words");
    assert_eq!((words.code.as_str(), words.message.as_str()), (code, message));
    assert!(error.source().is_none());
    let ours = match fault {
        Fault::ParameterMissing => Fault::ServerParameterMissing,
        Fault::ParameterRequired => Fault::ServerParameterRequired,
        other => other,
    };
    assert!([fault, ours].contains(&error.fault()), "{error:?}");
    assert_eq!(error.fault().row().on_refund, fault.row().on_refund);
    assert!(error.context().violations.len() <= 1);
    for violation in &error.context().violations {
        let named = [ORDER_FIELD, "msn", "amount_minor", "business_id", "trade_date"];
        let known = violation.field.is_empty()
            || violation.field.ends_with("_id")
            || named.contains(&violation.field);
        assert!(known, "{violation:?}");
    }
}

/// Every field is read as it was written, or absent, or kept as it came; nothing is lost and
/// nothing made up.
fn check_fields(
    fields: Vec<Field>,
    unrecognized: &Unrecognized,
    data: &Map<String, Value>,
    beside: &Map<String, Value>,
) {
    let mut data = data.clone();
    let mut kept: Unrecognized =
        beside.iter().map(|(name, value)| (name.clone(), raw(value))).collect();
    for (name, written, read) in fields {
        let value = data.shift_remove(name).unwrap_or_default();
        let text = match &value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        let absent = value.is_null() || text.as_deref() == Some("");
        let expected = text.filter(|text| !text.is_empty()).and_then(|text| written.read(&text));
        assert_eq!(read, expected, "{name}");
        if expected.is_none() && !absent {
            kept.insert(name.to_owned(), raw(&value));
        }
    }
    kept.extend(data.iter().map(|(name, value)| (name.clone(), raw(value))));
    assert_eq!(unrecognized, &kept);
}

fn raw(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
