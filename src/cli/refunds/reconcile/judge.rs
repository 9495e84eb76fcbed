//! What a refund of the ledger and lines of a statement say of each other.

use super::Reconcile;
use super::statement::Line;
use crate::cli::refunds::words::{amount, plain, span};
use crate::cli::refunds::{Place, advice, settle};
use crate::ledger::{Key, Row, Span, State};
use crate::refund::Rules;
use crate::trade::TradeState;
use crate::words::{quoted, verify};

/// What refunds and lines are judged by.
pub(super) struct Judge<'a> {
    pub(super) options: &'a Reconcile,
    pub(super) place: &'a Place,
    pub(super) rules: &'a Rules,
    pub(super) span: Span,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Both have it, and they differ.
    Different,
    /// The statement has it more than once.
    Duplicate,
    /// It may be either of several refunds of the ledger.
    Ambiguous,
    /// The ledger alone has it as refunded.
    OnlyInLedger,
    /// The statement alone has it.
    OnlyInStatement,
    /// The ledger alone has it, and does not know what became of it: no difference.
    Open,
}

/// What is known of a refund of the ledger.
#[derive(Clone, Debug)]
pub(super) struct Ours {
    pub(super) key: Key,
    pub(super) state: State,
    pub(super) outcome: Option<TradeState>,
    pub(super) amount: Option<i64>,
    pub(super) epoch: i64,
    pub(super) claimed_at: i64,
}

impl From<&Row> for Ours {
    fn from(row: &Row) -> Self {
        Self {
            key: row.key.clone(),
            state: row.state,
            outcome: row.outcome,
            amount: row.amount,
            epoch: row.epoch,
            claimed_at: row.claimed_at,
        }
    }
}

/// Something that is to be told.
pub(super) struct Finding<'a> {
    pub(super) kind: Kind,
    /// The lines that it is of.
    pub(super) lines: Vec<&'a Line>,
    /// The refund that it is of.
    pub(super) ours: Option<Ours>,
    pub(super) why: String,
    /// What to do about it.
    pub(super) next: Option<String>,
    /// What would record it.
    pub(super) command: Option<String>,
}

impl Judge<'_> {
    /// What there is to tell of a refund that one line has; nothing where they are equal.
    pub(super) fn one<'a>(&self, row: &Row, line: &'a Line) -> Option<Finding<'a>> {
        let differs = match row.amount {
            None => Some("the ledger no longer has the amount: retention emptied it".to_owned()),
            Some(ours) if ours != line.amount => {
                Some(format!("the statement has {}, and the ledger {ours}", line.amount))
            }
            Some(_) => None,
        };
        let finding = |why: String, next: Option<String>, command: Option<String>| Finding {
            kind: Kind::Different,
            lines: vec![line],
            ours: Some(row.into()),
            why,
            next,
            command,
        };
        let why = |state: &str| match &differs {
            None => state.to_owned(),
            Some(differs) => format!("{state}; {differs}"),
        };
        match row.state {
            State::Settled if row.has_succeeded() => differs.map(|why| finding(why, None, None)),
            State::Settled => {
                let next =
                    format!("ask Sunmi again: {}", verify(row, Some(row.key.order_id.as_str())));
                Some(finding(why("the ledger has it as failed"), Some(next), None))
            }
            State::NotApplied => {
                let next = "a repeat of its call may send it again: keep its caller from that";
                let state = "the ledger has it as not applied";
                Some(finding(why(state), Some(next.to_owned()), None))
            }
            State::Claimed | State::InDoubt | State::Processing => {
                let state = format!("the ledger has it as {}", row.state.name());
                let (next, command) = match (&differs, settle::may_succeed(row)) {
                    (Some(_), _) => (Some("find out whether it is this refund".to_owned()), None),
                    (None, Err(not_yet)) => (Some(not_yet), None),
                    (None, Ok(())) => (None, Some(self.command(row, line))),
                };
                Some(finding(why(&state), next, command))
            }
        }
    }

    /// What there is to tell of a refund that several lines have.
    pub(super) fn several<'a>(&self, row: Option<&Row>, lines: Vec<&'a Line>) -> Finding<'a> {
        let amounts: Vec<String> = lines.iter().map(|line| line.amount.to_string()).collect();
        let ledger = match row {
            None => "the ledger does not have it".to_owned(),
            Some(row) => {
                let Row { state, amount: ours, .. } = row;
                format!("the ledger has it as {}, of {}", state.name(), amount(*ours))
            }
        };
        let why = format!(
            "the statement has it {} times, of {}; {ledger}",
            lines.len(),
            amounts.join(" and ")
        );
        let next = "find out whether the money went twice".to_owned();
        let ours = row.map(Ours::from);
        Finding { kind: Kind::Duplicate, lines, ours, why, next: Some(next), command: None }
    }

    /// What there is to tell of a refund that no line has.
    pub(super) fn none(&self, row: &Row) -> Option<Finding<'static>> {
        let finding = |kind, why: String, next: String| {
            let (lines, ours) = (Vec::new(), Some(row.into()));
            Some(Finding { kind, lines, ours, why, next: Some(next), command: None })
        };
        match row.state {
            State::Settled if row.has_succeeded() && self.is_within(self.booked(row)) => {
                let why = "the ledger has it as succeeded, and the statement does not have it";
                let disputed = row.disputed.as_ref();
                let why = match disputed {
                    None => why.to_owned(),
                    Some(dispute) => format!("{why}; disputed: {dispute}"),
                };
                finding(Kind::OnlyInLedger, why, self.where_else(row))
            }
            State::Claimed | State::InDoubt | State::Processing
                if self.is_within(row.claimed_at) =>
            {
                let state = row.state.name();
                let why =
                    format!("the ledger has it as {state}, and the statement does not have it");
                finding(Kind::Open, why, advice::next(row, self.rules))
            }
            State::Settled
            | State::NotApplied
            | State::Claimed
            | State::InDoubt
            | State::Processing => None,
        }
    }

    fn where_else(&self, row: &Row) -> String {
        let verify = format!("ask Sunmi again: {}", verify(row, Some(row.key.order_id.as_str())));
        let Span { since, until } = self.span;
        let booked = self.booked(row);
        let is_near = |edge: i64| booked.abs_diff(edge) <= self.margin().unsigned_abs();
        let near = [(since, "before"), (until, "after")]
            .into_iter()
            .find_map(|(edge, side)| edge.filter(|edge| is_near(*edge)).map(|_| side));
        match near {
            None => verify,
            Some(side) => format!(
                "it was made within {} of the period's edge: look in the statement {side} this \
                 one, else {verify}",
                span(self.margin())
            ),
        }
    }

    /// When a refund was made: as Sunmi's answer says, if that can be, else when it was claimed.
    /// It can be if it lies, but for the clocks' difference, between the claim and when the
    /// ledger knew.
    fn booked(&self, row: &Row) -> i64 {
        let (margin, answer) = (self.margin(), row.answer.as_ref());
        let seconds = answer.and_then(|it| it.trade.pay_time);
        let paid = seconds.map(|seconds| seconds.get().saturating_mul(1000));
        let may_be = |paid: &i64| {
            row.claimed_at.saturating_sub(margin) <= *paid
                && *paid <= row.changed_at.saturating_add(margin)
        };
        paid.filter(may_be).unwrap_or(row.claimed_at)
    }

    /// What would record that it succeeded.
    fn command(&self, row: &Row, line: &Line) -> String {
        let number = row.key.order_id.as_str();
        let option = |name: &str, value: &str| match value.starts_with('-') {
            // Else it would be an option itself.
            true => vec![format!("{name}={value}")],
            false => vec![name.to_owned(), value.to_owned()],
        };
        let file = plain(&self.options.file.display().to_string());
        let mut words = vec!["sunmi-trade".to_owned(), "refunds".to_owned(), "settle".to_owned()];
        let is_option = number.starts_with('-');
        if !is_option {
            words.push(number.to_owned());
        }
        words.extend(self.place.0.iter().cloned());
        words.extend(option("--app-id", row.key.app_id.as_str()));
        words.extend(["--epoch".to_owned(), row.epoch.to_string(), "--succeeded".to_owned()]);
        words.extend(option("--by", &plain(&self.options.by)));
        words.extend(option("--reason", &format!("statement {file} line {}", line.line)));
        if is_option {
            words.extend(["--".to_owned(), number.to_owned()]);
        }
        words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")
    }
}
