//! Orders, refunds and balances: a pure state machine from a form to a reply.
//!
//! It is as little helpful as the document lets Sunmi be: a refund's number is no
//! idempotency key here, so a refund that is sent twice is executed twice, if the balance
//! allows; whether refunds can be looked up by their number can be switched off; queries
//! may show refunds late; and refunds may take time, and fail in the end.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde_json::{Value, json};

mod order;

pub(super) use order::{Card, Day, RefundNumbers};
pub use order::{Kind, Order};

use super::codes::{required, words};
use super::samples;
use crate::sunmi::params::{Params, SIGN};
use crate::sunmi::{Credential, KeyRing};
use order::day_in_china;

/// Orders numbered so are answered with the code that follows, whatever is asked.
const CODE_ON_DEMAND: &str = "CODE-";

/// The three calls, by the last part of their path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs, reason = "chapter 2 of the API document")]
pub enum Endpoint {
    Query,
    Refund,
    SwipeQuery,
}

impl Endpoint {
    /// The call at this path, if there is one.
    pub fn at(path: &str) -> Option<Self> {
        match path {
            "/v1/trade/query" => Some(Self::Query),
            "/v1/trade/refund" => Some(Self::Refund),
            "/v1/trade/swipeQuery" => Some(Self::SwipeQuery),
            _ => None,
        }
    }
}

/// The parameters of a request.
pub type Form = BTreeMap<String, String>;

/// What Sunmi answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The result code.
    pub code: String,
    /// What it says.
    pub msg: String,
    /// The result.
    pub data: Option<Value>,
}

impl Reply {
    /// A refusal with this code.
    pub fn refusal(code: &str) -> Self {
        Self { code: code.to_owned(), msg: words(code).to_owned(), data: None }
    }

    fn missing(parameter: &str) -> Self {
        Self { code: "E27".to_owned(), msg: required(parameter), data: None }
    }

    fn success(data: Value) -> Self {
        Self { code: "1".to_owned(), msg: words("1").to_owned(), data: Some(data) }
    }

    /// The body to send, with its fields in the order of the samples.
    pub fn to_json(&self) -> String {
        match &self.data {
            Some(data) => json!({"code": self.code, "data": data, "msg": self.msg}).to_string(),
            None => json!({"code": self.code, "msg": self.msg}).to_string(),
        }
    }
}

/// How a refund goes once it is accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Course {
    /// How many seconds it is under way, in state 1.
    pub seconds: i64,
    /// Whether it fails in the end, and gives the money back.
    pub fails: bool,
}

/// What the books keep of a refund beside its order.
#[derive(Debug)]
struct Accepted {
    at: i64,
    /// Where its orders are: the payment, and the refund.
    payment: usize,
    refund: usize,
    course: Course,
}

/// A refund that moved money; if its order has failed since, the money is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// The refund's own number.
    pub order_id: String,
    /// The number by which its original was named.
    pub original: String,
    /// How much, in fen.
    pub amount: i64,
}

/// The books.
#[derive(Debug)]
pub struct Book {
    keys: BTreeMap<String, Arc<KeyRing>>,
    orders: Vec<Order>,
    cards: Vec<Card>,
    executions: Vec<Execution>,
    accepted: Vec<Accepted>,
    course: Course,
    lag: i64,
    refunds_queryable: bool,
}

impl Book {
    /// Books with the sample and demo orders, for who signs with a key of these
    /// that is then in force.
    pub fn new<'a>(credentials: impl IntoIterator<Item = &'a Credential>, now: i64) -> Self {
        let keys = credentials
            .into_iter()
            .map(|credential| (credential.app_id.to_string(), Arc::clone(&credential.keys)))
            .collect();
        Self {
            keys,
            orders: samples::orders(now),
            cards: samples::cards(),
            executions: Vec::new(),
            accepted: Vec::new(),
            course: Course::default(),
            lag: 0,
            refunds_queryable: true,
        }
    }

    /// Whether a query by a refund's number finds the refund.
    pub fn set_refunds_queryable(&mut self, queryable: bool) {
        self.refunds_queryable = queryable;
    }

    /// Queries show a refund, and its payment's total with it, so many seconds late.
    pub fn set_lag(&mut self, seconds: i64) {
        self.lag = seconds;
    }

    /// How the refunds go that are accepted from now on.
    pub fn set_course(&mut self, course: Course) {
        self.course = course;
    }

    /// Enters a payment, found by this number.
    pub fn add_payment(&mut self, order_id: &str, amount: i64, now: i64) {
        self.orders.push(Order::payment(order_id, amount, now));
    }

    /// Every refund that moved money, in order. One number may stand here twice.
    pub fn executions(&self) -> &[Execution] {
        &self.executions
    }

    /// Every payment and refund.
    pub fn orders(&self) -> &[Order] {
        &self.orders
    }

    /// What Sunmi does and answers; `now` in Unix seconds.
    pub fn handle(&mut self, endpoint: Endpoint, form: &Form, now: i64) -> Reply {
        self.finish(now);
        let handled = self.admit(form).and_then(|()| match endpoint {
            Endpoint::Query => self.query(form, now),
            Endpoint::Refund => self.refund(form, now),
            Endpoint::SwipeQuery => self.swipe_query(form, now),
        });
        handled.map_or_else(|refusal| refusal, Reply::success)
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

    /// Ends the refunds whose time has come.
    pub fn finish(&mut self, now: i64) {
        for Accepted { at, payment, refund, course } in &self.accepted {
            if self.orders[*refund].state != "1" || at + course.seconds > now {
                continue;
            }
            let end = if course.fails { "5" } else { "3" };
            self.orders[*refund].state = end.to_owned();
            if course.fails {
                self.orders[*payment].refunded -= self.orders[*refund].amount;
            }
        }
    }

    /// 2.1.
    fn query(&self, form: &Form, now: i64) -> Result<Value, Reply> {
        let hidden = |it: &&Accepted| it.at + self.lag > now;
        let shown = |at| !self.accepted.iter().filter(hidden).any(|it| it.refund == at);
        let at = self
            .find(form, ["misId", "orderId", "platformId"], shown)
            .ok_or_else(|| Reply::missing("sunmi_order_no "))?
            .ok_or_else(|| Reply::refusal("E19"))?;
        let not_shown: i64 = self
            .accepted
            .iter()
            .filter(hidden)
            .filter(|it| it.payment == at && self.orders[it.refund].state != "5")
            .map(|it| self.orders[it.refund].amount)
            .sum();
        let mut shown = self.orders[at].clone();
        shown.refunded -= not_shown;
        Ok(shown.as_query_data())
    }

    /// 2.2.
    fn refund(&mut self, form: &Form, now: i64) -> Result<Value, Reply> {
        let number = get(form, "orderId").ok_or_else(|| Reply::missing("merchant_order_no"))?;
        let business_id =
            get(form, "businessId").ok_or_else(|| Reply::missing("Merchant_business_no "))?;
        let amount = get(form, "amount").ok_or_else(|| Reply::missing("refund_amount "))?;
        let at = self
            .find(form, ["oriMisId", "oriOrderId", "oriPlatformId"], |_| true)
            .ok_or_else(|| Reply::missing("sunmi_order_no "))?
            .ok_or_else(|| Reply::refusal("E19"))?;
        let amount = amount.parse().ok().filter(|amount| *amount > 0);
        let amount: i64 = amount.ok_or_else(|| Reply::refusal("Q03"))?;
        let original = &self.orders[at];
        original.refuse_refund(amount).map_or(Ok(()), |code| Err(Reply::refusal(code)))?;
        let serial = self.executions.len() + 1;
        let numbers = samples::refund_numbers(number, original).unwrap_or_else(|| RefundNumbers {
            mis_id: format!("SANDBOX-MIS-{serial}"),
            order_id: format!("PS{now}{serial:04}"),
            platform_id: format!("SANDBOX-PLATFORM-{serial}"),
            business_id: business_id.to_owned(),
            pay_time: now,
        });
        let refund = original.refunded_as(number, amount, &numbers);
        self.executions.push(Execution {
            order_id: number.to_owned(),
            original: original.name().to_owned(),
            amount,
        });
        self.orders[at].refunded += amount;
        let (payment, refund_at, course) = (at, self.orders.len(), self.course);
        self.accepted.push(Accepted { at: now, payment, refund: refund_at, course });
        self.orders.push(refund);
        self.finish(now);
        Ok(self.orders[refund_at].as_refund_data(&self.orders[at], &numbers))
    }

    /// 2.3.
    fn swipe_query(&self, form: &Form, now: i64) -> Result<Value, Reply> {
        let order_id = get(form, "orderId");
        let platform_id = get(form, "platformId");
        if order_id.is_none() && platform_id.is_none() {
            return Err(Reply::missing("merchant_order_no"));
        }
        let day = get(form, "tradeDate").map_or_else(|| day_in_china(now), str::to_owned);
        if day.len() != 8 || !day.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(Reply::refusal("Q03"));
        }
        let fits = |card: &&Card| {
            card.is_of(&day, now)
                && order_id.is_none_or(|id| id == card.order_id)
                && platform_id.is_none_or(|id| id == card.platform_id)
        };
        let card = self.cards.iter().find(fits).ok_or_else(|| Reply::refusal("E19"))?;
        Ok(card.as_data(now))
    }

    /// Where the order is, of those shown, that the first given of these parameters names;
    /// `None` if none is given, `Some(None)` if there is no such order.
    fn find(
        &self,
        form: &Form,
        [mis, order, platform]: [&str; 3],
        shown: impl Fn(usize) -> bool,
    ) -> Option<Option<usize>> {
        let by = |fits: &dyn Fn(&Order) -> bool| {
            let visible = |order: &Order| self.refunds_queryable || order.kind == Kind::Payment;
            // The latest: a number may have been used twice.
            let mut orders = self.orders.iter().enumerate();
            Some(orders.rposition(|(at, order)| shown(at) && visible(order) && fits(order)))
        };
        if let Some(id) = get(form, mis) {
            return by(&|order| order.mis_id == id);
        }
        if let Some(id) = get(form, order) {
            return by(&|order| order.order_id == id || order.asked_as.as_deref() == Some(id));
        }
        let id = get(form, platform)?;
        by(&|order| order.platform_id == id)
    }
}

/// A parameter that is given and not empty.
fn get<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

#[cfg(test)]
mod tests;
