//! What goes over the wire: which call, with which parameters, and what Sunmi answers.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Value, json};

use crate::sandbox::codes::{required, words};

/// The three calls, by the last part of their path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "chapter 2 of the API document")]
pub enum Endpoint {
    Query,
    Refund,
    SwipeQuery,
}

impl Endpoint {
    /// The call at this path, if there is one.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/trade/query" => Some(Self::Query),
            "/v1/trade/refund" => Some(Self::Refund),
            "/v1/trade/swipeQuery" => Some(Self::SwipeQuery),
            _ => None,
        }
    }
}

/// The parameters of a request.
pub type Form = BTreeMap<String, String>;

/// A parameter that is given and not empty.
pub(super) fn get<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// What Sunmi answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The result code.
    pub code: String,
    /// What it says.
    pub msg: String,
    /// The result.
    pub data: Option<Value>,
}

impl Reply {
    /// A refusal with this code.
    pub fn refusal(code: &str) -> Self {
        Self { code: code.to_owned(), msg: words(code).to_owned(), data: None }
    }

    pub(super) fn missing(parameter: &str) -> Self {
        Self { code: "E27".to_owned(), msg: required(parameter), data: None }
    }

    pub(super) fn success(data: Value) -> Self {
        Self { code: "1".to_owned(), msg: words("1").to_owned(), data: Some(data) }
    }

    /// The body to send, with its fields in the order of the samples.
    pub fn to_json(&self) -> String {
        match &self.data {
            Some(data) => json!({"code": self.code, "data": data, "msg": self.msg}).to_string(),
            None => json!({"code": self.code, "msg": self.msg}).to_string(),
        }
    }
}
