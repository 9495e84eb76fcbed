//! Which refunds are listed.

use clap::Args;

use super::times;
use crate::ledger::{Filter, Span, State};
use crate::refund::Rules;
use crate::trade::Identifier;

/// Which refunds: all conditions that are set hold.
#[derive(Debug, Default, Args)]
pub(in crate::cli) struct Filters {
    /// Only those in this state: claimed, in_doubt, processing, settled, not_applied; more than
    /// once, or with commas, for any of several
    #[arg(long = "state", value_parser = state, value_delimiter = ',')]
    states: Vec<State>,
    /// Only those that need a person
    #[arg(long)]
    needs_person: bool,
    /// Only those whose record Sunmi contradicts
    #[arg(long)]
    disputed: bool,
    /// Only those of the payment with this number, of whichever kind: the one that was asked for,
    /// or one that a look at the payment found
    #[arg(long, value_name = "NUMBER", value_parser = identifier)]
    original: Option<Identifier>,
    /// Only those with this business number
    #[arg(long, value_name = "NUMBER", value_parser = identifier)]
    business_id: Option<Identifier>,
    /// Only those that this caller asked for
    #[arg(long, value_name = "NAME")]
    caller: Option<String>,
    /// Only those claimed at this time or later: 2026-11-25T14:30:00+08:00, or a day, which is
    /// China's and means its beginning
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    claimed_since: Option<i64>,
    /// Only those claimed before this time
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    claimed_until: Option<i64>,
    /// Only those whose state last changed at this time or later
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    changed_since: Option<i64>,
    /// Only those whose state last changed before this time
    #[arg(long, value_name = "TIME", value_parser = times::time)]
    changed_until: Option<i64>,
}

impl Filters {
    /// The filter of these and of --app-id.
    pub(super) fn filter(self, app_id: Option<Identifier>, rules: &Rules) -> Filter {
        Filter {
            app_id,
            states: self.states,
            needs_person: self.needs_person.then(|| rules.patience()),
            disputed: self.disputed,
            original: self.original,
            business_id: self.business_id,
            caller: self.caller,
            claimed: Span { since: self.claimed_since, until: self.claimed_until },
            changed: Span { since: self.changed_since, until: self.changed_until },
            ..Filter::default()
        }
    }
}

fn state(name: &str) -> Result<State, String> {
    State::named(name).ok_or_else(|| "no such state".to_owned())
}

/// A number, or whoever signs.
///
/// # Errors
/// What it has to be.
pub(in crate::cli) fn identifier(text: &str) -> Result<Identifier, &'static str> {
    Identifier::parse(text.to_owned()).ok_or(Identifier::RULE)
}
