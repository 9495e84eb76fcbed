//! What a person decides: what became of a refund, and where a ledger belongs.

use clap::{ArgGroup, Args};

use super::words::{span, time};
use crate::config::Config;
use crate::error::BoxError;
use crate::ledger::{Decision, Ledger, Row, State};
use crate::refund::Rules;
use crate::trade::{Evidence, RefundTrade, Refunded, TradeState};

/// Who decides, and why.
#[derive(Debug, Args)]
pub(in crate::cli) struct Decided {
    /// Who decides; kept
    #[arg(long, value_name = "NAME", value_parser = not_blank)]
    by: String,
    /// Why; kept
    #[arg(long, value_name = "TEXT", value_parser = not_blank)]
    reason: String,
}

#[derive(Debug, Args)]
#[command(group(ArgGroup::new("decision").required(true).args(["succeeded", "not_applied"])))]
pub(in crate::cli) struct Settle {
    /// The refund's own number
    pub(super) number: String,
    /// The epoch that `refunds show` shows: what is decided is what was looked at
    #[arg(long, value_name = "E")]
    epoch: i64,
    /// The money was refunded
    #[arg(long)]
    succeeded: bool,
    /// No money was refunded: the number may be used again
    #[arg(long)]
    not_applied: bool,
    /// Decide --not-applied before the settle window is over, in which it may still be executed
    #[arg(long, conflicts_with = "succeeded")]
    force: bool,
    #[command(flatten)]
    decided: Decided,
}

fn not_blank(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() { Err("must not be blank") } else { Ok(text.trim().to_owned()) }
}

impl From<Decided> for Decision {
    fn from(decided: Decided) -> Self {
        Self { by: decided.by, reason: decided.reason }
    }
}

/// Records a decision over the row that the person saw. It comes back as it is then.
///
/// # Errors
/// Why it cannot be decided, or not yet.
pub(super) async fn decide(
    ledger: &Ledger,
    row: Row,
    rules: &Rules,
    settle: Settle,
) -> Result<Row, BoxError> {
    check(&row, rules, &settle)?;
    let row = match row.state {
        State::Claimed => {
            ledger.expire(&row.key, row.epoch).await?;
            ledger.row(&row.key).await?
        }
        State::InDoubt | State::Processing | State::Settled | State::NotApplied => row,
    };
    // An answer may have come meanwhile.
    check(&row, rules, &settle)?;
    let answer = settle.succeeded.then(|| succeeded(&row));
    let decided = ledger.decide(&row, answer.as_ref(), &settle.decided.into()).await?;
    if !decided {
        return Err(format!("{}: changed meanwhile; look at it again", settle.number).into());
    }
    Ok(ledger.row(&row.key).await?)
}

/// Whether this may be decided of it now.
fn check(row: &Row, rules: &Rules, settle: &Settle) -> Result<(), String> {
    let Settle { number, epoch, .. } = settle;
    is_open(row)?;
    if row.epoch != *epoch {
        return Err(format!(
            "{number}: is at epoch {}, not at {epoch}: it was sent again since, so look at it \
             again with `refunds show`",
            row.epoch
        ));
    }
    may_not_be_sent(row)?;
    if settle.not_applied && !settle.force && !row.is_past(rules.settle_window) {
        let over = row.window_until(rules.settle_window);
        return Err(format!(
            "{number}: may still be executed until the settle window is over, at {}, in {}; wait \
             until then, or add --force",
            time(over),
            span(over.saturating_sub(row.now))
        ));
    }
    Ok(())
}

/// Whether it may be decided now that it succeeded, as it is.
///
/// # Errors
/// Why not, or not yet.
pub(super) fn may_succeed(row: &Row) -> Result<(), String> {
    is_open(row)?;
    may_not_be_sent(row)
}

fn is_open(row: &Row) -> Result<(), String> {
    let (number, state) = (&row.key.order_id, row.state.name());
    match row.state {
        State::Settled | State::NotApplied => {
            Err(format!("{number}: is {state}, so there is nothing to decide"))
        }
        State::Claimed | State::InDoubt | State::Processing => Ok(()),
    }
}

fn may_not_be_sent(row: &Row) -> Result<(), String> {
    if row.state != State::Claimed || row.lease_is_over() {
        return Ok(());
    }
    Err(format!(
        "{}: may still be sent until {}, in {}; decide after that",
        row.key.order_id,
        time(row.lease_until),
        span(row.lease_until.saturating_sub(row.now))
    ))
}

fn succeeded(row: &Row) -> Refunded {
    Refunded {
        trade: RefundTrade {
            amount: row.amount,
            state: Some(TradeState::Succeeded),
            ..RefundTrade::default()
        },
        evidence: Evidence::Operator,
        replayed: false,
    }
}

/// Binds the ledger to the upstream of this configuration, and says so.
///
/// # Errors
/// That it belongs to it already, or cannot be used.
pub(super) async fn rehome(config: &Config, decided: Decided) -> Result<String, BoxError> {
    let ledger = Ledger::open_of_any_upstream(&config.ledger).await?;
    let upstream = config.upstream_name();
    let before = ledger.rehome(upstream, &decided.into()).await?;
    let open = ledger.identity().await?.open;
    let place = config.ledger.shown();
    Ok(format!(
        "{place} belonged to the upstream {before}, and belongs to {upstream} from now on.\n\
         Refunds that are open: {open}. They are looked for there.\n"
    ))
}
