//! Orders, refunds and balances: a pure state machine from a form to a reply.
//!
//! It is as little helpful as the document lets Sunmi be: a refund's number is no
//! idempotency key here, so a refund that is sent twice is executed twice, if the balance
//! allows; whether refunds and payments are found can be switched off; queries may show
//! them late; and refunds may take time, fail in the end, and be returned after that. See
//! [`Settings`] for what can be set, and the methods of [`Book`] for what can happen to the
//! books without a call.

use std::collections::BTreeMap;
use std::sync::Arc;

mod acts;
mod call;
mod changes;
mod looks;
mod order;
mod refunds;
mod settings;

pub use acts::{CardTrade, Change, DeviceRefund, Impossible, PastRefund, Payment};
pub use call::{Endpoint, Form, Reply};
pub(super) use order::{Card, Day, RefundNumbers};
pub use order::{Kind, Order};
pub use refunds::{Execution, Names};
pub use settings::{Course, Originals, Patch, Settings};

use super::samples;
use crate::sunmi::params::{Params, SIGN};
use crate::sunmi::{Credential, KeyRing};
use call::get;

/// Orders numbered so are answered with the code that follows, whatever is asked.
const CODE_ON_DEMAND: &str = "CODE-";

/// The books.
#[derive(Debug)]
pub struct Book {
    keys: BTreeMap<String, Arc<KeyRing>>,
    orders: Vec<Order>,
    cards: Vec<Card>,
    executions: Vec<Execution>,
    device_refunds: Vec<DeviceRefund>,
    filed: Vec<refunds::Filed>,
    changes: Vec<changes::Change>,
    /// How many refunds have numbers of Sunmi's.
    serial: usize,
    settings: Settings,
}

impl Book {
    /// Books with the sample and demo orders, for who signs with a key of these
    /// that is then in force; `now` in Unix seconds.
    pub fn new<'a>(credentials: impl IntoIterator<Item = &'a Credential>, now: i64) -> Self {
        let mut book = Self::unsigned(now);
        book.accept(credentials);
        book
    }

    /// Takes who signs with a key of these, too; for an `app_id` that it knows, instead of those
    /// that it knows. Sunmi forgets no account because its user does.
    pub fn accept<'a>(&mut self, credentials: impl IntoIterator<Item = &'a Credential>) {
        let keys = |it: &Credential| (it.app_id.to_string(), Arc::clone(&it.keys));
        self.keys.extend(credentials.into_iter().map(keys));
    }

    fn unsigned(now: i64) -> Self {
        Self {
            keys: BTreeMap::new(),
            orders: samples::orders(now),
            cards: samples::cards(),
            executions: Vec::new(),
            device_refunds: Vec::new(),
            filed: Vec::new(),
            changes: Vec::new(),
            serial: 0,
            settings: Settings::default(),
        }
    }

    /// What is set.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// To set something, for all calls from now on.
    pub fn settings_mut(&mut self) -> &mut Settings {
        &mut self.settings
    }

    /// Whether a query by a refund's number finds the refund.
    pub fn set_refunds_queryable(&mut self, queryable: bool) {
        self.settings.refunds_queryable = queryable;
    }

    /// Queries show a refund, and its payment's total with it, so many seconds late.
    pub fn set_lag(&mut self, seconds: i64) {
        self.settings.number_lag_ms = seconds.saturating_mul(1000);
        self.settings.total_lag_ms = self.settings.number_lag_ms;
    }

    /// How the refunds go that are accepted from now on.
    pub fn set_course(&mut self, course: Course) {
        self.settings.course = course;
    }

    /// Enters a payment, found by this number and numbers made of it; `now` in Unix seconds.
    pub fn add_payment(&mut self, order_id: &str, amount: i64, now: i64) {
        self.orders.push(Order::payment(order_id, amount, now));
    }

    /// Every refund that moved money by a call, in order. One number may stand here twice.
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// Every refund on the device, in order.
    pub fn device_refunds(&self) -> &[DeviceRefund] {
        &self.device_refunds
    }

    /// Every payment and refund.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// What Sunmi does and answers; `now` in Unix seconds.
    pub fn handle(&mut self, endpoint: Endpoint, form: &Form, now: i64) -> Reply {
        self.handle_ms(endpoint, form, now.saturating_mul(1000))
    }

    /// The same; `now` in Unix milliseconds.
    pub fn handle_ms(&mut self, endpoint: Endpoint, form: &Form, now: i64) -> Reply {
        self.finish_ms(now);
        let handled = self.admit(form).and_then(|()| match endpoint {
            Endpoint::Query => self.query(form, now),
            Endpoint::Refund => self.refund(form, now),
            Endpoint::SwipeQuery => self.swipe_query(form, now),
        });
        handled.map_or_else(|refusal| refusal, Reply::success)
    }

    /// The same with these settings, which hold for this call alone.
    pub fn handle_with(
        &mut self,
        settings: Settings,
        endpoint: Endpoint,
        form: &Form,
        now: i64,
    ) -> Reply {
        let before = std::mem::replace(&mut self.settings, settings);
        let reply = self.handle_ms(endpoint, form, now);
        self.settings = before;
        reply
    }

    /// What all calls have in common: the mandatory parameters, the signature, and a code
    /// on demand.
    fn admit(&self, form: &Form) -> Result<(), Reply> {
        for (name, missing) in
            [("msn", "msn"), ("app_id", "app_id "), (SIGN, "sign "), ("charset", "charset ")]
        {
            if get(form, name).is_none() {
                return Err(Reply::missing(missing));
            }
        }
        let keys = self.keys.get(&form["app_id"]).ok_or_else(|| Reply::refusal("20001"))?;
        let params: Params =
            form.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if !keys.any(|key| params.signature(key) == form[SIGN]) {
            return Err(Reply::refusal("E05"));
        }
        let numbers = ["misId", "orderId", "platformId", "oriMisId", "oriOrderId", "oriPlatformId"];
        let demanded =
            numbers.iter().find_map(|name| form.get(*name)?.strip_prefix(CODE_ON_DEMAND));
        demanded.map_or(Ok(()), |code| Err(Reply::refusal(code)))
    }
}

#[cfg(test)]
mod tests;
