//! The fault script: what to spoil, in order. The first entry that fits a call is used up
//! by it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::book::{Endpoint, Form, Patch};

/// One entry of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only for this call; absent: for any.
    pub endpoint: Option<Endpoint>,
    /// Only for calls that name this order, by whatever kind of number, as theirs or as the
    /// original; absent: for any.
    pub order_id: Option<String>,
    /// For so many calls; absent: one.
    #[serde(default = "once")]
    pub times: u32,
    /// Before anything else, so many milliseconds pass.
    #[serde(default)]
    pub delay_ms: u64,
    /// Whether the delay and the execution go on where the caller hangs up meanwhile, as with
    /// a request that is late in the network; else the call is forgotten.
    #[serde(default)]
    pub outlives_caller: bool,
    /// Whether the call is executed all the same, before the answer.
    #[serde(default)]
    pub execute: bool,
    /// How many times more it is executed, if it is, as where a proxy repeats it.
    #[serde(default)]
    pub repeats: u32,
    /// Before each repetition, so many milliseconds pass, whether the caller waits or not.
    #[serde(default)]
    pub repeat_delay_ms: u64,
    /// The answer to which of them the caller gets.
    #[serde(default)]
    pub answer_of: Turn,
    /// Between execution and answer, so many milliseconds pass.
    #[serde(default)]
    pub answer_delay_ms: u64,
    /// What is set otherwise for this call alone.
    #[serde(default)]
    pub with: Patch,
    /// What is answered.
    pub answer: Answer,
}

fn once() -> u32 {
    1
}

/// One of the executions of a call that is repeated.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "they say it")]
pub enum Turn {
    #[default]
    First,
    Last,
}

/// What a spoiled call is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// What it would have been.
    Normal,
    /// Nothing, until the caller gives up.
    Hang,
    /// A reset of the connection.
    Reset,
    /// An orderly close without an answer.
    Close,
    /// Half of what it would have been, then a close.
    Cut,
    /// This result code, with the result if it was executed and the code is one of success.
    Code(String),
    /// What something in between makes of it.
    Http(HttpAnswer),
}

/// An answer in HTTP's terms.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpAnswer {
    /// From 200 to 599.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: Option<String>,
    /// The body.
    #[serde(default)]
    pub body: String,
    /// The body in hexadecimal digits, in place of `body`.
    pub body_hex: Option<Hex>,
    /// The body is what it would have been, in place of `body`.
    #[serde(default)]
    pub reply: bool,
    /// Sends the body as gzip, and says so in `Content-Encoding`.
    #[serde(default)]
    pub gzip: bool,
    /// Sends half of the body, then closes.
    #[serde(default)]
    pub cut: bool,
}

/// Bytes, written as hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Hex(pub Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = hex::FromHexError;

    fn try_from(digits: String) -> Result<Self, Self::Error> {
        hex::decode(digits).map(Self)
    }
}

impl From<Hex> for String {
    fn from(Hex(bytes): Hex) -> Self {
        hex::encode(bytes)
    }
}

impl Fault {
    /// The next call, whichever it is, is answered so, and not executed.
    pub fn of(answer: Answer) -> Self {
        Self {
            endpoint: None,
            order_id: None,
            times: 1,
            delay_ms: 0,
            outlives_caller: false,
            execute: false,
            repeats: 0,
            repeat_delay_ms: 0,
            answer_of: Turn::First,
            answer_delay_ms: 0,
            with: Patch::default(),
            answer,
        }
    }

    fn fits(&self, endpoint: Endpoint, form: &Form) -> bool {
        self.endpoint.is_none_or(|only| only == endpoint)
            && self.order_id.as_ref().is_none_or(|id| names(form, id))
    }
}

/// Whether a call names this order, by whatever kind of number, as its own or as the original.
pub(super) fn names(form: &Form, id: &str) -> bool {
    let numbers = ["orderId", "misId", "platformId", "oriOrderId", "oriMisId", "oriPlatformId"];
    numbers.iter().any(|name| form.get(*name).is_some_and(|number| number == id))
}

impl Answer {
    /// This HTTP status, with an empty body.
    pub fn status(status: u16) -> Self {
        Self::Http(HttpAnswer::of(status))
    }
}

impl HttpAnswer {
    /// This status, with an empty body.
    pub fn of(status: u16) -> Self {
        Self {
            status,
            retry_after: None,
            body: String::new(),
            body_hex: None,
            reply: false,
            gzip: false,
            cut: false,
        }
    }
}

/// The script, as far as it is not used up.
#[derive(Debug, Default)]
pub struct Script(VecDeque<Fault>);

impl Script {
    /// Adds an entry at the end.
    pub fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    /// Forgets what is left of these.
    pub fn forget(&mut self, of: impl Fn(&Fault) -> bool) {
        self.0.retain(|fault| !of(fault));
    }

    /// What is left.
    pub fn left(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// The entry for this call, if there is one.
    pub fn next(&mut self, endpoint: Endpoint, form: &Form) -> Option<Fault> {
        let at = self.0.iter().position(|fault| fault.fits(endpoint, form))?;
        let fault = self.0.get_mut(at)?;
        fault.times = fault.times.saturating_sub(1);
        if fault.times > 0 { Some(fault.clone()) } else { self.0.remove(at) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_used_up_in_order_by_the_calls_they_fit() {
        let mut script = Script::default();
        for json in [
            r#"{"endpoint": "refund", "times": 2, "execute": true, "answer": "hang"}"#,
            r#"{"answer": {"code": "S03"}}"#,
        ] {
            script.push(serde_json::from_str(json).unwrap());
        }
        let form = Form::new();
        let mut next = |endpoint| script.next(endpoint, &form).map(|fault| fault.answer);
        assert_eq!(next(Endpoint::Refund), Some(Answer::Hang));
        assert_eq!(next(Endpoint::Query), Some(Answer::Code("S03".to_owned())));
        assert_eq!(next(Endpoint::Query), None);
        assert_eq!(next(Endpoint::Refund), Some(Answer::Hang));
        assert_eq!(next(Endpoint::Refund), None);
    }

    #[test]
    fn an_entry_for_an_order_leaves_the_calls_of_others_alone() {
        let mut script = Script::default();
        let json = r#"{"order_id": "R1", "times": 3, "answer": "hang"}"#;
        script.push(serde_json::from_str(json).unwrap());
        let table = [
            ("orderId", "R2", false),
            ("orderId", "R1", true),
            ("msn", "R1", false),
            ("oriOrderId", "R1", true),
            ("platformId", "R1", true),
            ("orderId", "R1", false),
        ];
        for (name, value, fits) in table {
            let form = Form::from([(name.to_owned(), value.to_owned())]);
            assert_eq!(script.next(Endpoint::Refund, &form).is_some(), fits, "{name} {value}");
        }
    }

    #[test]
    fn an_entry_that_names_what_there_is_not_is_refused() {
        let table = [
            (r#"{"with": {"keep_refused": true}, "answer": "normal"}"#, true),
            (r#"{"with": {"keep_refusd": true}, "answer": "normal"}"#, false),
            (r#"{"with": {"echo_originals": "others"}, "answer": "normal"}"#, false),
            (r#"{"answer": {"http": {"status": 400, "body_hex": "1f8b"}}}"#, true),
            (r#"{"answer": {"http": {"status": 400, "body_hex": "1f8"}}}"#, false),
            (r#"{"answer": {"http": {"status": 400, "gzipped": true}}}"#, false),
            (r#"{"answer_of": "second", "answer": "normal"}"#, false),
        ];
        for (json, parses) in table {
            assert_eq!(serde_json::from_str::<Fault>(json).is_ok(), parses, "{json}");
        }
    }
}
