//! How times, spans and texts are written for a person.

use jiff::Timestamp;

/// A line of a page.
pub(super) fn field(name: &str, value: &str) -> String {
    format!("{name:<16} {}\n", plain(value))
}

/// A text without what would steer a terminal, which may come from Sunmi or from a caller.
pub(super) fn plain(text: &str) -> String {
    let steers = |it: char| {
        it.is_control() || matches!(it, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    let written = |it: char| if steers(it) { it.escape_unicode().to_string() } else { it.into() };
    text.chars().map(written).collect()
}

/// A time of the ledger's.
pub(super) fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| format!("{at:.3}"))
}

/// A time of the ledger's, and how far from `now` it is.
pub(super) fn time_from(millis: i64, now: i64) -> String {
    let away = millis.saturating_sub(now);
    let far = span(away.saturating_abs());
    let written = time(millis);
    if away > 0 { format!("{written}, in {far}") } else { format!("{written}, {far} ago") }
}

/// A span of milliseconds in its two largest units.
pub(super) fn span(millis: i64) -> String {
    let seconds = millis.saturating_add(999) / 1000;
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let first = units.iter().position(|(length, _)| seconds >= *length).unwrap_or(3);
    let mut left = seconds;
    let mut written = Vec::new();
    for (length, name) in units.iter().skip(first).take(2) {
        let count = left / length;
        left %= length;
        if count > 0 || written.is_empty() {
            written.push(format!("{count} {name}"));
        }
    }
    written.join(" ")
}

pub(super) fn yes(is: bool) -> &'static str {
    if is { "yes" } else { "no" }
}

/// An amount in minor units.
pub(super) fn amount(amount: Option<i64>) -> String {
    amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string())
}

/// A value of the contract, as the contract writes it.
pub(super) fn value(value: impl std::fmt::Debug) -> String {
    format!("{value:?}").to_uppercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_as_long_as_each_other_and_say_how_far_they_are() {
        assert_eq!(time(1_764_000_000_010), "2025-11-24T16:00:00.010Z");
        assert_eq!(time_from(41_000, 0), "1970-01-01T00:00:41.000Z, in 41 s");
        assert_eq!(time_from(0, 61_000), "1970-01-01T00:00:00.000Z, 1 min 1 s ago");
        assert_eq!(time(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn spans_are_told_in_two_units_and_never_shorter_than_they_are() {
        let table = [
            (0, "0 s"),
            (1, "1 s"),
            (41_000, "41 s"),
            (60_000, "1 min"),
            (61_001, "1 min 2 s"),
            (3_600_000, "1 h"),
            (3_660_000, "1 h 1 min"),
            (200_000_000, "2 d 7 h"),
        ];
        for (millis, expected) in table {
            assert_eq!(span(millis), expected, "{millis}");
        }
    }

    #[test]
    fn what_would_steer_a_terminal_is_written_out() {
        assert_eq!(plain("退款 failed\u{1b}[2J\n\u{202e}"), r"退款 failed\u{1b}[2J\u{a}\u{202e}");
    }
}
