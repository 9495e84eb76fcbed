//! Which Sunmi is called and how, what it is called in ledgers, and whether money moves there:
//! `[upstream]`.

use std::sync::Arc;
use std::time::Duration;

use toml::Value;
use url::{Host, Url};

use super::source::Reader;
use super::{codes, ms, s};
use crate::sunmi::is_loopback;

/// Where Sunmi is (API document, 2.1.2).
const PRODUCTION: &str = "https://openapi.sunmi.com";
const TEST: &str = "http://test.openapi.sunmi.com";

/// The longest `upstream.name`, in characters.
const LONGEST_NAME: usize = 200;

const MONEY: &str = "upstream.money";

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

impl Upstream {
    /// Whether money may move there if nobody says. Only of Sunmi's test host and of stand-ins on
    /// this machine it is known that none does: whatever else is called may be Sunmi, or lead to it.
    fn seems_to_move_money(&self) -> bool {
        match self {
            Self::Sandbox => false,
            Self::Environment { base_url, .. } => !is_at(base_url, TEST) && !is_loopback(base_url),
        }
    }

    /// What a ledger of it is bound to if nobody says.
    fn default_name(&self) -> &str {
        match self {
            Self::Sandbox => "sandbox",
            Self::Environment { base_url, .. } => base_url.as_str(),
        }
    }
}

/// All that is said of the Sunmi that is called.
pub(super) struct Called {
    pub(super) upstream: Upstream,
    /// What a ledger of it is bound to.
    pub(super) name: String,
    /// Whether money may move there.
    pub(super) may_move_money: bool,
    pub(super) connect_timeout: Duration,
    pub(super) attempt_timeout: Duration,
    pub(super) proxy: Option<Url>,
    pub(super) max_in_flight: u32,
    /// Codes with which it refuses a trade, besides those of its document.
    pub(super) refused_codes: Arc<[String]>,
}

pub(super) fn read(reader: &mut Reader, sandbox: bool) -> Called {
    let known = upstream(reader, sandbox);
    // Of one at fault no more is demanded.
    let upstream = known.clone().unwrap_or(Upstream::Sandbox);
    let name = name(reader, upstream.default_name());
    let may_move_money = money(reader, upstream.seems_to_move_money());
    if let Some(upstream) = &known {
        check_money(reader, upstream, may_move_money);
    }
    Called {
        upstream,
        name,
        may_move_money,
        connect_timeout: reader.duration("upstream.connect_timeout", ms(1)..=s(60), s(2)),
        attempt_timeout: reader.duration("upstream.attempt_timeout", ms(1)..=s(600), s(5)),
        proxy: reader.url("upstream.proxy"),
        max_in_flight: reader.count("upstream.max_in_flight", 1..=100_000, 1024),
        refused_codes: codes::refused(reader),
    }
}

/// Which Sunmi is called. There is no silent fall-back from one to another.
fn upstream(reader: &mut Reader, sandbox: bool) -> Option<Upstream> {
    let named = reader.has("upstream.environment");
    let names = ["production", "test", "custom"].map(|name| (name, name));
    let name = reader.choice("upstream.environment", &names, names[0]);
    let absent = !reader.has("upstream.base_url");
    let base_url = reader.url("upstream.base_url");
    if sandbox {
        let alone = !named && absent;
        reader.hide("upstream.environment");
        reader.check(alone, "--sandbox", "cannot go with another upstream");
        return Some(Upstream::Sandbox);
    }
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

/// What a ledger is bound to. The default may be longer than what is given: an address is as
/// long as it is, and what `check-config` prints is read again.
fn name(reader: &mut Reader, default: &str) -> String {
    let rule = "must be 1 to 200 printable ASCII characters, without blanks at the ends";
    let fits = |text: &str| {
        (1..=LONGEST_NAME).contains(&text.len())
            && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
            && text.trim() == text
    };
    let parse = |value: &Value| {
        value.as_str().filter(|text| *text == default || fits(text)).map(str::to_owned)
    };
    let show = |name: &String| Value::from(name.as_str());
    reader.set("upstream.name", rule, (default.to_owned(), show), parse)
}

/// Whether money may move.
fn money(reader: &mut Reader, default: bool) -> bool {
    let (real, play) = (("real", true), ("play", false));
    reader.choice(MONEY, &[real, play], if default { real } else { play })
}

/// What is said of money is not known to be wrong. Said to be play where it is real, it would
/// switch off what guards it.
fn check_money(reader: &mut Reader, upstream: &Upstream, may_move: bool) {
    match upstream {
        Upstream::Sandbox => {
            reader.check(!may_move, MONEY, "must be play with --sandbox: no money moves there");
        }
        Upstream::Environment { base_url, .. } => {
            let rule = "must be real with Sunmi's production: money moves there";
            reader.check(may_move || !is_at(base_url, PRODUCTION), MONEY, rule);
        }
    }
}

/// Whether a URL leads to the host of this address, by whatever scheme and port.
fn is_at(url: &Url, address: &str) -> bool {
    Url::parse(address).is_ok_and(|address| plain_host(url) == plain_host(&address))
}

/// The host without the dot that may end the name of a domain.
fn plain_host(url: &Url) -> Option<String> {
    url.host().map(|host| match host {
        Host::Domain(name) => name.trim_end_matches('.').to_owned(),
        Host::Ipv4(_) | Host::Ipv6(_) => host.to_string(),
    })
}
