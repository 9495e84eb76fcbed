//! The amounts of a statement.

use clap::ValueEnum;

/// What the amounts of a statement are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum Unit {
    /// Fen.
    Minor,
    /// 100 fen, as a decimal number.
    Yuan,
}

/// The amount of a refund in minor units, whichever sign it has.
///
/// # Errors
/// What it has to be.
pub(super) fn read(text: &str, unit: Unit) -> Result<i64, &'static str> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part, rule) = match unit {
        Unit::Minor => (digits, "", "must be a whole number, such as 1234"),
        Unit::Yuan => {
            let (whole, part) = digits.split_once('.').unwrap_or((digits, "0"));
            (whole, part, "must be a number such as 12.34, with no more than two decimals")
        }
    };
    let are_digits = |text: &str| text.bytes().all(|it| it.is_ascii_digit());
    let pointless = unit == Unit::Minor || (!part.is_empty() && part.len() <= 2);
    if whole.is_empty() || !are_digits(whole) || !are_digits(part) || !pointless {
        return Err(rule);
    }
    let minor = match unit {
        Unit::Minor => whole.to_owned(),
        Unit::Yuan => format!("{whole}{part:0<2}"),
    };
    match minor.parse() {
        Ok(0) => Err("must not be 0; --only-where leaves out what is no refund"),
        Ok(amount) => Ok(amount),
        Err(_) => Err("is too large"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_exact_or_none() {
        let table = [
            ("1", Some(1), Some(100)),
            ("-12", Some(12), Some(1200)),
            ("+007", Some(7), Some(700)),
            ("12.34", None, Some(1234)),
            ("-12.3", None, Some(1230)),
            ("0.01", None, Some(1)),
            ("12.345", None, None),
            ("12.", None, None),
            (".5", None, None),
            ("0", None, None),
            ("-0.00", None, None),
            ("1,234.00", None, None),
            ("1e3", None, None),
            ("--1", None, None),
            ("-", None, None),
            ("", None, None),
            ("１", None, None),
            ("99999999999999999999", None, None),
        ];
        for (text, minor, yuan) in table {
            assert_eq!(read(text, Unit::Minor).ok(), minor, "{text}");
            assert_eq!(read(text, Unit::Yuan).ok(), yuan, "{text}");
        }
    }
}
