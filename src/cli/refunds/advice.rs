//! What to do next about a refund.

use super::words::{span, time};
use crate::ledger::{Row, State};
use crate::refund::Rules;
use crate::trade::TradeState;
use crate::words::{DECISION, resolve, settle, verify};

/// In one or two sentences.
pub(super) fn next(row: &Row, rules: &Rules) -> String {
    let number = Some(row.key.order_id.as_str());
    let verify = verify(row, number);
    if row.disputed.is_some() {
        return format!(
            "Sunmi contradicts what is recorded: find out from Sunmi, or from the payment \
             platform's statement, what became of the money. `{verify}` \
             asks Sunmi again."
        );
    }
    match row.state {
        State::Claimed if !row.lease_is_over() => format!(
            "Wait {}: until then it may still be sent.",
            span(row.lease_until.saturating_sub(row.now))
        ),
        State::Claimed => format!(
            "Nobody works on it any more: `{}` looks what became \
             of it, and so does a server, once one serves from this ledger.",
            resolve(row, number)
        ),
        State::InDoubt => in_doubt(row, rules),
        State::Processing => processing(row, rules),
        State::Settled if row.outcome == Some(TradeState::Failed) => {
            "Nothing is left to do: it failed, for good. If the money is owed, it takes a refund \
             under a new number."
                .to_owned()
        }
        State::Settled => format!(
            "Nothing is left to do: the money was refunded. `{verify}` \
             asks Sunmi whether that still stands."
        ),
        State::NotApplied if row.told => {
            "No money moved, and a caller was told so: the next call with this number sends it."
                .to_owned()
        }
        State::NotApplied => {
            "No money moved. The next call with this number is told so, and the one after that \
             sends it."
                .to_owned()
        }
    }
}

fn in_doubt(row: &Row, rules: &Rules) -> String {
    let window = row.window_until(rules.settle_window);
    if !row.needs_person(rules.patience()) {
        return format!(
            "Wait until {}: until then it may still be executed, and the server goes on looking \
             for it. Decide earlier only what you know from elsewhere; --not-applied then takes \
             --force.",
            time(window)
        );
    }
    format!(
        "It needs you: find out from Sunmi, or from the payment platform's statement, whether the \
         money was refunded. Then record it: {}",
        command(row)
    )
}

fn processing(row: &Row, rules: &Rules) -> String {
    if !row.needs_person(rules.patience()) {
        return "Wait: Sunmi accepted it and has not finished, and the server goes on looking for \
                it."
        .to_owned();
    }
    format!(
        "Sunmi accepted it long ago and has not finished: ask Sunmi why. Once you know what became \
         of the money, record it: {}",
        command(row)
    )
}

/// How a decision is recorded; it suggests neither.
fn command(row: &Row) -> String {
    let [succeeded, not_applied, by, reason] = DECISION;
    let command = settle(row, Some(row.key.order_id.as_str()));
    format!("`{command}` with {succeeded} or {not_applied}, {by} and {reason}.")
}
