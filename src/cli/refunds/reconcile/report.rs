//! What a comparison tells, line by line, and in sum.

use std::io::Write;

use serde_json::{Map, Value, json};

use super::Reconcile;
use super::judge::{Finding, Kind};
use super::statement::{Line, Statement};
use crate::cli::refunds::out::{self, Out};
use crate::cli::refunds::times::in_china;
use crate::cli::refunds::words::{amount, plain, time, value};
use crate::error::BoxError;
use crate::ledger::Span;

/// What is told as it is found.
pub(super) struct Report<'a> {
    options: &'a Reconcile,
    out: Out,
    compared: u64,
    left_out: u64,
    bad: u64,
    equal: u64,
    /// How many of each kind, in their order.
    kinds: [(Kind, u64); 6],
}

impl Kind {
    /// Its name.
    fn name(self) -> &'static str {
        match self {
            Self::Different => "different",
            Self::Duplicate => "duplicate",
            Self::Ambiguous => "ambiguous",
            Self::OnlyInLedger => "only_in_ledger",
            Self::OnlyInStatement => "only_in_statement",
            Self::Open => "open",
        }
    }

    /// Whether the two differ there.
    fn differs(self) -> bool {
        match self {
            Self::Different
            | Self::Duplicate
            | Self::Ambiguous
            | Self::OnlyInLedger
            | Self::OnlyInStatement => true,
            Self::Open => false,
        }
    }
}

impl<'a> Report<'a> {
    pub(super) fn new(options: &'a Reconcile) -> Self {
        let kinds = [
            Kind::Different,
            Kind::Duplicate,
            Kind::Ambiguous,
            Kind::OnlyInLedger,
            Kind::OnlyInStatement,
            Kind::Open,
        ];
        let kinds = kinds.map(|kind| (kind, 0));
        let out = out::standard();
        Self { options, out, compared: 0, left_out: 0, bad: 0, equal: 0, kinds }
    }

    /// Tells of lines that cannot be compared.
    pub(super) fn statement(&mut self, statement: &Statement) -> Result<(), BoxError> {
        self.compared = statement.lines.len() as u64;
        self.left_out = statement.left_out;
        self.bad = statement.bad.len() as u64;
        for bad in &statement.bad {
            if self.options.json {
                let json = json!({
                    "finding": "bad_line",
                    "line": bad.line,
                    "column": Some(&bad.column).filter(|column| !column.is_empty()),
                    "rule": bad.rule,
                });
                out::json_line(&mut self.out, &json)?;
                continue;
            }
            let column = match bad.column.as_str() {
                "" => String::new(),
                column => format!("column {}: ", plain(column)),
            };
            writeln!(self.out, "{:<17}  line {}: {column}{}", "bad_line", bad.line, bad.rule)?;
        }
        Ok(())
    }

    /// One more is equal.
    pub(super) fn equal(&mut self) {
        self.equal += 1;
    }

    /// Tells a finding.
    pub(super) fn tell(&mut self, finding: &Finding<'_>) -> Result<(), BoxError> {
        for (kind, count) in &mut self.kinds {
            if *kind == finding.kind {
                *count += 1;
            }
        }
        match self.options.json {
            true => out::json_line(&mut self.out, &as_json(finding)),
            false => Ok(self.out.write_all(as_text(finding).as_bytes())?),
        }
    }

    /// Tells it in sum, and whether anything differs.
    pub(super) fn finish(mut self, span: Span) -> Result<bool, BoxError> {
        match self.options.json {
            true => {
                let json = self.sum_as_json(span);
                out::json_line(&mut self.out, &json)?;
            }
            false => {
                let text = self.sum_as_text(span);
                self.out.write_all(text.as_bytes())?;
            }
        }
        self.out.flush()?;
        Ok(self.bad > 0 || self.kinds.iter().any(|(kind, count)| kind.differs() && *count > 0))
    }

    fn sum_as_json(&self, span: Span) -> Value {
        let mut sum = Map::new();
        let Span { since, until } = span;
        let texts = [
            ("finding", Some("summary".to_owned())),
            ("file", Some(self.options.file.display().to_string())),
            ("from", since.map(time)),
            ("to", until.map(time)),
        ];
        sum.extend(texts.into_iter().filter_map(|(name, text)| Some((name.into(), text?.into()))));
        let counts = [
            ("compared", self.compared),
            ("left_out", self.left_out),
            ("bad_line", self.bad),
            ("equal", self.equal),
        ];
        let kinds = self.kinds.iter().map(|(kind, count)| (kind.name(), *count));
        let all = counts.into_iter().chain(kinds);
        sum.extend(all.map(|(name, count)| (name.to_owned(), count.into())));
        Value::Object(sum)
    }

    fn sum_as_text(&self, span: Span) -> String {
        let Span { since, until } = span;
        let from = since.map_or_else(String::new, |since| format!(" from {}", in_china(since)));
        let to = until.map_or_else(String::new, |until| format!(" to {}", in_china(until)));
        let mut text = format!(
            "{}{from}{to}: {} lines compared, {} left out, {} bad\n",
            plain(&self.options.file.display().to_string()),
            self.compared,
            self.left_out,
            self.bad
        );
        let kinds = self.kinds.iter().map(|(kind, count)| (kind.name(), *count));
        for (name, count) in [("equal", self.equal)].into_iter().chain(kinds) {
            text.push_str(&format!("{name:<17}  {count}\n"));
        }
        text
    }
}

fn as_text(finding: &Finding<'_>) -> String {
    let lines: Vec<String> = finding.lines.iter().map(|line| line.line.to_string()).collect();
    let lines = match lines.as_slice() {
        [] => "-".to_owned(),
        [one] => format!("line {one}"),
        several => format!("lines {}", several.join(", ")),
    };
    let of_statement = || finding.lines.first().map(|line| of_line(line));
    let of_ledger = finding.ours.as_ref().map(|ours| {
        let key = &ours.key;
        format!("{}  {}  {}", key.app_id, key.order_id, amount(ours.amount))
    });
    let what = of_ledger.or_else(of_statement).unwrap_or_default();
    let mut text = format!(
        "{:<17}  {lines}  {}: {}\n",
        finding.kind.name(),
        plain(&what),
        plain(&finding.why)
    );
    for more in [&finding.next, &finding.command].into_iter().flatten() {
        text.push_str(&format!("    {}\n", plain(more)));
    }
    text
}

fn of_line(line: &Line) -> String {
    let number = match (&line.order_id, &line.platform_id) {
        (Some(order_id), _) => order_id,
        (None, Some(platform_id)) => platform_id,
        (None, None) => return String::new(),
    };
    let time = line.time.as_ref().map_or_else(String::new, |time| format!("  {time}"));
    let app_id = line.app_id.as_deref().unwrap_or("-");
    format!("{app_id}  {number}  {}{time}", line.amount)
}

fn as_json(finding: &Finding<'_>) -> Value {
    let mut json = Map::new();
    json.insert("finding".to_owned(), finding.kind.name().into());
    let lines: Vec<Value> = finding.lines.iter().map(|line| line_as_json(line)).collect();
    json.insert("lines".to_owned(), lines.into());
    if let Some(ours) = &finding.ours {
        let refund = json!({
            "app_id": ours.key.app_id.as_str(),
            "order_id": ours.key.order_id.as_str(),
            "amount_minor": ours.amount,
            "state": ours.state.name(),
            "outcome": ours.outcome.map(value),
            "epoch": ours.epoch,
            "claim_time": time(ours.claimed_at),
        });
        json.insert("refund".to_owned(), present(refund));
    }
    let texts = [
        ("why", Some(&finding.why)),
        ("next", finding.next.as_ref()),
        ("command", finding.command.as_ref()),
    ];
    let texts = texts.into_iter().filter_map(|(name, text)| Some((name, text?)));
    json.extend(texts.map(|(name, text)| (name.to_owned(), text.as_str().into())));
    Value::Object(json)
}

fn line_as_json(line: &Line) -> Value {
    present(json!({
        "line": line.line,
        "order_id": line.order_id,
        "platform_id": line.platform_id,
        "app_id": line.app_id,
        "amount_minor": line.amount,
        "time": line.time,
    }))
}

/// Without what is absent.
fn present(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            Value::Object(map.into_iter().filter(|(_, value)| !value.is_null()).collect())
        }
        other @ (Value::Null
        | Value::Bool(_)
        | Value::Number(_)
        | Value::String(_)
        | Value::Array(_)) => other,
    }
}
