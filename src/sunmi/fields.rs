//! The fields of a reply's `data`, read leniently: a value may be a string or a number,
//! and what cannot be read is kept as it came.

use super::json::{Json, Object};
use crate::trade::{UnixSeconds, Unrecognized};

/// The fields not yet read, and those that could not be.
#[derive(Debug, Default)]
pub(super) struct Fields<'a> {
    left: Object<'a>,
    unrecognized: Unrecognized,
}

impl<'a> Fields<'a> {
    /// The fields of `data`, and those that stood beside it in the envelope, which are
    /// only kept.
    pub(super) fn new(data: Object<'a>, beside: Object<'a>) -> Self {
        let beside = beside.into_iter().map(|(name, value)| (name.into_owned(), raw(value)));
        Self { left: data, unrecognized: beside.collect() }
    }

    /// A text. Empty is absent.
    pub(super) fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, |text| Some(text.to_owned()))
    }

    /// A whole number within 64 bits.
    pub(super) fn number(&mut self, name: &str) -> Option<i64> {
        self.read(name, whole_number)
    }

    /// A time as Unix seconds, within the years 1 to 9999.
    pub(super) fn time(&mut self, name: &str) -> Option<UnixSeconds> {
        self.read(name, |text| whole_number(text).and_then(UnixSeconds::new))
    }

    /// One of the values that `known` knows.
    pub(super) fn one_of<T>(&mut self, name: &str, known: impl Fn(&str) -> Option<T>) -> Option<T> {
        self.read(name, known)
    }

    /// Keeps a field as it came instead of reading it.
    pub(super) fn keep(&mut self, name: &str) {
        self.read(name, |_| None::<()>);
    }

    /// Whether a field was there, but could not be read.
    pub(super) fn could_not_read(&self, name: &str) -> bool {
        self.unrecognized.contains_key(name)
    }

    /// All that was not read.
    pub(super) fn rest(mut self) -> Unrecognized {
        let left = self.left.into_iter().map(|(name, value)| (name.into_owned(), raw(value)));
        self.unrecognized.extend(left);
        self.unrecognized
    }

    fn read<T>(&mut self, name: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        // So few that a map would not find it sooner.
        let at = self.left.iter().position(|(known, _)| known == name)?;
        let (_, value) = self.left.swap_remove(at);
        let parsed = match &value {
            Json::Null => return None,
            Json::Text(text) if text.is_empty() => return None,
            Json::Text(text) => parse(text),
            Json::Number(number) => parse(number.as_str()),
            Json::Bool(_) | Json::List(_) | Json::Object(_) => None,
        };
        if parsed.is_none() {
            self.unrecognized.insert(name.to_owned(), raw(value));
        }
        parsed
    }
}

/// A value as it came: a string as its text, anything else as compact JSON.
fn raw(value: Json<'_>) -> String {
    match value {
        Json::Text(text) => text.into_owned(),
        // It cannot fail: names are texts.
        other
        @ (Json::Null | Json::Bool(_) | Json::Number(_) | Json::List(_) | Json::Object(_)) => {
            serde_json::to_string(&other).unwrap_or_default()
        }
    }
}

/// Digits with at most a minus sign, unlike `i64::from_str`, which takes a plus sign too.
fn whole_number(text: &str) -> Option<i64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let only_digits = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    only_digits.then(|| text.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json;
    use super::*;

    fn fields(json: &str) -> Fields<'_> {
        let Json::Object(fields) = json::read(json).unwrap().value else { panic!("{json}") };
        Fields::new(fields, Object::new())
    }

    #[test]
    fn numbers_are_read_from_strings_and_numbers_and_kept_raw_where_they_are_neither() {
        let table = [
            (r#""5""#, Some(5), None),
            ("5", Some(5), None),
            ("-5", Some(-5), None),
            (r#""0012""#, Some(12), None),
            ("9223372036854775807", Some(i64::MAX), None),
            ("9223372036854775808", None, Some("9223372036854775808")),
            (
                "123456789012345678901234567890.5e99",
                None,
                Some("123456789012345678901234567890.5e+99"),
            ),
            ("1.50", None, Some("1.50")),
            (r#""1,000""#, None, Some("1,000")),
            (r#""+5""#, None, Some("+5")),
            (r#"" 5""#, None, Some(" 5")),
            (r#""-""#, None, Some("-")),
            ("true", None, Some("true")),
            (r#"[1, {"a": 2}]"#, None, Some(r#"[1,{"a":2}]"#)),
            (r#""""#, None, None),
            ("null", None, None),
        ];
        for (value, expected, kept) in table {
            let text = format!(r#"{{"n": {value}}}"#);
            let mut fields = fields(&text);
            assert_eq!(fields.number("n"), expected, "{value}");
            assert_eq!(fields.rest().get("n").map(String::as_str), kept, "{value}");
        }
    }

    #[test]
    fn times_outside_the_years_1_to_9999_are_kept_raw() {
        let mut fields = fields(r#"{"a": "253402300799", "b": "253402300800", "c": 1561454238}"#);
        assert_eq!(fields.time("a").map(UnixSeconds::get), Some(253_402_300_799));
        assert_eq!(fields.time("b"), None);
        assert_eq!(fields.time("c").map(UnixSeconds::get), Some(1_561_454_238));
        assert_eq!(fields.rest()["b"], "253402300800");
    }

    #[test]
    fn what_is_never_asked_for_is_kept() {
        let rest = fields(r#"{"a": "x", "b": "", "c": null, "d": 1.0}"#).rest();
        let rest: Vec<_> = rest.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(rest, [("a", "x"), ("b", ""), ("c", "null"), ("d", "1.0")]);
    }

    proptest! {
        /// Nothing is lost: a field is read, or absent, or kept.
        #[test]
        fn a_value_is_read_or_kept(text in "\\PC{1,20}") {
            let data = vec![("n".into(), Json::Text(text.as_str().into()))];
            let mut fields = Fields::new(data, Object::new());
            let number = fields.number("n");
            let kept = fields.rest().remove("n");
            prop_assert!(number.is_some() != (kept.as_deref() == Some(&text)));
        }
    }
}
