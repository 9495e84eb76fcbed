//! A statement of Sunmi's or of the payment platform's, compared with the ledger.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{ArgGroup, Args};

use super::Place;
use super::times::Period;
use crate::error::BoxError;
use crate::ledger::{Ledger, Span};
use crate::refund::Rules;
use crate::trade::Identifier;

mod amount;
mod compare;
mod decode;
mod judge;
mod lines;
mod report;
mod statement;

use amount::Unit;
use compare::Comparison;
use decode::Encoding;
use judge::Judge;
use lines::Lines;
use report::Report;

/// The exit status where something differs.
const DIFFERS: u8 = 3;

/// The statement, how it is to be read, and what it is compared with.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("when").required(true).multiple(true).args(["day", "from", "to"])))]
#[command(group(ArgGroup::new("numbers").required(true).multiple(true)
    .args(["column_order_id", "column_platform_id"])))]
pub(in crate::cli) struct Reconcile {
    /// The statement: comma-separated values with a line of names
    file: PathBuf,
    #[command(flatten)]
    period: Period,
    /// How long before or after it was claimed or became known Sunmi may say that a refund was
    /// made, by another clock
    #[arg(long, value_name = "SPAN", default_value = "1h", value_parser = humantime::parse_duration)]
    margin: Duration,
    #[command(flatten)]
    columns: Columns,
    /// What amounts are in: minor (fen) or yuan
    #[arg(long, value_enum)]
    amount_unit: Unit,
    /// Compare only lines with this value in this column; of several for one column any, of
    /// several columns all
    #[arg(long, value_name = "COLUMN=VALUE", value_parser = condition)]
    only_where: Vec<(String, String)>,
    /// What stands between columns: one ASCII character, or tab
    #[arg(long, value_name = "CHARACTER", default_value = ",", value_parser = delimiter)]
    delimiter: u8,
    /// What the file is written in; a byte-order mark is believed more
    #[arg(long, value_enum, default_value_t = Encoding::Utf8)]
    encoding: Encoding,
    /// So many lines stand before the line of names
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip_first: usize,
    /// So many lines that are not empty stand after the refunds
    #[arg(long, value_name = "LINES", default_value_t = 0)]
    skip_last: usize,
    /// Who decides, in the commands that are printed
    #[arg(long, value_name = "NAME", default_value = "NAME")]
    by: String,
    /// A JSON object on each line: the findings, then a summary
    #[arg(long)]
    json: bool,
}

/// The names of the columns.
#[derive(Debug, Args)]
pub(super) struct Columns {
    /// The column with the refund's own number: RefundRequest.order_id
    #[arg(long = "column-order-id", value_name = "COLUMN", id = "column_order_id")]
    order_id: Option<String>,
    /// The column with the payment platform's number of the refund, for lines whose own number is
    /// empty or not in the ledger
    #[arg(long = "column-platform-id", value_name = "COLUMN", id = "column_platform_id")]
    platform_id: Option<String>,
    /// The column with the amount that was refunded
    #[arg(long = "column-amount", value_name = "COLUMN", id = "column_amount")]
    amount: String,
    /// The column with the time, which is shown as it is
    #[arg(long = "column-time", value_name = "COLUMN", id = "column_time")]
    time: Option<String>,
    /// The column with who signed it; with --app-id, lines of others are left out
    #[arg(long = "column-app-id", value_name = "COLUMN", id = "column_app_id")]
    app_id: Option<String>,
}

fn condition(text: &str) -> Result<(String, String), &'static str> {
    let (column, value) = text.split_once('=').ok_or("must be COLUMN=VALUE")?;
    Ok((column.trim().to_owned(), value.trim().to_owned()))
}

fn delimiter(text: &str) -> Result<u8, &'static str> {
    match text.as_bytes() {
        _ if matches!(text, "tab" | r"\t") => Ok(b'\t'),
        [one] if one.is_ascii() && !matches!(one, b'"' | b'\n' | b'\r') => Ok(*one),
        _ => Err("must be one ASCII character, or tab"),
    }
}

/// Compares them, and prints what differs.
///
/// # Errors
/// Why they cannot be compared.
pub(super) async fn run(
    ledger: &Ledger,
    options: &Reconcile,
    place: &Place,
    app_id: Option<Identifier>,
    rules: &Rules,
) -> Result<ExitCode, BoxError> {
    let span = options.period.span()?;
    let mut report = Report::new(options);
    let only = app_id.as_ref().map(Identifier::as_str);
    let statement = statement::read(options, only)?;
    report.statement(&statement)?;
    let lines = Lines::new(statement.lines);
    let judge = Judge { options, place, rules, span };
    let mut ledger = ledger.snapshot().await?;
    let mut comparison = Comparison::new(&lines, &judge, &mut report);
    comparison.of_period(&mut ledger, app_id.as_ref()).await?;
    comparison.by_number(&mut ledger, app_id.as_ref()).await?;
    comparison.by_platform(&mut ledger, app_id.as_ref()).await?;
    comparison.by_numbers_to_settle(&mut ledger, app_id.as_ref()).await?;
    comparison.finish()?;
    let differs = report.finish(span)?;
    Ok(ExitCode::from(if differs { DIFFERS } else { 0 }))
}

impl Judge<'_> {
    /// How long Sunmi's clock may be away from the ledger's, in milliseconds.
    fn margin(&self) -> i64 {
        i64::try_from(self.options.margin.as_millis()).unwrap_or(i64::MAX)
    }

    /// Whether a time lies in the period.
    fn is_within(&self, time: i64) -> bool {
        let Span { since, until } = self.span;
        since.is_none_or(|since| since <= time) && until.is_none_or(|until| time < until)
    }
}
