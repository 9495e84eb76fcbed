//! What happens to the books without a call: the till, the device, the platform and the
//! years before the ledger.

use serde::{Deserialize, Serialize};

use super::refunds::Filed;
use super::{Book, Card, Day, Kind, Order};

/// A payment to enter. Names that are absent are made of the `order_id`; empty ones stay so.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs, reason = "2.1.4 of the API document")]
pub struct Payment {
    #[serde(default)]
    pub order_id: String,
    /// In fen.
    pub amount: i64,
    pub mis_id: Option<String>,
    pub platform_id: Option<String>,
    pub business_id: Option<String>,
    /// An `orderId` under which it is found, though it is not echoed.
    pub asked_as: Option<String>,
    pub msn: Option<String>,
    pub platform: Option<String>,
    pub state: Option<String>,
    /// How much of it is refunded already, in fen.
    #[serde(default)]
    pub refunded: i64,
    /// Who alone finds it; absent: everyone.
    pub app_id: Option<String>,
}

/// A card trade to enter.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CardTrade {
    /// Its number.
    pub order_id: String,
    /// In fen.
    pub amount: i64,
    /// Its number at the payment platform; made of `order_id` where absent.
    pub platform_id: Option<String>,
    /// The days on which it is found, as yyyyMMdd; absent: today in China, whenever that is.
    pub days: Option<Vec<String>>,
}

/// What to change of a payment.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// A name of the payment, of whatever kind.
    pub order_id: String,
    /// Its state from now on.
    pub state: Option<String>,
    /// Its amount from now on, in fen.
    pub amount: Option<i64>,
}

/// A refund that was made before anyone here kept a ledger.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PastRefund {
    /// Its number.
    pub order_id: String,
    /// A name of the payment, of whatever kind.
    pub original: String,
    /// In fen.
    pub amount: i64,
    /// Where it stays. The payment's total has it, but for state 5.
    #[serde(default = "succeeded")]
    pub state: String,
    /// How many milliseconds ago it was made, for lags.
    #[serde(default)]
    pub age_ms: i64,
    /// Who alone finds it; absent: everyone.
    #[serde(default)]
    pub app_id: Option<String>,
}

fn succeeded() -> String {
    "3".to_owned()
}

/// A refund on the device, under no number of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DeviceRefund {
    /// A name of the payment.
    pub original: String,
    /// Where the payment is among the orders.
    pub payment: usize,
    /// In fen.
    pub amount: i64,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
}

/// Why something cannot happen.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Impossible {
    /// Nothing has the name.
    #[error("no payment is named {0}")]
    NoPayment(String),
    /// No refund under the number has settled and is not returned.
    #[error("no settled refund is numbered {0}")]
    NoSettledRefund(String),
    /// A trade without any name, which nobody could ask for.
    #[error("it has no name")]
    Nameless,
    /// Not an amount, or more than is left of the payment.
    #[error("{0} fen are more than is left, or no amount")]
    Amount(i64),
}

impl Book {
    /// Enters a payment; `now` in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If it has no name at all.
    pub fn enter(&mut self, payment: Payment, now: i64) -> Result<(), Impossible> {
        let made = Order::payment(&payment.order_id, payment.amount, now.div_euclid(1000));
        let name = |given: Option<String>, made: String| {
            // Nothing to make a name of.
            given.unwrap_or(if payment.order_id.is_empty() { String::new() } else { made })
        };
        let order = Order {
            mis_id: name(payment.mis_id, made.mis_id),
            platform_id: name(payment.platform_id, made.platform_id),
            business_id: name(payment.business_id, made.business_id),
            asked_as: payment.asked_as.filter(|id| !id.is_empty()),
            msn: payment.msn.unwrap_or(made.msn),
            platform: payment.platform.unwrap_or(made.platform),
            state: payment.state.unwrap_or(made.state),
            refunded: payment.refunded,
            app_id: payment.app_id,
            ..made
        };
        if order.any_name().is_empty() {
            return Err(Impossible::Nameless);
        }
        self.orders.push(order);
        Ok(())
    }

    /// Enters a card trade; `now` in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If it has no number.
    pub fn enter_card(&mut self, trade: CardTrade, now: i64) -> Result<(), Impossible> {
        let CardTrade { order_id, amount, platform_id, days } = trade;
        if order_id.is_empty() {
            return Err(Impossible::Nameless);
        }
        self.cards.push(Card {
            day: days.map_or(Day::Today, Day::On),
            amount,
            platform_id: platform_id.unwrap_or_else(|| format!("{order_id}-PLATFORM")),
            order_id,
            pay_time: Some(now.div_euclid(1000)),
        });
        Ok(())
    }

    /// Changes a payment. Queries show that at once.
    ///
    /// # Errors
    ///
    /// If there is no such payment.
    pub fn change(&mut self, change: Change) -> Result<(), Impossible> {
        let at = self.payment(&change.order_id)?;
        let order = &mut self.orders[at];
        order.state = change.state.unwrap_or_else(|| order.state.clone());
        order.amount = change.amount.unwrap_or(order.amount);
        Ok(())
    }

    /// Enters a refund without a call; it is no execution. `now` in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If there is no such payment.
    pub fn enter_refund(&mut self, past: PastRefund, now: i64) -> Result<(), Impossible> {
        let payment = self.payment(&past.original)?;
        let at = now.saturating_sub(past.age_ms);
        let numbers = self.numbers(&past.order_id, "", Some(payment), at);
        let mut order = self.orders[payment].refunded_as(&past.order_id, past.amount, &numbers);
        let in_total = past.state != "5";
        order.state = past.state;
        order.app_id = past.app_id;
        let refund = self.file(order, at);
        if in_total {
            self.change_total(payment, past.amount, at);
        }
        self.filed.push(Filed { at, payment, refund, course: None, in_total, execution: None });
        Ok(())
    }

    /// Refunds on the device, under no number that a call could name: the payment's total
    /// grows. `now` in Unix milliseconds.
    ///
    /// # Errors
    ///
    /// If there is no such payment, or not so much left of it.
    pub fn refund_on_device(
        &mut self,
        name: &str,
        amount: i64,
        now: i64,
    ) -> Result<(), Impossible> {
        let payment = self.payment(name)?;
        let order = &self.orders[payment];
        if amount <= 0 || amount > order.amount - order.refunded {
            return Err(Impossible::Amount(amount));
        }
        let original = name.to_owned();
        self.device_refunds.push(DeviceRefund { original, payment, amount, at_ms: now });
        self.change_total(payment, amount, now);
        Ok(())
    }

    /// Returns the latest settled refund under this number: its money is back, the payment's
    /// total shrinks, and its order goes to state 5, unless it keeps its state. `now` in Unix
    /// milliseconds.
    ///
    /// # Errors
    ///
    /// If there is no refund under the number that has settled and is not returned.
    pub fn return_refund(
        &mut self,
        number: &str,
        keeps_state: bool,
        now: i64,
    ) -> Result<(), Impossible> {
        self.finish_ms(now);
        let is_it = |it: &Filed| {
            let order = &self.orders[it.refund];
            it.in_total && order.order_id == number && order.state == "3"
        };
        let at = self.filed.iter().rposition(is_it);
        let at = at.ok_or_else(|| Impossible::NoSettledRefund(number.to_owned()))?;
        let filed = &mut self.filed[at];
        filed.in_total = false;
        let (payment, refund) = (filed.payment, filed.refund);
        if let Some(execution) = filed.execution {
            self.executions[execution].returned_at_ms = Some(now);
        }
        self.change_total(payment, -self.orders[refund].amount, now);
        if !keeps_state {
            self.change_state(refund, "5", now);
        }
        Ok(())
    }

    /// Where the latest payment is that has this name, of whatever kind.
    fn payment(&self, name: &str) -> Result<usize, Impossible> {
        let fits = |order: &Order| order.kind == Kind::Payment && order.is_named(name);
        let at = self.orders.iter().rposition(fits);
        at.ok_or_else(|| Impossible::NoPayment(name.to_owned()))
    }
}
