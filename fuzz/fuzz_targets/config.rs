//! The configuration, from any file, environment and flags. The input is the text of a file.
//! Comments in it tell the rest: `#env NAME=VALUE`, `#listen VALUE` for the flag, `#sandbox`.
//! In all of it `$` stands for a secret and `~/` for the folder `fuzz/files`.

#![no_main]

use std::net::SocketAddr;

use libfuzzer_sys::{Corpus, fuzz_target};
use sunmi_trade::config::{self, Config, ConfigFault, Sources, load};
use sunmi_trade::ledger::Location;
use toml::{Table, Value};

const SECRET: &str = "s3cretdonotshow";
const FILES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/files/");

fuzz_target!(|input: &str| -> Corpus {
    let text = input.replace('$', SECRET).replace("~/", FILES);
    // Keys are read from files, and some of these have no end.
    if ["/dev", "/proc", "/sys"].iter().any(|folder| text.contains(folder)) {
        return Corpus::Reject;
    }
    let start = Start::new(&text);
    match load(&start.sources, start.sandbox) {
        Ok(config) => start.check_config(&config),
        Err(faults) => start.check_faults(&faults),
    }
    if let Err(faults) = config::sandbox(&start.sources) {
        start.check_faults(&faults);
    }
    Corpus::Keep
});

/// What a server is started with, and what of it may be shown.
struct Start {
    sources: Sources,
    sandbox: bool,
    listen: Option<String>,
    /// Whether the secret is in a name, where it is none.
    named: bool,
    /// Whether the secret is in a value that is shown, or in a name.
    shown: bool,
}

impl Start {
    fn new(text: &str) -> Self {
        let mut start = Self {
            sources: Sources { file: Some(text.to_owned()), ..Sources::default() },
            sandbox: false,
            listen: None,
            named: false,
            shown: false,
        };
        for line in text.lines() {
            if let Some((name, value)) =
                line.strip_prefix("#env ").and_then(|it| it.split_once('='))
            {
                start.sources.env.insert(name.to_owned(), value.to_owned());
            } else if let Some(value) = line.strip_prefix("#listen ") {
                start.listen = Some(value.to_owned());
            } else if line == "#sandbox" {
                start.sandbox = true;
            }
        }
        let flags = start.listen.iter().map(|value| ("--listen", "listen", value.clone()));
        start.sources.flags = flags.collect();
        for (name, value) in start.sources.env.clone() {
            let key = name.strip_prefix("SUNMI_TRADE_");
            let key = key.map(|key| key.rsplit("__").next().unwrap_or(key).to_ascii_lowercase());
            start.note(&name, key.as_deref(), &value);
        }
        // Of a file that is not TOML nothing is shown.
        if let Ok(table) = text.parse::<Table>() {
            start.note_table(&table);
        }
        start
    }

    fn note_table(&mut self, table: &Table) {
        for (name, value) in table {
            self.note(name, Some(name), "");
            self.note_value(name, value);
        }
    }

    fn note_value(&mut self, name: &str, value: &Value) {
        match value {
            Value::Table(table) => self.note_table(table),
            Value::Array(values) => values.iter().for_each(|value| self.note_value(name, value)),
            Value::String(text) => self.note("", Some(name), text),
            Value::Integer(_) | Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) => {}
        }
    }

    fn note(&mut self, name: &str, key: Option<&str>, value: &str) {
        self.named |= name.contains(SECRET);
        let shown = match key {
            None => String::new(),
            Some("app_key") => String::new(),
            Some("ledger") => without_password(value),
            Some(_) => value.to_owned(),
        };
        self.shown |= self.named || shown.contains(SECRET);
    }

    /// Every fault is a line with the name and the rule, and no value.
    fn check_faults(&self, faults: &[ConfigFault]) {
        assert!(!faults.is_empty());
        for fault in faults {
            let line = fault.to_string();
            assert!(!line.chars().any(char::is_control), "{line:?}");
            assert!(!fault.rule.contains(SECRET), "{line}");
            assert!(self.named || !line.contains(SECRET), "{line}");
        }
    }

    /// The limits fit each other, flags win, and what is printed gives the same again.
    fn check_config(&self, config: &Config) {
        let Config { deadlines, refund, shutdown, .. } = config;
        assert!(config.connect_timeout < config.attempt_timeout);
        assert!(config.attempt_timeout <= deadlines.max);
        assert!(deadlines.reserve < deadlines.default && deadlines.default <= deadlines.max);
        assert!(deadlines.max <= refund.ceiling && refund.ceiling <= shutdown.drain);
        assert!(refund.lag < refund.settle_window);
        assert!(refund.settle_window <= refund.processing_patience);
        assert!(config.create_ledger || !matches!(config.ledger, Location::Memory));
        assert!(!config.may_move_money || !matches!(config.ledger, Location::Memory));
        assert!((1..).zip(&*refund.refused_codes).all(|(after, code)| {
            code.len() <= 16 && !refund.refused_codes[after..].contains(code)
        }));
        if let Some(listen) = &self.listen {
            assert_eq!(listen.parse::<SocketAddr>(), Ok(config.listen));
        }
        assert!(config.credentials.iter().next().is_some(), "somebody signs");

        let printed = config.to_toml();
        assert!(self.shown || !printed.contains(SECRET), "{printed}");
        let again = Sources { file: Some(printed.clone()), ..Sources::default() };
        match load(&again, self.sandbox) {
            Ok(again) => assert_eq!(again.to_toml(), printed),
            Err(faults) => panic!("{faults:?} in\n{printed}"),
        }
    }
}

/// A ledger's URL as people read it: what stands between the first colon after the scheme
/// and the last `@` is a password, and behind `?` or `#` may be another.
fn without_password(url: &str) -> String {
    let Some(rest) = url.trim().strip_prefix("postgres") else { return url.to_owned() };
    let (_, rest) = rest.split_once(':').unwrap_or_default();
    let rest = rest.split(['?', '#']).next().unwrap_or_default();
    match rest.rsplit_once('@') {
        Some((user, place)) => format!("{}@{place}", user.split(':').next().unwrap_or_default()),
        None => rest.to_owned(),
    }
}
