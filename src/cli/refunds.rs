//! `sunmi-trade refunds`: looks into the ledger, beside a running server, and lets a person
//! decide what could not be found out.

use std::sync::Arc;

use clap::{ArgGroup, Args, Subcommand};
use jiff::Timestamp;
use tokio_util::task::TaskTracker;

use crate::config::{Config, Upstream};
use crate::error::{BoxError, Chain};
use crate::ledger::{Access, Decision, Ledger, Row, State};
use crate::refund::Refunds;
use crate::sunmi::Client;
use crate::trade::{Evidence, RefundTrade, Refunded, TradeState};

/// So many rows are listed if not told otherwise.
const LISTED: i64 = 50;

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List refunds, the latest first
    List {
        /// Only those in this state: claimed, in_doubt, processing, settled, not_applied
        #[arg(long, value_parser = state)]
        state: Option<State>,
        /// How many at most
        #[arg(long, default_value_t = LISTED, value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
    },
    /// Show all that is known of a refund
    Show {
        /// The refund's own number
        number: String,
    },
    /// Ask Sunmi once more what became of a refund
    Resolve {
        /// The refund's own number
        number: String,
    },
    /// Decide what became of a refund that is in doubt or processing
    ///
    /// For what neither this server nor Sunmi's interface can tell, when you know it from
    /// elsewhere, such as the payment platform's statement. It cannot be taken back.
    Settle(Settle),
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("decision").required(true).args(["succeeded", "not_applied"])))]
pub(super) struct Settle {
    /// The refund's own number
    number: String,
    /// The money was refunded
    #[arg(long)]
    succeeded: bool,
    /// No money was refunded: the number may be used again
    #[arg(long)]
    not_applied: bool,
    /// Who decides; kept
    #[arg(long, value_name = "NAME", value_parser = not_blank)]
    by: String,
    /// Why; kept
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    reason: String,
}

fn state(name: &str) -> Result<State, String> {
    State::named(name).ok_or_else(|| "no such state".to_owned())
}

fn not_blank(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("must not be blank") } else { Ok(text.trim().to_owned()) }
}

/// Does it, on the ledger of this configuration.
pub(super) async fn run(
    config: &Config,
    action: Action,
    app_id: Option<&str>,
) -> Result<(), BoxError> {
    let ledger = Ledger::open(&config.ledger, config.upstream_name(), Access::Visit).await?;
    match action {
        Action::List { state, limit } => {
            for row in ledger.list(state, limit).await? {
                println!("{}", line(&row));
            }
        }
        Action::Show { number } => print!("{}", page(&find(&ledger, &number, app_id).await?)),
        Action::Resolve { number } => {
            let row = find(&ledger, &number, app_id).await?;
            let (row, why) = resolve(config, &ledger, row).await?;
            print!("{}", page(&row));
            if let Some(why) = why {
                print!("{}", field("unresolved", &Chain(why.as_ref()).to_string()));
            }
        }
        Action::Settle(settle) => {
            let row = find(&ledger, &settle.number, app_id).await?;
            print!("{}", page(&decide(&ledger, row, settle).await?));
        }
    }
    Ok(())
}

async fn find(ledger: &Ledger, number: &str, app_id: Option<&str>) -> Result<Row, BoxError> {
    let mut rows = ledger.of_number(number).await?;
    rows.retain(|row| app_id.is_none_or(|id| row.key.app_id.as_str() == id));
    match rows.len() {
        0 => Err(format!("{number}: no such refund in the ledger").into()),
        1 => Ok(rows.remove(0)),
        _ => Err(format!("{number}: several app_ids have it, name one with --app-id").into()),
    }
}

async fn resolve(
    config: &Config,
    ledger: &Ledger,
    row: Row,
) -> Result<(Row, Option<BoxError>), BoxError> {
    let Upstream::Environment { base_url, .. } = &config.upstream else {
        return Err("the built-in sandbox lives in its server alone".into());
    };
    let client = Client::new(&config.client(base_url.clone()), config.credentials.clone())?;
    let refunds =
        Refunds::new(Arc::new(client), ledger.clone(), TaskTracker::new(), config.refund.clone());
    Ok(refunds.resolve_once(&row.key).await?)
}

async fn decide(ledger: &Ledger, row: Row, settle: Settle) -> Result<Row, BoxError> {
    if row.state == State::Claimed && row.lease_is_over() {
        ledger.expire(&row.key, row.epoch).await?;
    }
    let row = ledger.row(&row.key).await?;
    if !row.is_open() {
        let state = row.state.name();
        return Err(format!("{}: is {state}, so there is nothing to decide", settle.number).into());
    }
    let answer = settle.succeeded.then(|| Refunded {
        trade: RefundTrade {
            amount: row.amount,
            state: Some(TradeState::Succeeded),
            ..RefundTrade::default()
        },
        evidence: Evidence::Operator,
        replayed: false,
    });
    let decision = Decision { by: settle.by, reason: settle.reason };
    if !ledger.decide(&row, answer.as_ref(), &decision).await? {
        return Err("the refund changed meanwhile; look again".into());
    }
    Ok(ledger.row(&row.key).await?)
}

/// A row on one line.
fn line(row: &Row) -> String {
    format!(
        "{}  {:<11}  {}  {}  {}",
        time(row.claimed_at),
        row.state.name(),
        row.key.app_id,
        row.key.order_id,
        amount(row),
    )
}

/// All of a row.
fn page(row: &Row) -> String {
    let (kind, original) = row.original.named();
    let mut lines = vec![
        ("order_id", row.key.order_id.to_string()),
        ("app_id", row.key.app_id.to_string()),
        ("state", row.state.name().to_owned()),
        ("amount_minor", amount(row)),
        ("original", format!("{kind} {original}")),
        ("msn", row.msn.clone()),
        ("business_id", row.business_id.clone()),
        ("claimed", time(row.claimed_at)),
        ("lease until", time(row.lease_until)),
        ("changed", time(row.changed_at)),
        ("epoch", row.epoch.to_string()),
        ("looks", row.looks.to_string()),
    ];
    if let Some(caller) = &row.caller {
        lines.push(("caller", caller.clone()));
    }
    if let Some(outcome) = row.outcome {
        lines.push(("outcome", format!("{outcome:?}").to_uppercase()));
    }
    if let Some(answer) = &row.answer {
        lines.push(("evidence", format!("{:?}", answer.evidence).to_uppercase()));
    }
    if let Some(decision) = &row.decided {
        lines.push(("decided by", decision.by.clone()));
        lines.push(("because", decision.reason.clone()));
    }
    lines.into_iter().map(|(name, value)| field(name, &value)).collect()
}

/// A line of a page.
fn field(name: &str, value: &str) -> String {
    format!("{name:<13} {value}\n")
}

fn amount(row: &Row) -> String {
    row.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string())
}

fn time(millis: i64) -> String {
    Timestamp::from_millisecond(millis).map_or_else(|_| millis.to_string(), |at| at.to_string())
}
