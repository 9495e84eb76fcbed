//! The error table in words, for `sunmi-trade explain` and `docs/errors.md`.

use std::fmt::Write;

use crate::error::{Again, Fault, OnRefund};
use crate::sunmi::codes::{CODES, Meaning};

/// What the contract puts before each reason.
const REASON_PREFIX: &str = "ERROR_REASON_";

/// The rows that a Sunmi code or a reason names, in whatever case, each explained in a
/// paragraph. Empty if it names none.
pub fn explain(name: &str) -> String {
    let name = name.to_ascii_uppercase();
    // As tools print it that decode the details of an error.
    let name = name.strip_prefix(REASON_PREFIX).unwrap_or(&name);
    let explained: Vec<String> = Fault::ALL
        .into_iter()
        .filter(|fault| code(*fault).is_some_and(|code| code == name) || fault.row().reason == name)
        .map(paragraph)
        .collect();
    if !explained.is_empty() {
        return explained.join("\n");
    }
    no_fault(name).map(|text| format!("{text}\n")).unwrap_or_default()
}

/// The head of the table in Markdown.
pub const TABLE_HEAD: &str = "\
| Sunmi | reason | gRPC status | on Refund | tried again here | next step | message |
|---|---|---|---|---|---|---|";

/// The row of a fault in Markdown.
pub fn table_row(fault: Fault) -> String {
    let row = fault.row();
    format!(
        "| {} | `{}` | `{}` | {} | {} | `{}` | {} |",
        code(fault).unwrap_or("–"),
        row.reason,
        row.code.name(),
        on_refund(row.on_refund),
        again(row.again),
        row.next_step.name(),
        row.message,
    )
}

fn paragraph(fault: Fault) -> String {
    let row = fault.row();
    let mut text = String::new();
    let head = code(fault).map(|code| format!("{code} ")).unwrap_or_default();
    let lines = [
        ("message", row.message),
        ("gRPC status", row.code.name()),
        ("on Refund", on_refund(row.on_refund)),
        ("tried again", again(row.again)),
        ("next step", row.next_step.name()),
    ];
    let _ = writeln!(text, "{head}{}", row.reason);
    for (name, value) in lines {
        let _ = writeln!(text, "  {name:<12} {value}");
    }
    text
}

/// What a code means that is no fault.
fn no_fault(name: &str) -> Option<&'static str> {
    let row = CODES.iter().find(|row| row.code == name)?;
    match row.meaning {
        Meaning::Success => Some("success: the reply has the result"),
        Meaning::Processing => {
            Some("accepted and not finished: an OK reply with TRADE_STATE_PROCESSING; ask again")
        }
        Meaning::Fault(_) => None,
    }
}

/// The Sunmi code that stands for this fault.
fn code(fault: Fault) -> Option<&'static str> {
    let stands_for = |means: &Meaning| match means {
        Meaning::Fault(Fault::ParameterMissing) => {
            matches!(fault, Fault::ParameterMissing | Fault::ServerParameterMissing)
        }
        Meaning::Fault(Fault::ParameterRequired) => {
            matches!(fault, Fault::ParameterRequired | Fault::ServerParameterRequired)
        }
        Meaning::Fault(means) => *means == fault,
        Meaning::Success | Meaning::Processing => false,
    };
    CODES.iter().find(|row| stands_for(&row.meaning)).map(|row| row.code)
}

fn on_refund(on_refund: OnRefund) -> &'static str {
    match on_refund {
        OnRefund::NotApplied => "no money moved: NOT_APPLIED",
        OnRefund::Look => "looked for first; if the looks bear it out, NOT_APPLIED",
        OnRefund::NotAttempted => "nothing sent in this call: NOT_ATTEMPTED",
        OnRefund::Unknown => "looked for; if not settled, REFUND_OUTCOME_UNKNOWN",
    }
}

fn again(again: Again) -> &'static str {
    match again {
        Again::Never => "no",
        Again::Reads => "reads",
        Again::Any => "reads and Refund",
    }
}
