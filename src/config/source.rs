//! Where settings come from: one TOML file, overridden by the environment, overridden by
//! flags. Settings are taken one by one, and what is wrong is collected, by name and
//! never by value: a value may be a secret in the wrong place.

use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::Value;
use url::Url;

use super::DAY;

/// The prefix of environment variables that are settings: `SUNMI_TRADE__UPSTREAM__PROXY` is
/// `upstream.proxy`. Two underscores, because Kubernetes makes variables of its own for a
/// service named `sunmi-trade`, such as `SUNMI_TRADE_PORT`.
const ENV_PREFIX: &str = "SUNMI_TRADE__";

/// What a start is given.
#[derive(Clone, Default)]
pub struct Sources {
    /// The text of the configuration file.
    pub file: Option<String>,
    /// The environment.
    pub env: BTreeMap<String, String>,
    /// Settings from flags, by their key.
    pub flags: Vec<(&'static str, &'static str, String)>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources([redacted])")
    }
}

/// A fault in the configuration: which setting, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigFault {
    /// The setting, and where it was set if not in the file.
    pub key: String,
    /// The rule.
    pub rule: String,
}

impl fmt::Display for ConfigFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A key may be any text; a fault is one line.
        for part in self.key.chars() {
            match part.is_control() {
                true => write!(f, "{}", part.escape_default())?,
                false => f.write_char(part)?,
            }
        }
        write!(f, ": {}", self.rule)
    }
}

/// A setting that this version knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Its key, such as `upstream.proxy`.
    pub key: String,
    /// What its value must be.
    pub rule: String,
    /// What it is if it is not set; absent where it then has no value.
    pub default: Option<String>,
    /// What is in force, as TOML, secrets redacted.
    pub in_force: Option<String>,
}

/// A setting as it was given.
struct Given {
    value: Value,
    /// The name under which it was given.
    named: String,
}

/// Takes settings, and collects faults.
pub(super) struct Reader {
    given: BTreeMap<String, Given>,
    tables: BTreeMap<String, Vec<Value>>,
    faults: Vec<ConfigFault>,
    taken: Vec<Setting>,
}

impl Reader {
    pub(super) fn new(sources: &Sources) -> Self {
        let mut reader = Self {
            given: BTreeMap::new(),
            tables: BTreeMap::new(),
            faults: Vec::new(),
            taken: Vec::new(),
        };
        if let Some(text) = &sources.file {
            match text.parse::<toml::Table>() {
                Ok(table) => reader.flatten("", table),
                Err(error) => reader.fault("configuration file", syntax(text, &error)),
            }
        }
        for (name, value) in &sources.env {
            if let Some(path) = name.strip_prefix(ENV_PREFIX) {
                let key = path.replace("__", ".").to_ascii_lowercase();
                reader.give(key, Value::String(value.clone()), name.clone());
            }
        }
        for (flag, key, value) in &sources.flags {
            reader.give((*key).to_owned(), Value::String(value.clone()), (*flag).to_owned());
        }
        reader
    }

    fn flatten(&mut self, prefix: &str, table: toml::Table) {
        for (name, value) in table {
            let key = format!("{prefix}{name}");
            match value {
                Value::Table(table) => self.flatten(&format!("{key}."), table),
                // An empty one is no array of tables: there is nothing in it to miss.
                Value::Array(array) if !array.is_empty() && array.iter().all(Value::is_table) => {
                    self.tables.insert(key, array);
                }
                Value::Array(_)
                | Value::String(_)
                | Value::Integer(_)
                | Value::Float(_)
                | Value::Boolean(_)
                | Value::Datetime(_) => self.give(key.clone(), value, key),
            }
        }
    }

    fn give(&mut self, key: String, value: Value, named: String) {
        self.given.insert(key, Given { value, named });
    }

    /// Notes a fault.
    pub(super) fn fault(&mut self, key: impl Into<String>, rule: impl Into<String>) {
        self.faults.push(ConfigFault { key: key.into(), rule: rule.into() });
    }

    /// Notes a fault if something does not hold.
    pub(super) fn check(&mut self, holds: bool, key: &str, rule: &str) {
        if !holds {
            self.fault(key, rule);
        }
    }

    /// Whether a setting was given and not yet taken.
    pub(super) fn has(&self, key: &str) -> bool {
        self.given.contains_key(key)
    }

    /// A setting that `parse` understands, or `None` if it was not given or is at fault.
    pub(super) fn take<T>(
        &mut self,
        key: &str,
        rule: &str,
        mut parse: impl FnMut(&Value) -> Option<T>,
    ) -> Option<T> {
        let (key, rule) = (key.to_owned(), rule.to_owned());
        let given = self.given.remove(&key);
        self.taken.push(Setting { key, rule: rule.clone(), default: None, in_force: None });
        let given = given?;
        let parsed = parse(&given.value);
        if parsed.is_none() {
            self.fault(given.named, rule);
        }
        parsed
    }

    /// All settings that were taken.
    pub(super) fn taken(self) -> Vec<Setting> {
        self.taken
    }

    /// Notes what is in force although no setting of this key was given.
    pub(super) fn note(&mut self, key: &str, value: &impl ToString) {
        let (key, rule) = (key.to_owned(), String::new());
        self.taken.push(Setting { key, rule, default: None, in_force: None });
        self.in_force(value);
    }

    /// Shows nothing of a setting that has no meaning here.
    pub(super) fn hide(&mut self, key: &str) {
        self.taken.retain(|setting| setting.key != key);
    }

    /// Notes what is in force of the setting that was taken last, as it is to be shown.
    pub(super) fn in_force(&mut self, value: &impl ToString) {
        self.in_force_as(&Value::String(value.to_string()));
    }

    /// The same of a value that is no text.
    pub(super) fn in_force_as(&mut self, value: &Value) {
        if let Some(setting) = self.taken.last_mut() {
            setting.in_force = Some(value.to_string());
        }
    }

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
        if let Some(setting) = self.taken.last_mut() {
            setting.default = Some(plain(&default_shown));
            setting.in_force = Some(show(&value).to_string());
        }
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

    /// The tables of an array of tables, each to be read like a file of its own under
    /// `KEY[N].`.
    pub(super) fn tables(&mut self, key: &str) -> Vec<String> {
        let rule = format!("must be tables, each under [[{key}]]");
        self.take(key, &rule, |value| value.as_array().filter(|array| array.is_empty()).map(drop));
        self.rows(key)
    }

    /// The same of a key that was taken.
    pub(super) fn rows(&mut self, key: &str) -> Vec<String> {
        let tables = self.tables.remove(key).unwrap_or_default();
        let mut prefixes = Vec::new();
        for (at, table) in tables.into_iter().enumerate() {
            let prefix = format!("{key}[{at}].");
            if let Value::Table(table) = table {
                self.flatten(&prefix, table);
            }
            prefixes.push(prefix);
        }
        prefixes
    }

    /// All settings that were taken, or what is wrong with all that was given, unknown
    /// settings included.
    pub(super) fn finish(mut self) -> Result<Vec<Setting>, Vec<ConfigFault>> {
        let unknown: Vec<String> = self
            .given
            .into_values()
            .map(|given| given.named)
            .chain(self.tables.into_keys())
            .collect();
        for named in unknown {
            let rule = "is not a setting of this version".to_owned();
            self.faults.push(ConfigFault { key: named, rule });
        }
        if self.faults.is_empty() { Ok(self.taken) } else { Err(self.faults) }
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

/// A value as a person would write it down.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
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

/// Where a file is not TOML, without showing what stands there.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("is not TOML, at line {line}")
}
