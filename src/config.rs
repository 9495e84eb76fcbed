//! The configuration: one file, environment and flags become one [`Config`], or every
//! fault at once.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use url::Url;

mod check;
mod print;
mod source;

use crate::deadline::Limits;
use crate::ledger::Location;
use crate::refund;
use crate::retry::Policy;
use crate::sunmi::params::AppKey;
use crate::sunmi::{ClientConfig, Credential, Credentials, WireConfig};
use crate::trade::Identifier;
use source::Reader;
pub use source::{ConfigFault, Sources};

/// Where Sunmi is (API document, 2.1.2).
const PRODUCTION: &str = "https://openapi.sunmi.com";
const TEST: &str = "http://test.openapi.sunmi.com";

/// Every environment variable of ours starts so.
pub(crate) const ENV_PREFIX: &str = "SUNMI_TRADE_";

/// Environment variables that suffice in the simplest case.
const APP_ID: &str = "SUNMI_TRADE_APP_ID";
pub(crate) const APP_KEY: &str = "SUNMI_TRADE_APP_KEY";

const fn ms(count: u64) -> Duration {
    Duration::from_millis(count)
}

/// Seconds of a day.
const DAY: u64 = 24 * 60 * 60;

const fn s(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// What a server runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where gRPC is served.
    pub listen: SocketAddr,
    /// Where operators look.
    pub admin_listen: SocketAddr,
    /// Which Sunmi is called.
    pub upstream: Upstream,
    /// How long connecting to it may take.
    pub connect_timeout: Duration,
    /// How long an attempt may take in all.
    pub attempt_timeout: Duration,
    /// A proxy for calls to it.
    pub proxy: Option<Url>,
    /// How many calls to it may be under way.
    pub max_in_flight: u32,
    /// How often and how patiently a call is tried again.
    pub retry: Policy,
    /// How long callers may take.
    pub deadlines: Limits,
    /// How long refunds may take.
    pub refund: refund::Times,
    /// Where the refund ledger is.
    pub ledger: Location,
    /// How the server stops.
    pub shutdown: Shutdown,
    /// Who can sign.
    pub credentials: Credentials,
}

/// Which Sunmi is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// A real one, or a stand-in of the user's.
    Environment {
        /// `production`, `test` or `custom`.
        name: &'static str,
        /// Its address.
        base_url: Url,
    },
    /// The built-in sandbox, started with the server.
    Sandbox,
}

/// How the server stops.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// How long it goes on serving after it says that it is not ready.
    pub delay: Duration,
    /// How long calls under way may then take to finish.
    pub drain: Duration,
}

/// Reads the configuration. With `sandbox`, the built-in one is called.
///
/// # Errors
/// Every fault of it, by the name of the setting.
pub fn load(sources: &Sources, sandbox: bool) -> Result<Config, Vec<ConfigFault>> {
    let mut reader = Reader::new(sources);
    let upstream = upstream(&mut reader, sandbox);
    let credentials = credentials(&mut reader, sources, sandbox);
    let config = Config {
        listen: reader.address("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 50051))),
        admin_listen: reader.address("admin_listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
        upstream: upstream.unwrap_or(Upstream::Sandbox),
        connect_timeout: reader.duration("upstream.connect_timeout", ms(1)..=s(60), s(2)),
        attempt_timeout: reader.duration("upstream.attempt_timeout", ms(1)..=s(600), s(5)),
        proxy: reader.url("upstream.proxy"),
        max_in_flight: reader.count("upstream.max_in_flight", 1..=100_000, 1024),
        retry: Policy {
            max_attempts: reader.count("retry.max_attempts", 1..=10, 3),
            base: reader.duration("retry.base_delay", ms(0)..=s(60), ms(50)),
            cap: reader.duration("retry.max_delay", ms(0)..=s(60), s(1)),
        },
        deadlines: Limits {
            default: reader.duration("deadlines.default", ms(1)..=s(600), s(10)),
            max: reader.duration("deadlines.max", ms(1)..=s(600), s(30)),
            reserve: reader.duration("deadlines.reserve", ms(30)..=s(10), ms(50)),
        },
        refund: refund::Times {
            min_left: reader.duration("refund.min_left", ms(0)..=s(60), ms(500)),
            ceiling: reader.duration("refund.ceiling", ms(1)..=s(3600), s(60)),
            settle_window: reader.duration("refund.settle_window", s(0)..=s(7 * DAY), s(3600)),
            retention: reader.duration("refund.retention", s(DAY)..=s(36_500 * DAY), s(400 * DAY)),
        },
        ledger: ledger(&mut reader, sandbox),
        shutdown: Shutdown {
            // Nobody routes to a sandbox, so nobody has to learn that it stops.
            delay: reader.duration(
                "shutdown.delay",
                s(0)..=s(600),
                if sandbox { s(0) } else { s(5) },
            ),
            drain: reader.duration("shutdown.drain", s(0)..=s(3600), s(70)),
        },
        credentials,
    };
    check::check(&mut reader, &config);
    let faults = reader.finish();
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

/// What a sandbox on its own runs with.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Where it is served.
    pub listen: SocketAddr,
    /// Who can sign.
    pub credentials: Credentials,
}

/// Reads what a sandbox on its own needs: a flag, and who signs. Settings of the server are
/// none of its business.
///
/// # Errors
/// Every fault of what was given.
pub fn sandbox(sources: &Sources) -> Result<Sandbox, Vec<ConfigFault>> {
    let mut reader = Reader::new(&Sources { flags: sources.flags.clone(), ..Sources::default() });
    let listen = reader.address("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let credential = credential_of_env(&mut reader, sources);
    let faults = reader.finish();
    if !faults.is_empty() {
        return Err(faults);
    }
    let credential = credential.unwrap_or_else(crate::sandbox::credential);
    Ok(Sandbox { listen, credentials: Credentials::new(vec![credential], None) })
}

/// Which Sunmi is called. There is no silent fall-back from one to another.
fn upstream(reader: &mut Reader, sandbox: bool) -> Option<Upstream> {
    let rule = "must be production, test or custom";
    let name = reader.take("upstream.environment", rule, |value| match value.as_str()? {
        "production" => Some("production"),
        "test" => Some("test"),
        "custom" => Some("custom"),
        _ => None,
    });
    let absent = !reader.has("upstream.base_url");
    let base_url = reader.url("upstream.base_url");
    if sandbox {
        let alone = name.is_none() && base_url.is_none();
        reader.check(alone, "--sandbox", "cannot go with another upstream");
        return Some(Upstream::Sandbox);
    }
    let name = name.unwrap_or("production");
    let base_url = match (name, base_url) {
        ("custom", None) => {
            let rule = "is required with upstream.environment custom";
            reader.check(!absent, "upstream.base_url", rule);
            None
        }
        ("custom", base_url) => base_url,
        (_, Some(_)) => {
            reader.fault("upstream.base_url", "only goes with upstream.environment custom");
            None
        }
        ("test", None) => Url::parse(TEST).ok(),
        (_, None) => Url::parse(PRODUCTION).ok(),
    };
    base_url.map(|base_url| Upstream::Environment { name, base_url })
}

/// Where the refund ledger is: in memory for a sandbox, else in the working folder.
fn ledger(reader: &mut Reader, sandbox: bool) -> Location {
    let rule = "must be memory, sqlite://PATH or postgres://… with known options";
    let given = reader.take("refund.ledger", rule, |value| Location::parse(value.as_str()?));
    given.unwrap_or_else(|| match sandbox {
        true => Location::Memory,
        false => Location::Sqlite("sunmi-trade.db".into()),
    })
}

fn credentials(reader: &mut Reader, sources: &Sources, sandbox: bool) -> Credentials {
    let mut all: Vec<Credential> = reader
        .tables("credentials")
        .iter()
        .filter_map(|prefix| credential(reader, prefix))
        .collect();
    if let Some(credential) = credential_of_env(reader, sources) {
        all.insert(0, credential);
    }
    let default = reader.text("default_app_id");
    let default = default.and_then(|id| app_id(reader, "default_app_id", id));
    if let Some(default) = &default {
        let known = all.iter().any(|credential| credential.app_id == *default);
        reader.check(known, "default_app_id", "must be the app_id of one of the credentials");
    }
    for (at, credential) in all.iter().enumerate() {
        let twice = all[..at].iter().any(|other| other.app_id == credential.app_id);
        reader.check(
            !twice,
            "credentials",
            "must not have an app_id twice, SUNMI_TRADE_APP_ID included",
        );
    }
    if all.is_empty() && sandbox {
        all.push(crate::sandbox::credential());
    }
    if all.is_empty() {
        let rule = format!("none are set: set {APP_ID} and {APP_KEY}, or [[credentials]]");
        reader.fault("credentials", rule);
    }
    Credentials::new(all, default)
}

/// A table of `[[credentials]]`: `app_id`, and `app_key` or `app_key_file`.
fn credential(reader: &mut Reader, prefix: &str) -> Option<Credential> {
    let [id, key, file] =
        ["app_id", "app_key", "app_key_file"].map(|name| format!("{prefix}{name}"));
    reader.check(reader.has(&id), &id, "is required");
    let one = reader.has(&key) != reader.has(&file);
    reader.check(one, &key, "is required, or app_key_file, and not both");
    let app_id = reader.text(&id).and_then(|text| app_id(reader, &id, text));
    let (key, from) = (reader.text(&key), reader.text(&file));
    let key = match (key, from) {
        (Some(key), _) => Some(key),
        (None, Some(path)) => key_from_file(reader, &file, &path),
        (None, None) => None,
    };
    Some(Credential { app_id: app_id?, app_key: AppKey::new(key?) })
}

fn credential_of_env(reader: &mut Reader, sources: &Sources) -> Option<Credential> {
    let id = sources.env.get(APP_ID).filter(|id| !id.is_empty());
    let key = sources.env.get(APP_KEY).filter(|key| !key.is_empty());
    match (id, key) {
        (Some(_), None) => reader.fault(APP_KEY, format!("is required with {APP_ID}")),
        (None, Some(_)) => reader.fault(APP_ID, format!("is required with {APP_KEY}")),
        (None, None) | (Some(_), Some(_)) => {}
    }
    let app_id = app_id(reader, APP_ID, id?.clone())?;
    Some(Credential { app_id, app_key: AppKey::new(key?.clone()) })
}

fn app_id(reader: &mut Reader, key: &str, text: String) -> Option<Identifier> {
    let id = Identifier::parse(text);
    reader.check(id.is_some(), key, Identifier::RULE);
    id
}

fn key_from_file(reader: &mut Reader, key: &str, file: &str) -> Option<String> {
    match fs::read_to_string(file) {
        Ok(text) if text.trim().is_empty() => {
            reader.fault(key, "names a file that is empty");
            None
        }
        Ok(text) => Some(text.trim().to_owned()),
        Err(error) => {
            reader.fault(key, format!("names a file that cannot be read: {}", error.kind()));
            None
        }
    }
}

impl Config {
    /// The name of the upstream that a ledger belongs to.
    pub fn upstream_name(&self) -> &str {
        match &self.upstream {
            Upstream::Sandbox => "sandbox",
            Upstream::Environment { base_url, .. } => base_url.as_str(),
        }
    }

    /// How Sunmi, at this address, is called.
    pub fn client(&self, base_url: Url) -> ClientConfig {
        ClientConfig {
            wire: WireConfig {
                base_url,
                connect_timeout: self.connect_timeout,
                attempt_timeout: self.attempt_timeout,
                proxy: self.proxy.clone(),
            },
            retry: self.retry.clone(),
            max_in_flight: self.max_in_flight as usize,
        }
    }
}

#[cfg(test)]
mod tests;
