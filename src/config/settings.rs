//! The record of the settings: which ones this version takes, and what is in force.

use toml::Value;

use super::source::Reader;

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

impl Reader {
    /// Notes a setting that is being taken.
    pub(super) fn record(&mut self, key: &str, rule: &str) {
        let (key, rule) = (key.to_owned(), rule.to_owned());
        self.taken.push(Setting { key, rule, default: None, in_force: None });
    }

    /// Notes what is in force although no setting of this key was given.
    pub(super) fn note(&mut self, key: &str, value: &impl ToString) {
        self.record(key, "");
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

    /// Notes what the setting that was taken last is if it is not set.
    pub(super) fn default_is(&mut self, value: &Value) {
        if let Some(setting) = self.taken.last_mut() {
            setting.default = Some(plain(value));
        }
    }

    /// All settings that were taken.
    pub(super) fn taken(self) -> Vec<Setting> {
        self.taken
    }
}

/// A value as a person would write it down.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
