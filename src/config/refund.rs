//! How refunds are made, and where they are recorded: `[refund]`.

use std::sync::Arc;

use toml::Value;

use super::source::Reader;
use super::{DAY, ms, s};
use crate::ledger::{Location, POSTGRES_CONNECTIONS};
use crate::refund::Rules;

const LEDGER: &str = "refund.ledger";

pub(super) fn rules(reader: &mut Reader, refused_codes: Arc<[String]>) -> Rules {
    Rules {
        refused_codes,
        min_left: reader.duration("refund.min_left", ms(0)..=s(60), ms(500)),
        ceiling: reader.duration("refund.ceiling", ms(1)..=s(3600), s(60)),
        lag: reader.duration("refund.lag", ms(0)..=s(600), s(5)),
        settle_window: reader.duration("refund.settle_window", ms(1)..=s(7 * DAY), s(3600)),
        processing_patience: reader.duration(
            "refund.processing_patience",
            s(60)..=s(90 * DAY),
            s(3 * DAY),
        ),
        look_first: reader.flag("refund.look_first", true),
        retention: reader.duration("refund.retention", s(DAY)..=s(36_500 * DAY), s(400 * DAY)),
    }
}

/// Where the refund ledger is. Where money may move somebody has to say it: a server that starts in
/// another folder would begin with an empty one. Else it is in memory for a sandbox, and in the
/// working folder.
pub(super) fn ledger(reader: &mut Reader, sandbox: bool, may_move_money: bool) -> Location {
    let required = "must be set where money may move, to where it outlives this process";
    reader.check(reader.has(LEDGER) || !may_move_money, LEDGER, required);
    let rule = "must be memory, sqlite://PATH or postgres://… with known options";
    let parse = |value: &Value| Location::parse(value.as_str()?);
    let default = match sandbox {
        true => Location::Memory,
        false => Location::Sqlite("sunmi-trade.db".into()),
    };
    let shown = |ledger: &Location| Value::from(ledger.shown());
    let given = reader.take(LEDGER, rule, parse);
    if !may_move_money {
        reader.default_is(&shown(&default));
    }
    let ledger = given.unwrap_or(default);
    reader.in_force_as(&shown(&ledger));
    ledger
}

/// How many connections to the ledger's PostgreSQL there may be.
pub(super) fn ledger_connections(reader: &mut Reader) -> u32 {
    reader.count("refund.ledger_connections", 1..=200, POSTGRES_CONNECTIONS)
}

/// Whether a ledger may be made where there is none.
pub(super) fn create_ledger(reader: &mut Reader) -> bool {
    reader.flag("refund.create_ledger", true)
}
