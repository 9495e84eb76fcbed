//! How helpful, how late and how odd this Sunmi is.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How a refund goes once it is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Course {
    /// How many seconds it is under way, in state 1.
    pub seconds: i64,
    /// Whether it fails in the end, and gives the money back.
    pub fails: bool,
}

/// What a refund's answer names as its original.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub enum Originals {
    /// The payment that was refunded (`true`).
    #[default]
    Echoed,
    /// Nothing: the fields are absent (`false`).
    Absent,
    /// Nothing: the fields are empty (`"empty"`).
    Empty,
    /// Another payment, as an answer to another call does (`"other"`).
    Other,
}

/// What can be set. Without it: refunds succeed at once, and everything is found at once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Whether a query by a refund's number finds the refund.
    pub refunds_queryable: bool,
    /// Whether a query finds payments. Where it does not, as may be with face payments, they
    /// can be refunded all the same.
    pub payments_queryable: bool,
    /// Whether a refund is found and refunded by the `app_id` alone that asked for it.
    pub numbers_per_app: bool,
    /// Queries by number show a refund, and each change of its state, so many milliseconds
    /// late.
    pub number_lag_ms: i64,
    /// Payments' totals show what was refunded or came back so many milliseconds late.
    pub total_lag_ms: i64,
    /// Whether queries show totals at all; else the field `refunded` is absent.
    pub totals_shown: bool,
    /// How the refunds go that are accepted from now on.
    pub course: Course,
    /// Refuses every refund of a payment with this code.
    pub refuse_with: Option<String>,
    /// Refuses partial refunds, with T13.
    pub refuse_partial: bool,
    /// Keeps a refund that is refused as an order in state 5; no money moves.
    pub keep_refused: bool,
    /// What a refund's answer names as its original.
    pub echo_originals: Originals,
    /// The `businessId` of refunds, in place of the one they were asked with.
    pub business_id: Option<String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            refunds_queryable: true,
            payments_queryable: true,
            numbers_per_app: false,
            number_lag_ms: 0,
            total_lag_ms: 0,
            totals_shown: true,
            course: Course::default(),
            refuse_with: None,
            refuse_partial: false,
            keep_refused: false,
            echo_originals: Originals::default(),
            business_id: None,
        }
    }
}

/// New values of some settings, by their names; `lag_ms` names both lags. It is parsed from
/// a JSON object, and only where every name and value fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Map<String, Value>", into = "Map<String, Value>")]
pub struct Patch(Map<String, Value>);

impl Patch {
    /// These settings with the new values.
    pub fn apply(&self, settings: &Settings) -> Settings {
        // What fits some settings fits all: their values do not depend on each other.
        self.merged(settings).unwrap_or_else(|_| settings.clone())
    }

    fn merged(&self, settings: &Settings) -> Result<Settings, serde_json::Error> {
        let mut merged: Map<String, Value> =
            serde_json::from_value(serde_json::to_value(settings)?)?;
        for (name, value) in &self.0 {
            let names = [name.as_str()];
            let both = ["number_lag_ms", "total_lag_ms"];
            for name in if name == "lag_ms" { &both[..] } else { &names } {
                merged.insert((*name).to_owned(), value.clone());
            }
        }
        serde_json::from_value(Value::Object(merged))
    }
}

impl TryFrom<Map<String, Value>> for Patch {
    type Error = serde_json::Error;

    fn try_from(patch: Map<String, Value>) -> Result<Self, Self::Error> {
        let patch = Self(patch);
        patch.merged(&Settings::default())?;
        Ok(patch)
    }
}

impl From<Patch> for Map<String, Value> {
    fn from(patch: Patch) -> Self {
        patch.0
    }
}

impl From<Originals> for Value {
    fn from(originals: Originals) -> Self {
        match originals {
            Originals::Echoed => true.into(),
            Originals::Absent => false.into(),
            Originals::Empty => "empty".into(),
            Originals::Other => "other".into(),
        }
    }
}

impl TryFrom<Value> for Originals {
    type Error = &'static str;

    fn try_from(value: Value) -> Result<Self, Self::Error> {
        let all = [Self::Echoed, Self::Absent, Self::Empty, Self::Other];
        let known = all.into_iter().find(|it| Value::from(*it) == value);
        known.ok_or("neither true, false, \"empty\" nor \"other\"")
    }
}
