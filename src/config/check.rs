//! Whether the settings fit each other.

use std::time::Duration;

use super::source::Reader;
use super::{Config, DAY, s};
use crate::callers::Access;
use crate::ledger::Location;

/// For what comes after the drain, cutting connections, closing the ledger, sending the last
/// traces: 3 s at most. The rest is for a busy machine.
const LAST: Duration = s(5);

/// The limits fit each other: an attempt into a deadline, a deadline into a refund's
/// ceiling, and that into the drain.
pub(super) fn check(reader: &mut Reader, config: &Config) {
    let Config { deadlines, refund, .. } = config;
    let table = [
        (
            config.listen != config.admin_listen || config.listen.port() == 0,
            "admin_listen",
            "must differ from listen",
        ),
        (
            config.connect_timeout < config.attempt_timeout,
            "upstream.connect_timeout",
            "must be shorter than upstream.attempt_timeout",
        ),
        (
            config.attempt_timeout < deadlines.max,
            "upstream.attempt_timeout",
            "must be shorter than deadlines.max",
        ),
        (
            deadlines.default <= deadlines.max,
            "deadlines.default",
            "must not be longer than deadlines.max",
        ),
        (
            deadlines.reserve < deadlines.default,
            "deadlines.reserve",
            "must be shorter than deadlines.default",
        ),
        (deadlines.max < refund.ceiling, "deadlines.max", "must be shorter than refund.ceiling"),
        (
            config.shutdown.delay + config.shutdown.drain + LAST <= config.shutdown.grace,
            "shutdown.grace",
            "must be at least shutdown.delay, shutdown.drain and 5s together",
        ),
        (
            config.retry.base <= config.retry.cap,
            "retry.base_delay",
            "must not be longer than retry.max_delay",
        ),
    ];
    for (holds, key, rule) in table {
        reader.check(holds, key, rule);
    }
    check_refunds(reader, config);
    check_callers(reader, config);
}

/// What refunds go by fits each other and the deadlines, and guards money where some may move.
fn check_refunds(reader: &mut Reader, config: &Config) {
    let Config { refund, may_move_money: money, .. } = config;
    let table = [
        (
            !money || !matches!(config.ledger, Location::Memory),
            "refund.ledger",
            "must not be memory where money may move: a restart would forget what was sent",
        ),
        (
            config.create_ledger || !matches!(config.ledger, Location::Memory),
            "refund.create_ledger",
            "must be true where refund.ledger is memory, which is new with every start",
        ),
        (
            !money || refund.settle_window >= s(60),
            "refund.settle_window",
            "must be at least 1m where money may move",
        ),
        (
            !money || refund.settle_window >= refund.ceiling * 2,
            "refund.settle_window",
            "must be at least twice refund.ceiling where money may move",
        ),
        (!money || refund.lag >= s(1), "refund.lag", "must be at least 1s where money may move"),
        (
            refund.lag < refund.settle_window,
            "refund.lag",
            "must be shorter than refund.settle_window",
        ),
        (
            refund.settle_window <= refund.processing_patience,
            "refund.processing_patience",
            "must not be shorter than refund.settle_window",
        ),
        (
            refund.min_left < config.deadlines.default,
            "refund.min_left",
            "must be shorter than deadlines.default",
        ),
        (
            refund.ceiling < config.shutdown.drain,
            "refund.ceiling",
            "must be shorter than shutdown.drain",
        ),
    ];
    for (holds, key, rule) in table {
        reader.check(holds, key, rule);
    }
}

/// It is said who may call where strangers could, and callers can be known as it is said.
fn check_callers(reader: &mut Reader, config: &Config) {
    let clients = config.tls.files.as_ref().and_then(|files| files.clients.as_ref());
    let said = match &config.access {
        Access::Open => clients.is_some_and(|clients| clients.required),
        Access::TrustNetwork(_) | Access::Listed(_) => true,
    };
    let rule = "must be set where money may move on an address that is not loopback: [[callers]], or \
                trust-network where the network checks who calls, trust-envoy or \
                trust-linkerd if it also says who it is";
    let money = config.may_move_money;
    reader.check(!money || config.listen.ip().is_loopback() || said, "callers", rule);
    // A day more than the day itself, for a clock that is set.
    let rule = "must be at least 2d where a caller has a bound of max_refund_per_day_minor";
    let long = config.refund.retention >= s(2 * DAY);
    reader.check(long || !by_day(&config.access), "refund.retention", rule);
    let rule = "can only be known by uris and dns_names with tls.client_ca_file";
    reader.check(clients.is_some() || !by_certificate(&config.access), "callers", rule);
}

/// Whether somebody is known by a certificate.
fn by_certificate(access: &Access) -> bool {
    match access {
        Access::Open | Access::TrustNetwork(_) => false,
        Access::Listed(callers) => {
            callers.iter().any(|caller| !(caller.uris.is_empty() && caller.dns_names.is_empty()))
        }
    }
}

/// Whether somebody's refunds of a day are bounded.
fn by_day(access: &Access) -> bool {
    match access {
        Access::Open | Access::TrustNetwork(_) => false,
        Access::Listed(callers) => callers.iter().any(|caller| caller.max_refund_per_day.is_some()),
    }
}
