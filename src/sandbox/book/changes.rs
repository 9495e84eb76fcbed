//! What changed when, so that queries can show the books as they were a while ago.

use super::{Book, Order};

/// Something that queries may show late.
#[derive(Debug)]
pub(super) struct Change {
    /// In Unix milliseconds.
    pub(super) at: i64,
    /// Which order.
    pub(super) order: usize,
    pub(super) what: What,
}

#[derive(Debug)]
pub(super) enum What {
    /// It was entered.
    Entered,
    /// Its state was this, until then.
    StateWas(String),
    /// So much more of it, or less, is refunded.
    Refunded(i64),
}

impl Book {
    /// Enters an order that queries may show late, and says where it is.
    pub(super) fn file(&mut self, order: Order, at: i64) -> usize {
        let number = self.orders.len();
        self.orders.push(order);
        self.changes.push(Change { at, order: number, what: What::Entered });
        number
    }

    pub(super) fn change_state(&mut self, order: usize, state: &str, at: i64) {
        let was = std::mem::replace(&mut self.orders[order].state, state.to_owned());
        self.changes.push(Change { at, order, what: What::StateWas(was) });
    }

    /// Refunds so much of a payment, or gives it back.
    pub(super) fn change_total(&mut self, payment: usize, by: i64, at: i64) {
        self.orders[payment].refunded += by;
        self.changes.push(Change { at, order: payment, what: What::Refunded(by) });
    }

    /// The order as queries show it now, if they show it.
    pub(super) fn shown(&self, order: usize, now: i64) -> Option<Order> {
        let mut shown = self.orders[order].clone();
        // Backwards, so that of all states within the lag the first is the one that is left.
        for change in self.changes.iter().rev().filter(|it| it.order == order) {
            let lag = match change.what {
                What::Entered | What::StateWas(_) => self.settings.number_lag_ms,
                What::Refunded(_) => self.settings.total_lag_ms,
            };
            if change.at.saturating_add(lag) <= now {
                continue;
            }
            match &change.what {
                What::Entered => return None,
                What::StateWas(state) => shown.state.clone_from(state),
                What::Refunded(by) => shown.refunded -= by,
            }
        }
        Some(shown)
    }
}
