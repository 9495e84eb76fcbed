//! The fault script: what to spoil, in order. The first entry that fits a call is used up
//! by it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::book::Endpoint;

/// One entry of the script.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Only for this call; absent: for any.
    pub endpoint: Option<Endpoint>,
    /// For so many calls; absent: one.
    #[serde(default = "once")]
    pub times: u32,
    /// Before anything else, so many milliseconds pass.
    #[serde(default)]
    pub delay_ms: u64,
    /// Whether the call is executed all the same, before the answer.
    #[serde(default)]
    pub execute: bool,
    /// What is answered.
    pub answer: Answer,
}

fn once() -> u32 {
    1
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
    /// This HTTP status.
    Http {
        /// From 200 to 599.
        status: u16,
        /// The header `Retry-After`.
        #[serde(default)]
        retry_after: Option<String>,
        /// The body.
        #[serde(default)]
        body: String,
    },
}

/// The script, as far as it is not used up.
#[derive(Debug, Default)]
pub struct Script(VecDeque<Fault>);

impl Script {
    /// Adds an entry at the end.
    pub fn push(&mut self, fault: Fault) {
        self.0.push_back(fault);
    }

    /// Forgets all that is left.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// What is left.
    pub fn left(&self) -> impl Iterator<Item = &Fault> {
        self.0.iter()
    }

    /// The entry for this call, if there is one.
    pub fn next(&mut self, endpoint: Endpoint) -> Option<Fault> {
        let fits = |fault: &Fault| fault.endpoint.is_none_or(|only| only == endpoint);
        let at = self.0.iter().position(fits)?;
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
        let mut next = |endpoint| script.next(endpoint).map(|fault| fault.answer);
        assert_eq!(next(Endpoint::Refund), Some(Answer::Hang));
        assert_eq!(next(Endpoint::Query), Some(Answer::Code("S03".to_owned())));
        assert_eq!(next(Endpoint::Query), None);
        assert_eq!(next(Endpoint::Refund), Some(Answer::Hang));
        assert_eq!(next(Endpoint::Refund), None);
    }
}
