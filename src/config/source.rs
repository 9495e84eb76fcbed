//! Where settings come from: one TOML file, overridden by the environment, overridden by
//! flags. Settings are taken one by one, and what is wrong is collected, by name and
//! never by value: a value may be a secret in the wrong place.

use std::collections::BTreeMap;
use std::fmt::{self, Write};

use toml::Value;

use super::settings::Setting;

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
    /// The record of the settings, kept in [`settings`](mod@super::settings).
    pub(super) taken: Vec<Setting>,
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
        self.record(key, rule);
        let given = self.given.remove(key)?;
        let parsed = parse(&given.value);
        if parsed.is_none() {
            self.fault(given.named, rule);
        }
        parsed
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

    /// The faults of what was read, whatever else is set.
    pub(super) fn finish_part(self) -> Result<(), Vec<ConfigFault>> {
        if self.faults.is_empty() { Ok(()) } else { Err(self.faults) }
    }
}

/// Where a file is not TOML, without showing what stands there.
fn syntax(text: &str, error: &toml::de::Error) -> String {
    let at = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
    format!("is not TOML, at line {line}")
}
