//! How times, spans, foreign texts and commands are written for a person, at the command line and
//! on the page.

use jiff::Timestamp;

mod commands;

pub(crate) use commands::{DECISION, quoted, resolve, settle, verify};

/// A text without what would steer a terminal or reorder a line, which may come from Sunmi or from
/// a caller.
pub(crate) fn plain(text: &str) -> String {
    let written = |it: char| if steers(it) { it.escape_unicode().to_string() } else { it.into() };
    text.chars().map(written).collect()
}

/// Control characters, those that end a line, those that set the direction of writing, and those
/// that nobody sees.
fn steers(it: char) -> bool {
    it.is_control()
        || matches!(it, '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(it, '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// A time of the ledger's, in milliseconds since 1970.
pub(crate) fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| format!("{at:.3}"))
}

/// A span of milliseconds in its two largest units.
pub(crate) fn span(millis: i64) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_would_steer_a_terminal_or_reorder_a_line_is_written_out() {
        assert_eq!(plain("退款 failed\u{1b}[2J\n\u{202e}"), r"退款 failed\u{1b}[2J\u{a}\u{202e}");
        assert_eq!(plain("\u{200f}\u{61c}\u{2066}\u{2028}"), r"\u{200f}\u{61c}\u{2066}\u{2028}");
        assert_eq!(plain("R\u{200b}1\u{feff}"), r"R\u{200b}1\u{feff}");
    }
}
