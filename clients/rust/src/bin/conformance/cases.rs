//! The table of cases, as it is written. A key that is not known is an error, so that none is
//! overlooked.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// All of it. A case is read once its numbers are made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Table {
    pub(crate) tokens: BTreeMap<String, String>,
    pub(crate) cases: Vec<Value>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    #[serde(rename = "name")]
    _name: String,
    #[serde(rename = "why")]
    _why: String,
    #[serde(default)]
    pub(crate) orders: Vec<Value>,
    #[serde(default)]
    pub(crate) past_refunds: Vec<Value>,
    #[serde(default)]
    pub(crate) faults: Vec<Value>,
    pub(crate) steps: Vec<Step>,
    #[serde(default)]
    pub(crate) executions: BTreeMap<String, usize>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Step {
    pub(crate) rpc: Rpc,
    #[serde(rename = "as")]
    pub(crate) caller: String,
    pub(crate) request: Value,
    pub(crate) deadline_ms: u64,
    #[serde(default)]
    pub(crate) repeat_until: bool,
    pub(crate) expect: Expect,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) enum Rpc {
    Query,
    SwipeQuery,
    Refund,
    GetRefund,
}

/// What must have come. What is absent does not matter; `null` is there and not absent.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    pub(crate) status: String,
    #[serde(default, deserialize_with = "present")]
    pub(crate) response: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    pub(crate) error: Option<Value>,
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) retry: Option<bool>,
    pub(crate) retry_at_least_ms: Option<u64>,
    pub(crate) violations: Option<Vec<String>>,
    pub(crate) localized: Option<bool>,
}

fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(value).map(Some)
}
