//! The configuration: one file, environment and flags become one [`Config`], or every
//! fault at once.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use url::Url;

mod again;
mod callers;
mod check;
mod codes;
mod credentials;
mod limits;
mod print;
mod refund;
mod settings;
mod source;
mod telemetry;
mod tls;
mod typed;
mod upstream;

use crate::api::CallLimits;
use crate::callers::Access;
use crate::deadline::Limits;
use crate::ledger::Location;
use crate::parties::Parties;
use crate::refund::Rules;
use crate::retry::Policy;
use crate::sunmi::{ClientConfig, Credentials, WireConfig};
use crate::telemetry::Settings;
use crate::trade::Identifier;
pub use again::{Again, Changes, Names};
pub use limits::ConnectionLimits;
pub use settings::Setting;
use source::Reader;
pub use source::{ConfigFault, Sources};
pub use tls::TlsSettings;
pub use upstream::Upstream;

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
    /// Whether the admin port has a page for people.
    pub admin_page: bool,
    /// Whether the contract is served by reflection.
    pub reflection: bool,
    /// How often files are looked at, to see whether they have changed.
    pub reload_interval: Duration,
    /// What connections may do.
    pub limits: ConnectionLimits,
    /// How they are secured.
    pub tls: TlsSettings,
    /// Which Sunmi is called.
    pub upstream: Upstream,
    /// What a ledger of it is bound to.
    upstream_name: String,
    /// Whether money may move there, as `upstream.money` says. Without it, that is assumed
    /// everywhere but in the sandbox, on loopback and at Sunmi's test host.
    pub may_move_money: bool,
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
    /// How refunds are made.
    pub refund: Rules,
    /// Where the refund ledger is.
    pub ledger: Location,
    /// How many connections to it there are at most, if it is in PostgreSQL.
    pub ledger_connections: u32,
    /// Whether it is made if it is not there; if not, a start without it fails.
    pub create_ledger: bool,
    /// How the server stops.
    pub shutdown: Shutdown,
    /// Who can sign.
    pub credentials: Credentials,
    /// Who may call.
    pub access: Access,
    /// How many calls there may be.
    pub calls: CallLimits,
    /// What is told of the process, and to whom.
    pub telemetry: Settings,
    /// All settings, as they are in force.
    pub settings: Vec<Setting>,
}

/// How the server stops.
#[derive(Clone, Debug)]
pub struct Shutdown {
    /// How long it goes on serving after it says that it is not ready.
    pub delay: Duration,
    /// How long calls under way may then take to finish.
    pub drain: Duration,
    /// How long after it was asked to stop the process is killed.
    pub grace: Duration,
}

/// Reads the configuration. With `sandbox`, the built-in one is called.
///
/// # Errors
/// Every fault of it, by the name of the setting.
pub fn load(sources: &Sources, sandbox: bool) -> Result<Config, Vec<ConfigFault>> {
    load_for(Use::Serve, sources, sandbox)
}

/// Reads the configuration for whoever looks into the ledger: nobody has to be able to sign.
///
/// # Errors
/// Every fault of it, by the name of the setting.
pub fn load_to_visit(sources: &Sources, sandbox: bool) -> Result<Config, Vec<ConfigFault>> {
    load_for(Use::Visit, sources, sandbox)
}

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Use {
    /// To call Sunmi.
    Serve,
    /// To look into the ledger; without credentials, Sunmi is not called.
    Visit,
}

fn load_for(purpose: Use, sources: &Sources, sandbox: bool) -> Result<Config, Vec<ConfigFault>> {
    let mut reader = Reader::new(sources);
    let mut config = read(&mut reader, purpose, sources, sandbox);
    check::check(&mut reader, &config);
    config.settings = reader.finish()?;
    Ok(config)
}

/// Every setting of this version, those of a table of an array as `credentials[].app_id`.
pub fn settings() -> Vec<Setting> {
    let file = Some("credentials = [{}]\ncallers = [{}]\nupstream.codes = [{}]".to_owned());
    let sources = Sources { file, ..Sources::default() };
    let mut reader = Reader::new(&sources);
    drop(read(&mut reader, Use::Serve, &sources, false));
    let known = reader.taken().into_iter();
    known.map(|setting| Setting { key: setting.key.replace("[0]", "[]"), ..setting }).collect()
}

fn read(reader: &mut Reader, purpose: Use, sources: &Sources, sandbox: bool) -> Config {
    let credentials = credentials::read(reader, purpose, sources, sandbox);
    let app_ids: Vec<Identifier> =
        credentials.iter().map(|credential| credential.app_id.clone()).collect();
    let called = upstream::read(reader, sandbox);
    Config {
        listen: listen(reader),
        admin_listen: reader.address("admin_listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 9090))),
        admin_page: reader.flag("admin.page", true),
        reflection: reader.flag("reflection", true),
        reload_interval: reader.duration("reload_interval", ms(10)..=s(3600), s(5)),
        tls: tls::read(reader),
        upstream: called.upstream,
        upstream_name: called.name,
        may_move_money: called.may_move_money,
        connect_timeout: called.connect_timeout,
        attempt_timeout: called.attempt_timeout,
        proxy: called.proxy,
        max_in_flight: called.max_in_flight,
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
        refund: refund::rules(reader, called.refused_codes),
        ledger: refund::ledger(reader, sandbox, called.may_move_money),
        ledger_connections: refund::ledger_connections(reader),
        create_ledger: refund::create_ledger(reader),
        shutdown: Shutdown {
            // Nobody routes to a sandbox, so nobody has to learn that it stops.
            delay: reader.duration(
                "shutdown.delay",
                s(0)..=s(600),
                if sandbox { s(0) } else { s(5) },
            ),
            drain: reader.duration("shutdown.drain", s(0)..=s(3600), s(70)),
            grace: reader.duration("shutdown.grace", s(1)..=s(7200), s(90)),
        },
        access: callers::read(reader, &app_ids),
        limits: limits::read(reader),
        calls: limits::calls(reader),
        credentials,
        telemetry: telemetry::read(reader),
        settings: Vec::new(),
    }
}

/// What a sandbox on its own runs with.
#[derive(Clone, Debug)]
pub struct Sandbox {
    /// Where it is served.
    pub listen: SocketAddr,
    /// Who can sign.
    pub credentials: Credentials,
}

/// The port of a server that runs by a configuration.
#[derive(Debug)]
pub struct Port {
    /// Where it listens.
    pub listen: SocketAddr,
    /// The files of its TLS, if it has any.
    pub tls: Option<crate::tls::Files>,
}

/// Reads where a server of this configuration listens. Other settings are its own business.
///
/// # Errors
/// Every fault of what was read.
pub fn port(sources: &Sources) -> Result<Port, Vec<ConfigFault>> {
    let mut reader = Reader::new(sources);
    let listen = listen(&mut reader);
    let tls = tls::read(&mut reader).files;
    reader.finish_part()?;
    Ok(Port { listen, tls })
}

fn listen(reader: &mut Reader) -> SocketAddr {
    reader.address("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 50051)))
}

/// Reads what a sandbox on its own needs: a flag, and who signs. Settings of the server are
/// none of its business.
///
/// # Errors
/// Every fault of what was given.
pub fn sandbox(sources: &Sources) -> Result<Sandbox, Vec<ConfigFault>> {
    let mut reader = Reader::new(&Sources { flags: sources.flags.clone(), ..Sources::default() });
    let listen = reader.address("listen", SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)));
    let credential = credentials::of_env(&mut reader, sources);
    reader.finish()?;
    let credential = credential.unwrap_or_else(crate::sandbox::credential);
    Ok(Sandbox { listen, credentials: Credentials::new(vec![credential], None) })
}

impl Config {
    /// The name of the upstream that a ledger belongs to: `upstream.name`, or else its address,
    /// `sandbox` for the built-in one.
    pub fn upstream_name(&self) -> &str {
        &self.upstream_name
    }

    /// Who may call and who signs.
    pub fn parties(&self) -> Parties {
        let credentials = Arc::new(self.credentials.clone());
        Parties { access: self.access.clone(), credentials }
    }

    /// Whether callers send tokens over plain text from elsewhere.
    pub fn exposes_tokens(&self) -> bool {
        let tokens = match &self.access {
            Access::Open | Access::TrustNetwork(_) => false,
            Access::Listed(callers) => callers.iter().any(|caller| caller.tokens_from.is_some()),
        };
        tokens && self.tls.files.is_none() && !self.listen.ip().is_loopback()
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
