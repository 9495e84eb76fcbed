//! How a page of the command line is written.

pub(super) use crate::words::{plain, span, time};

/// A line of a page.
pub(super) fn field(name: &str, value: &str) -> String {
    format!("{name:<16} {}\n", plain(value))
}

/// A time of the ledger's, and how far from `now` it is.
pub(super) fn time_from(millis: i64, now: i64) -> String {
    let away = millis.saturating_sub(now);
    let far = span(away.saturating_abs());
    let written = time(millis);
    if away > 0 { format!("{written}, in {far}") } else { format!("{written}, {far} ago") }
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
}
