//! Times and days as a person gives them, and periods made of them.

use clap::Args;
use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};
use jiff::{Timestamp, ToSpan};

use crate::ledger::Span;

/// A time, in milliseconds since 1970.
///
/// # Errors
/// What it has to be.
pub(super) fn time(text: &str) -> Result<i64, String> {
    if let Ok(day) = day(text) {
        return beginning(day);
    }
    let rule = "must be a time as 2026-11-25T14:30:00+08:00, or a day as 2026-11-25, which is \
                China's and means its beginning";
    let time: Timestamp = text.parse().map_err(|_| rule.to_owned())?;
    // The first millisecond that is not before it.
    let nanos = time.as_nanosecond();
    i64::try_from(nanos.div_euclid(1_000_000) + i128::from(nanos.rem_euclid(1_000_000) > 0))
        .map_err(|_| rule.to_owned())
}

/// A day.
///
/// # Errors
/// What it has to be.
fn day(text: &str) -> Result<Date, String> {
    let rule = || "must be a day as 2026-11-25".to_owned();
    // Other ways to write a day are not for mistakes to fall into.
    let plain = text.len() == 10 && text.bytes().all(|it| it.is_ascii_digit() || it == b'-');
    if !plain {
        return Err(rule());
    }
    text.parse().map_err(|_| rule())
}

/// When a day begins in China, which has had no summer time since 1991.
fn beginning(day: Date) -> Result<i64, String> {
    let begins = day.to_zoned(china());
    Ok(begins.map_err(|error| error.to_string())?.timestamp().as_millisecond())
}

fn china() -> TimeZone {
    TimeZone::fixed(Offset::constant(8))
}

/// A time of the ledger's on China's clocks.
pub(super) fn in_china(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(
        |_| millis.to_string(),
        |at| format!("{:.3}", at.display_with_offset(Offset::constant(8))),
    )
}

/// From when until when.
#[derive(Debug, Args)]
pub(in crate::cli) struct Period {
    /// China's day, such as 2026-11-25
    #[arg(long, value_name = "DAY", value_parser = day, conflicts_with_all = ["from", "to"])]
    day: Option<Date>,
    /// From this time on: 2026-11-25T14:30:00+08:00, or a day, which is China's and means its
    /// beginning
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<i64>,
    /// Before this time, likewise
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<i64>,
}

impl Period {
    /// The period; everything where none was given.
    ///
    /// # Errors
    /// That there is nothing in it.
    pub(super) fn span(&self) -> Result<Span, String> {
        if let Some(day) = self.day {
            let next = day.checked_add(1.day()).map_err(|error| error.to_string())?;
            return Ok(Span { since: Some(beginning(day)?), until: Some(beginning(next)?) });
        }
        let Self { from, to, day: _ } = self;
        if let (Some(from), Some(to)) = (from, to)
            && from >= to
        {
            return Err("--from: must be before --to".to_owned());
        }
        Ok(Span { since: *from, until: *to })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_one_of_rfc_3339_or_the_beginning_of_chinas_day() {
        let table = [
            ("1970-01-01", Some(-8 * 3_600_000)),
            ("2026-11-25", Some(1_795_536_000_000)),
            ("2026-11-25T00:00:00+08:00", Some(1_795_536_000_000)),
            ("2026-11-24T16:00:00Z", Some(1_795_536_000_000)),
            ("2026-11-24T16:00:00.0001Z", Some(1_795_536_000_001)),
            ("2026-11-24T16:00:00.001Z", Some(1_795_536_000_001)),
            ("2026-11-25T00:00:00", None),
            ("20261125", None),
            ("2026-02-30", None),
            ("yesterday", None),
            ("", None),
        ];
        for (text, expected) in table {
            assert_eq!(time(text).ok(), expected, "{text}");
        }
        assert_eq!(in_china(1_795_536_000_000), "2026-11-25T00:00:00.000+08:00");
    }

    #[test]
    fn a_day_is_as_long_as_chinas() {
        let period = Period { day: day("2026-12-31").ok(), from: None, to: None };
        let Span { since, until } = period.span().unwrap();
        let [since, until] = [since, until].map(|time| in_china(time.unwrap()));
        assert_eq!(since, "2026-12-31T00:00:00.000+08:00");
        assert_eq!(until, "2027-01-01T00:00:00.000+08:00");
        let none = Period { day: None, from: Some(5), to: Some(5) };
        assert_eq!(none.span().unwrap_err(), "--from: must be before --to");
    }
}
