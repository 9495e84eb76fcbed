//! Rows that fit a filter, each on one line.

use std::io::Write;

use super::words::{amount, plain, time};
use super::{out, pages, record};
use crate::error::BoxError;
use crate::ledger::{Doubt, Filter, Ledger, Pending, Row, State};
use crate::refund::Rules;
use crate::trade::{Evidence, TradeState};

/// Prints so many of those that fit.
///
/// # Errors
/// That the ledger cannot be read, or standard output cannot be written.
pub(super) async fn print(
    ledger: &Ledger,
    filter: &Filter,
    limit: i64,
    json: bool,
    rules: &Rules,
) -> Result<(), BoxError> {
    let mut out = out::standard();
    let mut ledger = ledger.snapshot().await?;
    pages::each(&mut ledger, filter, limit, |row| {
        match json {
            true => out::json_line(&mut out, &record::of(&row, rules))?,
            false => writeln!(out, "{}", line(&row, rules))?,
        }
        Ok(())
    })
    .await?;
    out.flush()?;
    Ok(())
}

/// When it was claimed, its state, whether it needs a person, whose it is, its number, its amount,
/// and why it is as it is, in a word.
fn line(row: &Row, rules: &Rules) -> String {
    let person = row.needs_person(rules.patience());
    format!(
        "{}  {:<11}  {:<6}  {}  {}  {}  {}",
        time(row.claimed_at),
        row.state.name(),
        if person { "person" } else { "-" },
        row.key.app_id,
        row.key.order_id,
        amount(row.amount),
        plain(&why(row)),
    )
}

fn why(row: &Row) -> String {
    if row.disputed.is_some() {
        return "disputed".to_owned();
    }
    let word = match row.state {
        State::Claimed if row.lease_is_over() => "no-answer",
        State::Claimed => "sending",
        State::InDoubt if row.was_found_before_send() => "found-before",
        State::InDoubt => return answered(row).unwrap_or_else(|| "no-answer".to_owned()),
        State::Processing => "accepted",
        State::Settled if is_by_person(row) => "decided",
        State::Settled if row.outcome == Some(TradeState::Failed) => "failed",
        State::Settled => "succeeded",
        State::NotApplied if was_refused(row) => {
            return answered(row).unwrap_or_else(|| "refused".to_owned());
        }
        State::NotApplied if row.decided.is_some() => "decided",
        State::NotApplied => "no-money-moved",
    };
    word.to_owned()
}

/// The code that Sunmi answered last, or else the HTTP status.
fn answered(row: &Row) -> Option<String> {
    let doubt = row.doubt.as_ref()?;
    let status = || Some(format!("HTTP-{}", doubt.http_status?));
    doubt.code.clone().filter(|code| !code.is_empty()).or_else(status)
}

fn was_refused(row: &Row) -> bool {
    let pending = row.doubt.as_ref().and_then(|doubt: &Doubt| doubt.pending.as_ref());
    matches!(pending, Some(Pending::Refusal { .. }))
}

fn is_by_person(row: &Row) -> bool {
    row.answer.as_ref().is_some_and(|answer| answer.evidence == Evidence::Operator)
}
