//! `sunmi-trade refunds`: looks into the ledger, beside a running server, and lets a person
//! decide what could not be found out.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

mod advice;
mod ask;
mod export;
mod filters;
mod list;
mod out;
mod pages;
mod progress;
mod reconcile;
mod record;
mod settle;
mod show;
mod times;
mod words;

use export::Export;
use filters::Filters;
pub(super) use filters::identifier as app_id;
use reconcile::Reconcile;
use settle::{Decided, Settle};

use super::help;
use crate::config::Config;
use crate::error::{BoxError, Chain};
use crate::ledger::{Access, Ledger, Row, State};
use crate::refund::persons::Standing;
use crate::trade::Identifier;

/// So many rows are listed if not told otherwise.
const LISTED: i64 = 50;

/// What to do with the ledger.
#[derive(Debug, Subcommand)]
pub(super) enum Action {
    /// List refunds, the latest first
    ///
    /// A line has: when it was claimed, its state, "person" if it needs one, its app_id, its
    /// number, its amount in minor units, and why it is as it is, in a word. All conditions that
    /// are given hold, --app-id among them.
    List {
        #[command(flatten)]
        filters: Box<Filters>,
        /// How many at most
        #[arg(long, default_value_t = LISTED, value_parser = clap::value_parser!(i64).range(1..))]
        limit: i64,
        /// A JSON object on each line, with the names of RefundRecord
        #[arg(long)]
        json: bool,
    },
    /// Show all that is known of a refund, what its payment's total is now, and what to do next
    Show {
        /// The refund's own number
        number: String,
        /// Do not ask Sunmi for the payment; this needs no credentials
        #[arg(long)]
        offline: bool,
        /// As a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Write all refunds of a period, or of the whole ledger, the most recently claimed first
    ///
    /// As the ledger is at one moment: what is claimed and settled meanwhile is not in it.
    /// docs/reconciliation.md says what the columns are.
    Export(Export),
    /// Compare a statement of Sunmi's or of the payment platform's with the ledger
    ///
    /// Changes nothing. Prints what differs, and the commands that would record what the
    /// statement shows of refunds whose outcome is open. The exit status is 0 if nothing
    /// differs, 3 if something does, and 1 if they could not be compared.
    #[command(after_help = help::RECONCILE)]
    Reconcile(Box<Reconcile>),
    /// Ask Sunmi once more what became of a refund
    ///
    /// Records what Sunmi shows. That Sunmi shows nothing proves nothing, and is not recorded.
    Resolve(One),
    /// Ask Sunmi whether a settled refund still stands
    ///
    /// If it does not, the exit status is not 0, and the difference is kept in the ledger, but
    /// the refund stays settled as it is.
    Verify(One),
    /// Decide what became of a refund that is in doubt or processing
    ///
    /// For what neither this server nor Sunmi's interface can tell, when you know it from
    /// elsewhere, such as the payment platform's statement. It cannot be taken back.
    Settle(Settle),
    /// Let the ledger belong to the upstream that is configured now
    ///
    /// Only for the same Sunmi under a new address or upstream.name: another Sunmi does not know
    /// these refunds, and one in doubt would be judged not to have happened.
    Rehome(Decided),
}

#[derive(Debug, Args)]
pub(super) struct One {
    /// The refund's own number
    number: String,
}

impl Action {
    /// Whether it cannot be done without asking Sunmi, and so not without credentials.
    pub(super) fn must_ask(&self) -> bool {
        match self {
            Self::Resolve(_) | Self::Verify(_) => true,
            Self::List { .. }
            | Self::Show { .. }
            | Self::Export(_)
            | Self::Reconcile(_)
            | Self::Settle(_)
            | Self::Rehome(_) => false,
        }
    }
}

/// Which flags led to the ledger, as a command has to repeat them.
#[derive(Debug)]
pub(super) struct Place(Vec<String>);

impl Place {
    /// Of these flags.
    pub(super) fn of(config: Option<&Path>, upstream_base_url: Option<&str>) -> Self {
        let config = config.map(|path| ["--config".to_owned(), path.display().to_string()]);
        let upstream =
            upstream_base_url.map(|url| ["--upstream-base-url".to_owned(), url.to_owned()]);
        Self([config, upstream].into_iter().flatten().flatten().collect())
    }
}

/// Does it, on the ledger of this configuration.
pub(super) async fn run(
    config: &Config,
    place: &Place,
    action: Action,
    app_id: Option<Identifier>,
) -> Result<ExitCode, BoxError> {
    if let Action::Rehome(decided) = action {
        print!("{}", settle::rehome(config, decided).await?);
        return Ok(ExitCode::SUCCESS);
    }
    let rules = &config.refund;
    let ledger = Ledger::open(&config.ledger, config.upstream_name(), Access::Visit).await?;
    match action {
        Action::List { filters, limit, json } => {
            let filter = filters.filter(app_id, rules);
            out::unless_closed(list::print(&ledger, &filter, limit, json, rules).await)?;
        }
        Action::Show { number, offline, json } => {
            let row = find(&ledger, &number, app_id).await?;
            let asked = match offline {
                true => None,
                false => Some(ask::payment_now(config, &ledger, &row).await),
            };
            match json {
                true => show::json(&row, rules, asked.as_ref())?,
                false => {
                    let asked = asked.map_or_else(Vec::new, |asked| ask::told(&row, asked));
                    print!("{}", show::page(&row, rules, asked));
                }
            }
        }
        Action::Export(export) => export::run(&ledger, export, app_id, rules).await?,
        Action::Reconcile(reconcile) => {
            return reconcile::run(&ledger, &reconcile, place, app_id, rules).await;
        }
        Action::Resolve(One { number }) => {
            let row = find(&ledger, &number, app_id).await?;
            print!("{}", resolve(config, &ledger, &row).await?);
        }
        Action::Verify(One { number }) => {
            let row = find(&ledger, &number, app_id).await?;
            print!("{}", verify(config, &ledger, &row).await?);
        }
        Action::Settle(settle) => {
            let row = find(&ledger, &settle.number, app_id).await?;
            let row = settle::decide(&ledger, row, rules, settle).await?;
            print!("{}", show::page(&row, rules, Vec::new()));
        }
        // Done above.
        Action::Rehome(_) => {}
    }
    Ok(ExitCode::SUCCESS)
}

async fn find(ledger: &Ledger, number: &str, app_id: Option<Identifier>) -> Result<Row, BoxError> {
    let mut rows = ledger.of_number(number).await?;
    rows.retain(|row| app_id.as_ref().is_none_or(|id| row.key.app_id == *id));
    match rows.len() {
        0 => Err(format!("{number}: no such refund in the ledger").into()),
        1 => Ok(rows.remove(0)),
        _ => Err(format!("{number}: several app_ids have it, name one with --app-id").into()),
    }
}

/// Looks once, and shows the row as it is then.
async fn resolve(config: &Config, ledger: &Ledger, row: &Row) -> Result<String, BoxError> {
    let (row, why) = ask::refunds(config, ledger)?.resolve_once(&row.key).await?;
    let unresolved = why.map(|why| ("unresolved", Chain(why.as_ref()).to_string()));
    Ok(show::page(&row, &config.refund, unresolved.into_iter().collect()))
}

/// Asks Sunmi again about a settled refund.
///
/// # Errors
/// That it does not stand, or that Sunmi does not tell.
async fn verify(config: &Config, ledger: &Ledger, row: &Row) -> Result<String, BoxError> {
    let number = &row.key.order_id;
    if row.state != State::Settled {
        let state = row.state.name();
        return Err(
            format!("{number}: is {state}, and only what is settled can be verified").into()
        );
    }
    match ask::refunds(config, ledger)?.verify(row).await? {
        Standing::Stands => Ok(format!("{number}: stands: Sunmi has it as it is recorded\n")),
        Standing::Differs(why) => Err(format!("{number}: does not stand: {why}").into()),
        Standing::Untold(why) => Err(format!("{number}: could not be verified: {why}").into()),
    }
}
