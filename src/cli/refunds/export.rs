//! Refunds of a period, written out whole: as a table or as JSON lines.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::progress::{self, Progress};
use super::times::Period;
use super::{out, pages, record};
use crate::cli::asked_to_stop;
use crate::error::BoxError;
use crate::ledger::{Filter, Ledger, Row, Span};
use crate::refund::Rules;
use crate::trade::Identifier;

mod file;
mod table;

use file::Partial;

/// What is written, and where to.
#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    #[command(flatten)]
    period: Period,
    /// Which time has to lie in the period: that of the last claim, or of the last change of state
    #[arg(long, value_enum, default_value_t = By::Claimed)]
    by: By,
    /// How it is written: a table whose texts no spreadsheet takes for formulas, or a JSON object
    /// a line, exact
    #[arg(long, value_enum, default_value_t = Format::Csv)]
    format: Format,
    /// Write to this file, which is there only once it is whole, and not to standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum By {
    Claimed,
    Changed,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// Writes it.
///
/// # Errors
/// That the ledger cannot be read, or it cannot be written.
pub(super) async fn run(
    ledger: &Ledger,
    export: Export,
    app_id: Option<Identifier>,
    rules: &Rules,
) -> Result<(), BoxError> {
    let filter = filter(&export, app_id)?;
    let Some(path) = &export.output else {
        // A bar beside the rows themselves would be neither.
        let bar = !io::stdout().is_terminal();
        let mut out = out::standard();
        write(ledger, &filter, Rows::new(export.format, &mut out)?, rules, bar).await?;
        return Ok(out.flush()?);
    };
    let mut file = Partial::begin(path)?;
    let stop = asked_to_stop()?;
    tokio::select! {
        // What there is of the file goes with it.
        () = stop => return Err("stopped: nothing is written".into()),
        done = write(ledger, &filter, Rows::new(export.format, &mut file)?, rules, true) => done?,
    }
    file.keep()
}

fn filter(export: &Export, app_id: Option<Identifier>) -> Result<Filter, String> {
    let (span, any) = (export.period.span()?, Span::default());
    let (claimed, changed) = match export.by {
        By::Claimed => (span, any),
        By::Changed => (any, span),
    };
    Ok(Filter { app_id, claimed, changed, ..Filter::default() })
}

async fn write(
    ledger: &Ledger,
    filter: &Filter,
    mut rows: Rows<impl Write>,
    rules: &Rules,
    bar: bool,
) -> Result<(), BoxError> {
    let mut progress = match bar && progress::is_seen() {
        true => Progress::of("refunds", ledger.count(filter).await.ok()),
        false => Progress::hidden(),
    };
    let mut snapshot = ledger.snapshot().await?;
    pages::each(&mut snapshot, filter, i64::MAX, |row| {
        progress.advance(1);
        rows.write(&row, rules)
    })
    .await?;
    rows.finish()
}

/// What writes rows one after another.
enum Rows<W: Write> {
    Table(Box<csv::Writer<W>>),
    Lines(W),
}

impl<W: Write> Rows<W> {
    fn new(format: Format, to: W) -> Result<Self, BoxError> {
        match format {
            Format::Jsonl => Ok(Self::Lines(to)),
            Format::Csv => {
                let mut table = csv::Writer::from_writer(to);
                table.write_record(table::header())?;
                Ok(Self::Table(Box::new(table)))
            }
        }
    }

    fn write(&mut self, row: &Row, rules: &Rules) -> Result<(), BoxError> {
        let record = record::of(row, rules);
        match self {
            Self::Table(table) => Ok(table.write_record(table::cells(&record))?),
            Self::Lines(to) => out::json_line(to, &record),
        }
    }

    fn finish(self) -> Result<(), BoxError> {
        match self {
            Self::Table(mut table) => Ok(table.flush()?),
            Self::Lines(mut to) => Ok(to.flush()?),
        }
    }
}
