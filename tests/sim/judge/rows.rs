//! What the ledger was left with.

use sunmi_trade::ledger::{Row, State};
use sunmi_trade::sandbox::book::{Kind, Order};
use sunmi_trade::trade::TradeState;

use super::{Left, Verdict, ensure, is_open};
use crate::options::WINDOW;
use crate::sent::payment_named;

impl Left {
    pub(super) fn judge_row(&self, row: &Row) -> Verdict {
        let number = &self.of_row(row);
        let payment = payment_named(row.original.named().1.as_str());
        match (row.state, row.outcome) {
            // A clock that went back costs patience.
            (State::Claimed, _) => ensure(self.options.steps && !row.lease_is_over(), || {
                "its lease is long over".to_owned()
            }),
            (State::NotApplied, _) => self.own_not_applied(row),
            (State::Settled, Some(TradeState::Succeeded)) => match row.amount {
                Some(amount) => self.succeeded(number, payment, amount),
                None => ensure(self.sends(number).any(|it| self.moves(it)), || {
                    "nothing moved".to_owned()
                }),
            },
            (State::Settled, Some(TradeState::Failed)) => match row.amount {
                Some(amount) => self.failed(number, amount),
                None => Ok(()),
            },
            (State::Settled, outcome) => Err(format!("with {outcome:?}")),
            (State::InDoubt | State::Processing, _) => self.judge_open(row),
        }
    }

    /// Whether nothing that was sent under this `app_id` moved money: under another one it may
    /// have been sent again.
    fn own_not_applied(&self, row: &Row) -> Verdict {
        let app_id = row.key.app_id.as_str();
        let number = self.of_row(row);
        let moved = self.sends(&number).find(|it| it.app_id == app_id && self.moves(it));
        ensure(moved.is_none() || self.restored, || format!("money moved: {moved:?}"))
    }

    /// What is left open must be what the rules leave to a person.
    fn judge_open(&self, row: &Row) -> Verdict {
        let shown = self
            .shown(row)
            .filter(|it| row.evidence.free && it.state == "3" && Some(it.amount) == row.amount);
        let late = !self.options.steps || row.is_past(WINDOW * 2);
        // The only key that could look for it may be gone.
        let blind = self.options.exchanged;
        ensure(shown.is_none() || !late || blind, || {
            format!("Sunmi shows it by its number: {shown:?}")
        })
    }

    /// What a query by the refund's number shows in the end: of several the latest.
    fn shown(&self, row: &Row) -> Option<&Order> {
        let number = row.key.order_id.as_str();
        let is_it = |it: &&Order| it.kind == Kind::Refund && it.order_id == number;
        self.books.orders.iter().rfind(is_it).filter(|_| self.options.finds(number))
    }

    /// The rows that a person has to settle.
    pub fn for_persons(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| is_open(row))
    }
}
