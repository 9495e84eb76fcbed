//! Settings by what their values are: texts, choices, addresses, counts, durations. Each kind
//! has its rule in words, and says what is in force as a file would.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;
use url::Url;

use super::DAY;
use super::source::Reader;

impl Reader {
    /// A setting with a default. `show` says a value as a file would.
    pub(super) fn set<T>(
        &mut self,
        key: &str,
        rule: &str,
        (default, show): (T, impl Fn(&T) -> Value),
        parse: impl Fn(&Value) -> Option<T>,
    ) -> T {
        let given = self.take(key, rule, parse);
        let default_shown = show(&default);
        let value = given.unwrap_or(default);
        self.default_is(&default_shown);
        self.in_force_as(&show(&value));
        value
    }

    /// A text that is no secret.
    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = self.secret(key)?;
        self.in_force(&text);
        Some(text)
    }

    /// A text that is not to be shown.
    pub(super) fn secret(&mut self, key: &str) -> Option<String> {
        let text = self.take(key, "must be a text that is not empty", |value| {
            value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
        })?;
        self.in_force(&"[redacted]");
        Some(text)
    }

    /// Texts, none of them empty.
    pub(super) fn texts(&mut self, key: &str) -> Option<Vec<String>> {
        let rule = "must be a list of texts that are not empty";
        self.list(key, rule, |text| (!text.is_empty()).then(|| text.to_owned()))
    }

    /// A list that is not empty, of texts that `parse` understands.
    pub(super) fn list<T>(
        &mut self,
        key: &str,
        rule: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> Option<Vec<T>> {
        let mut given = None;
        let list = self.take(key, rule, |value| {
            let texts = value.as_array().filter(|array| !array.is_empty())?;
            let parsed: Option<Vec<T>> = texts.iter().map(|text| parse(text.as_str()?)).collect();
            parsed.inspect(|_| given = Some(value.clone()))
        });
        if let Some(given) = given {
            self.in_force_as(&given);
        }
        list
    }

    /// One of these words.
    pub(super) fn choice<T: Copy>(
        &mut self,
        key: &str,
        choices: &[(&'static str, T)],
        default: (&'static str, T),
    ) -> T {
        let names: Vec<&str> = choices.iter().map(|(name, _)| *name).collect();
        let rule = format!("must be {}", either(&names));
        let find = |value: &Value| {
            let name = value.as_str()?;
            choices.iter().find(|choice| choice.0 == name).copied()
        };
        self.set(key, &rule, (default, |choice| Value::from(choice.0)), find).1
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &str, default: bool) -> bool {
        let parse = |value: &Value| match value.as_str() {
            Some(text) => text.parse().ok(),
            None => value.as_bool(),
        };
        self.set(key, "must be true or false", (default, |flag| Value::from(*flag)), parse)
    }

    pub(super) fn address(&mut self, key: &str, default: SocketAddr) -> SocketAddr {
        let rule = "must be an IP address and a port, such as 127.0.0.1:50051";
        let parse = |value: &Value| value.as_str()?.parse().ok();
        let show = |address: &SocketAddr| Value::from(address.to_string());
        self.set(key, rule, (default, show), parse)
    }

    pub(super) fn url(&mut self, key: &str) -> Option<Url> {
        let rule = "must be an http or https URL without user, query and fragment";
        let url = self.take(key, rule, |value| {
            let url = Url::parse(value.as_str()?).ok()?;
            let plain = matches!(url.scheme(), "http" | "https")
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none();
            plain.then_some(url)
        })?;
        self.in_force(&url);
        Some(url)
    }

    pub(super) fn count(&mut self, key: &str, range: RangeInclusive<u32>, default: u32) -> u32 {
        let (rule, parse) = count_in(range);
        self.set(key, &rule, (default, |count| Value::from(*count)), parse)
    }

    /// A count that has no default.
    pub(super) fn optional_count(&mut self, key: &str, range: RangeInclusive<u32>) -> Option<u32> {
        let (rule, parse) = count_in(range);
        let count = self.take(key, &rule, parse)?;
        self.in_force_as(&count.into());
        Some(count)
    }

    /// A share of a whole.
    pub(super) fn ratio(&mut self, key: &str, default: f64) -> f64 {
        let parse = |value: &Value| {
            let ratio = match value {
                Value::String(text) => text.parse().ok(),
                Value::Integer(0) => Some(0.0),
                Value::Integer(1) => Some(1.0),
                Value::Integer(_) => None,
                Value::Float(ratio) => Some(*ratio),
                Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
            };
            ratio.filter(|ratio| (0.0..=1.0).contains(ratio))
        };
        self.set(key, "must be a number from 0 to 1", (default, |it| Value::from(*it)), parse)
    }

    pub(super) fn duration(
        &mut self,
        key: &str,
        range: RangeInclusive<Duration>,
        default: Duration,
    ) -> Duration {
        let rule = format!(
            "must be a duration with a unit, such as 500ms or 5s, from {} to {}",
            said(*range.start()),
            said(*range.end()),
        );
        let parse = |value: &Value| {
            let duration = humantime::parse_duration(value.as_str()?).ok()?;
            range.contains(&duration).then_some(duration)
        };
        self.set(key, &rule, (default, |duration| Value::from(said(*duration))), parse)
    }
}

/// The rule of a count in this range, and what reads one.
fn count_in(range: RangeInclusive<u32>) -> (String, impl Fn(&Value) -> Option<u32>) {
    let rule = format!("must be a whole number from {} to {}", range.start(), range.end());
    let parse = move |value: &Value| {
        let count = match value.as_str() {
            Some(text) => text.parse().ok(),
            None => value.as_integer().and_then(|count| u32::try_from(count).ok()),
        };
        count.filter(|count| range.contains(count))
    };
    (rule, parse)
}

/// Words as a choice: `a, b or c`.
fn either(words: &[&str]) -> String {
    match words {
        [rest @ .., last] if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        words => words.join(", "),
    }
}

/// Whole days as days: humantime would make months and years of them, in hours and seconds.
fn said(duration: Duration) -> String {
    let (days, rest) = (duration.as_secs() / DAY, duration.as_secs() % DAY);
    match rest {
        0 if days > 0 && duration.subsec_nanos() == 0 => format!("{days}d"),
        _ => humantime::format_duration(duration).to_string(),
    }
}
