//! What is read of a statement.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};

use csv::{ReaderBuilder, StringRecord, Terminator};

use super::decode::Decoded;
use super::{Reconcile, amount};
use crate::cli::refunds::progress::Progress;
use crate::error::BoxError;
use crate::words::plain;

/// What a statement says.
pub(super) struct Statement {
    /// The refunds.
    pub(super) lines: Vec<Line>,
    /// What cannot be read as a refund.
    pub(super) bad: Vec<Bad>,
    /// How many lines --only-where, --app-id and --skip-last leave out.
    pub(super) left_out: u64,
}

/// A refund of a statement. It has one of the numbers at least.
pub(super) struct Line {
    /// Where it stands, from 1.
    pub(super) line: u64,
    pub(super) order_id: Option<Box<str>>,
    pub(super) platform_id: Option<Box<str>>,
    pub(super) app_id: Option<Box<str>>,
    /// In minor units.
    pub(super) amount: i64,
    pub(super) time: Option<Box<str>>,
}

/// A line that cannot be read as a refund, and why.
pub(super) struct Bad {
    pub(super) line: u64,
    pub(super) column: String,
    pub(super) rule: String,
}

/// Reads it.
///
/// # Errors
/// That it cannot be read, or which column is not there.
pub(super) fn read(options: &Reconcile, app_id: Option<&str>) -> Result<Statement, BoxError> {
    let name = options.file.display();
    let file = File::open(&options.file).map_err(|error| format!("{name}: {error}"))?;
    let mut text = BufReader::new(Decoded::new(file, options.encoding));
    let skipped = skip(&mut text, options.skip_first)?;
    let mut records = Records::new(text, options.delimiter, skipped);
    let Some((_, header)) = records.next()? else {
        return Err(format!("{name}: has no line of names").into());
    };
    let layout = Layout::new(options, &header).map_err(|fault| format!("{name}: {fault}"))?;
    let mut statement = Statement { lines: Vec::new(), bad: Vec::new(), left_out: 0 };
    let mut held = VecDeque::new();
    let mut progress = Progress::of("lines", None);
    while let Some(record) = records.next()? {
        progress.advance(1);
        held.push_back(record);
        if held.len() > options.skip_last
            && let Some((line, record)) = held.pop_front()
        {
            statement.add(&layout, line, &record, app_id);
        }
    }
    statement.left_out += held.len() as u64;
    Ok(statement)
}

fn skip(text: &mut impl BufRead, lines: usize) -> Result<u64, BoxError> {
    let mut skipped = 0;
    for _ in 0..lines {
        if text.skip_until(b'\n')? > 0 {
            skipped += 1;
        }
    }
    Ok(skipped)
}

impl Statement {
    fn add(&mut self, layout: &Layout, line: u64, record: &StringRecord, app_id: Option<&str>) {
        match layout.read(line, record, app_id) {
            Ok(Some(line)) => self.lines.push(line),
            Ok(None) => self.left_out += 1,
            Err((column, rule)) => self.bad.push(Bad { line, column, rule }),
        }
    }
}

/// Records, and on which lines of the file they begin.
struct Records<R> {
    reader: csv::Reader<R>,
    /// So many lines were read before.
    skipped: u64,
}

impl<R: Read> Records<R> {
    fn new(text: R, delimiter: u8, skipped: u64) -> Self {
        let reader = ReaderBuilder::new()
            .delimiter(delimiter)
            .terminator(Terminator::Any(b'\n'))
            .has_headers(false)
            .flexible(true)
            .from_reader(text);
        Self { reader, skipped }
    }

    /// The next one that is not empty.
    fn next(&mut self) -> Result<Option<(u64, StringRecord)>, BoxError> {
        let mut record = StringRecord::new();
        while self.reader.read_record(&mut record)? {
            if record.iter().any(|cell| !clean(cell).is_empty()) {
                // Its own position is that of the empty lines before it. All lines end with a line
                // feed, this one, too.
                let within: usize =
                    record.iter().map(|cell| cell.matches('\n').count()).sum::<usize>() + 1;
                let begin = self.reader.position().line().saturating_sub(within as u64);
                // But for a last one whose quotation is never closed.
                let least = record.position().map_or(0, csv::Position::line);
                return Ok(Some((begin.max(least) + self.skipped, record)));
            }
        }
        Ok(None)
    }
}

/// A cell without what statements put around it: blanks and tabs, and the backtick with which
/// WeChat Pay keeps spreadsheets from rounding.
fn clean(cell: &str) -> &str {
    let cell = cell.trim();
    cell.strip_prefix('`').unwrap_or(cell).trim()
}

/// Which columns are read. A column is its place and its name.
struct Layout<'a> {
    options: &'a Reconcile,
    width: usize,
    order_id: Option<Column>,
    platform_id: Option<Column>,
    amount: Column,
    time: Option<Column>,
    app_id: Option<Column>,
    /// The values that a column may have.
    conditions: Vec<(Column, Vec<&'a str>)>,
}

type Column = (usize, String);

/// The column of a fault, and what it has to be.
type Fault = (String, String);

impl<'a> Layout<'a> {
    fn new(options: &'a Reconcile, header: &StringRecord) -> Result<Self, String> {
        let column = |name: &String| find(name, header);
        let columns = &options.columns;
        let optional = |name: &Option<String>| name.as_ref().map(column).transpose();
        let mut conditions: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
        for (name, value) in &options.only_where {
            conditions.entry(name).or_default().push(value);
        }
        let conditions = conditions.into_iter().map(|(name, values)| Ok((column(name)?, values)));
        Ok(Self {
            options,
            width: header.len(),
            order_id: optional(&columns.order_id)?,
            platform_id: optional(&columns.platform_id)?,
            amount: column(&columns.amount)?,
            time: optional(&columns.time)?,
            app_id: optional(&columns.app_id)?,
            conditions: conditions.collect::<Result<_, String>>()?,
        })
    }

    /// The refund of a line; none where it is left out.
    fn read(
        &self,
        line: u64,
        record: &StringRecord,
        app_id: Option<&str>,
    ) -> Result<Option<Line>, Fault> {
        if self.has_swallowed(record) {
            let rule = "has a cell that goes on in other lines: is a quotation mark missing?";
            return Err((String::new(), rule.to_owned()));
        }
        if record.len() != self.width {
            let rule = format!("has {} columns, and {} have names", record.len(), self.width);
            return Err((String::new(), rule));
        }
        for (column, values) in &self.conditions {
            if !values.contains(&self.cell(record, column)?) {
                return Ok(None);
            }
        }
        let optional = |column: &Option<Column>| -> Result<Option<Box<str>>, Fault> {
            let Some(column) = column else { return Ok(None) };
            Ok(Some(self.cell(record, column)?).filter(|it| !it.is_empty()).map(Box::from))
        };
        let of = optional(&self.app_id)?;
        if let (Some(app_id), Some(of)) = (app_id, &of)
            && app_id != of.as_ref()
        {
            return Ok(None);
        }
        let (order_id, platform_id) = (optional(&self.order_id)?, optional(&self.platform_id)?);
        if order_id.is_none() && platform_id.is_none() {
            let named = [&self.order_id, &self.platform_id].into_iter().flatten();
            let names: Vec<&str> = named.map(|(_, name)| name.as_str()).collect();
            return Err((names.join(", "), "must have the refund's number".to_owned()));
        }
        let amount = amount::read(self.cell(record, &self.amount)?, self.options.amount_unit);
        let amount = amount.map_err(|rule| (self.amount.1.clone(), rule.to_owned()))?;
        let time = optional(&self.time)?;
        Ok(Some(Line { line, order_id, platform_id, app_id: of, amount, time }))
    }

    /// Whether a cell holds what looks like lines of their own, as after a quotation mark that is
    /// never closed, or closed by the next stray one: they must not go unseen.
    fn has_swallowed(&self, record: &StringRecord) -> bool {
        let delimiter = char::from(self.options.delimiter);
        let is_line = |text: &str| text.matches(delimiter).count() + 1 >= self.width;
        let mut cells = record.iter();
        cells.any(|cell| cell.ends_with('\n') || cell.split('\n').skip(1).any(is_line))
    }

    fn cell<'r>(&self, record: &'r StringRecord, column: &Column) -> Result<&'r str, Fault> {
        let (place, name) = column;
        let cell = clean(record.get(*place).unwrap_or_default());
        if cell.contains('\u{fffd}') {
            let encoding = self.options.encoding.name();
            return Err((name.clone(), format!("must be {encoding} as --encoding says")));
        }
        Ok(cell)
    }
}

/// The column of this name.
fn find(name: &str, header: &StringRecord) -> Result<Column, String> {
    let mut found = header.iter().enumerate().filter(|(_, cell)| clean(cell) == name.trim());
    let names = || header.iter().map(clean).collect::<Vec<_>>().join(", ");
    match (found.next(), found.next()) {
        (None, _) => Err(plain(&format!("has no column {name}; it has: {}", names()))),
        (Some((place, _)), None) => Ok((place, name.trim().to_owned())),
        (Some(_), Some(_)) => Err(format!("has more than one column {name}: {}", names())),
    }
}
