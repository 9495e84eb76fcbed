//! The columns of an export, and what is in them.

use serde_json::Value;

use crate::cli::refunds::record::Record;

/// What is in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Numbers, times and words of this program.
    Ours,
    /// What callers, persons and Sunmi wrote.
    Text,
    /// The kind of the original.
    WhichOriginal,
    /// The original.
    Original,
    /// The same, of Sunmi's answer.
    Answer(&'static str),
}

/// The columns, in their order. New ones come at the end.
const COLUMNS: [(&str, Kind); 36] = [
    ("app_id", Kind::Text),
    ("order_id", Kind::Text),
    ("state", Kind::Ours),
    ("outcome", Kind::Ours),
    ("amount_minor", Kind::Ours),
    ("original_kind", Kind::WhichOriginal),
    ("original", Kind::Original),
    ("business_id", Kind::Text),
    ("msn", Kind::Text),
    ("claim_time", Kind::Ours),
    ("change_time", Kind::Ours),
    ("lease_end_time", Kind::Ours),
    ("epoch", Kind::Ours),
    ("needs_person", Kind::Ours),
    ("evidence", Kind::Ours),
    ("told", Kind::Ours),
    ("caller", Kind::Text),
    ("operator", Kind::Text),
    ("reason", Kind::Text),
    ("doubt_reason", Kind::Text),
    ("sunmi_code", Kind::Text),
    ("sunmi_message", Kind::Text),
    ("http_status", Kind::Ours),
    ("dispute", Kind::Text),
    ("decided_by", Kind::Text),
    ("decided_reason", Kind::Text),
    ("payment_platform_id", Kind::Text),
    ("payment_order_id", Kind::Text),
    ("payment_mis_id", Kind::Text),
    ("reply_pay_time", Kind::Answer("pay_time")),
    ("reply_platform", Kind::Answer("platform")),
    ("reply_platform_id", Kind::Answer("platform_id")),
    ("reply_mis_id", Kind::Answer("mis_id")),
    ("reply_result_code", Kind::Answer("result_code")),
    ("reply_result_message", Kind::Answer("result_message")),
    ("emptied", Kind::Ours),
];

/// The names of the columns.
pub(super) fn header() -> impl Iterator<Item = &'static str> {
    COLUMNS.iter().map(|(name, _)| *name)
}

/// A refund in them.
pub(super) fn cells(record: &Record) -> impl Iterator<Item = String> {
    let originals = ["mis_id", "order_id", "platform_id"];
    let of_original = |kind: &&str| record.get(&format!("ori_{kind}"));
    COLUMNS.iter().map(move |(name, kind)| match kind {
        Kind::Ours => text(record.get(*name)),
        Kind::Text => guarded(text(record.get(*name))),
        Kind::WhichOriginal => {
            let kind = originals.iter().find(|kind| of_original(kind).is_some());
            kind.map_or_else(String::new, |kind| (*kind).to_owned())
        }
        Kind::Original => guarded(text(originals.iter().find_map(of_original))),
        Kind::Answer(name) => guarded(text(record.get("reply").and_then(|reply| reply.get(*name)))),
    })
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_))) => {
            other.to_string()
        }
    }
}

/// With an apostrophe before what a spreadsheet would take for a formula: it shows the text then.
/// The full-width signs are formulas to some that are set to Chinese.
fn guarded(text: String) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r' | '\n' | '＝' | '＋' | '－' | '＠') => {
            format!("'{text}")
        }
        Some(_) | None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_spreadsheet_would_calculate_is_shown_to_it_as_text() {
        for text in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1"] {
            assert_eq!(guarded(text.to_owned()), format!("'{text}"));
        }
        for text in ["", "R-1", "'=1", " =1", "退款"] {
            assert_eq!(guarded(text.to_owned()), text);
        }
    }
}
