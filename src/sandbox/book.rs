//! Orders, refunds and balances: a pure state machine from a form to a reply.
//!
//! It is as little helpful as the document lets Sunmi be: a refund's number is no
//! idempotency key here, so a refund that is sent twice is executed twice, if the balance
//! allows; whether refunds can be looked up by their number can be switched off; queries
//! may show refunds late; and refunds may take time, and fail in the end.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;
use serde_json::{Value, json};

use super::codes::{required, words};
use super::samples;
use crate::sunmi::Credential;
use crate::sunmi::params::{AppKey, Params, SIGN};

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

/// Whether an order is a payment or a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs, reason = "they say it")]
pub enum Kind {
    Payment,
    Refund,
}

/// A payment or a refund.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "2.1.4 of the API document")]
pub struct Order {
    pub kind: Kind,
    pub amount: i64,
    pub business_id: String,
    pub mis_id: String,
    pub msn: String,
    pub order_id: String,
    /// An `orderId` under which it is found, though it is not echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<String>,
    pub pay_time: i64,
    pub platform: String,
    pub platform_id: String,
    pub refunded: i64,
    pub state: String,
}

/// The numbers that Sunmi gives a refund.
#[derive(Clone, Debug)]
pub(super) struct RefundNumbers {
    pub(super) mis_id: String,
    pub(super) order_id: String,
    pub(super) platform_id: String,
    pub(super) business_id: String,
    pub(super) pay_time: i64,
}

/// A card trade.
#[derive(Clone, Debug)]
pub(super) struct Card {
    pub(super) day: Day,
    pub(super) amount: i64,
    pub(super) order_id: String,
    pub(super) platform_id: String,
    /// When it was made; just now where absent.
    pub(super) pay_time: Option<i64>,
}

/// On which days a card trade is found.
#[derive(Clone, Debug)]
pub(super) enum Day {
    On(Vec<String>),
    Today,
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
    keys: BTreeMap<String, AppKey>,
    orders: Vec<Order>,
    cards: Vec<Card>,
    executions: Vec<Execution>,
    accepted: Vec<Accepted>,
    course: Course,
    lag: i64,
    refunds_queryable: bool,
}

impl Book {
    /// Books with the sample and demo orders, for who signs with one of these.
    pub fn new<'a>(credentials: impl IntoIterator<Item = &'a Credential>, now: i64) -> Self {
        let keys = credentials
            .into_iter()
            .map(|credential| (credential.app_id.to_string(), credential.app_key.clone()))
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
        let key = self.keys.get(&form["app_id"]).ok_or_else(|| Reply::refusal("20001"))?;
        let params: Params =
            form.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        if params.signature(key) != form[SIGN] {
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
        let at = self
            .find(form, ["misId", "orderId", "platformId"])
            .ok_or_else(|| Reply::missing("sunmi_order_no "))?
            .filter(|at| !self.accepted.iter().filter(hidden).any(|it| it.refund == *at))
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
            .find(form, ["oriMisId", "oriOrderId", "oriPlatformId"])
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

    /// Where the order is that the first given of these parameters names; `None` if none is
    /// given, `Some(None)` if there is no such order.
    fn find(&self, form: &Form, [mis, order, platform]: [&str; 3]) -> Option<Option<usize>> {
        let by = |fits: &dyn Fn(&Order) -> bool| {
            let visible = |order: &Order| self.refunds_queryable || order.kind == Kind::Payment;
            // The latest: a number may have been used twice.
            Some(self.orders.iter().rposition(|order| visible(order) && fits(order)))
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

impl Order {
    /// A payment by Alipay, found under this number and numbers made of it.
    pub(super) fn payment(order_id: &str, amount: i64, now: i64) -> Self {
        Self {
            kind: Kind::Payment,
            amount,
            business_id: format!("{order_id}-BUSINESS"),
            mis_id: format!("{order_id}-MIS"),
            msn: "TL05D91940002".to_owned(),
            order_id: order_id.to_owned(),
            asked_as: None,
            pay_time: now,
            platform: "alipay".to_owned(),
            platform_id: format!("{order_id}-PLATFORM"),
            refunded: 0,
            state: "3".to_owned(),
        }
    }

    /// A number of it that is not empty.
    fn name(&self) -> &str {
        self.asked_as.as_deref().unwrap_or(&self.order_id)
    }

    /// The code with which a refund of so much is refused, if it is.
    fn refuse_refund(&self, amount: i64) -> Option<&'static str> {
        match self.state.as_str() {
            _ if self.kind == Kind::Refund => Some("E20"),
            "4" => Some("D04"),
            "3" if amount > self.amount - self.refunded => Some("E22"),
            "3" => None,
            _ => Some("T01"),
        }
    }

    /// The refund of so much of this payment.
    fn refunded_as(&self, number: &str, amount: i64, numbers: &RefundNumbers) -> Self {
        Self {
            kind: Kind::Refund,
            amount,
            business_id: numbers.business_id.clone(),
            mis_id: numbers.mis_id.clone(),
            msn: self.msn.clone(),
            order_id: number.to_owned(),
            asked_as: None,
            pay_time: numbers.pay_time,
            platform: self.platform.clone(),
            platform_id: numbers.platform_id.clone(),
            refunded: 0,
            // Until `finish`.
            state: "1".to_owned(),
        }
    }

    fn order_type(&self) -> &'static str {
        match self.kind {
            Kind::Payment => "0",
            Kind::Refund => "1",
        }
    }

    /// 2.1.4.
    fn as_query_data(&self) -> Value {
        json!({
            "amount": self.amount.to_string(),
            "businessId": self.business_id,
            "buyerPayAmount": self.amount.to_string(),
            "misId": self.mis_id,
            "msn": self.msn,
            "orderType": self.order_type(),
            "orderId": self.order_id,
            "payTime": self.pay_time.to_string(),
            "platform": self.platform,
            "platformId": self.platform_id,
            "refunded": self.refunded.to_string(),
            "resultCode": "T00",
            "resultMsg": "Success",
            "state": self.state,
        })
    }

    /// 2.2.4. `orderId` is a number of Sunmi's, as in the sample, not the refund's own.
    fn as_refund_data(&self, original: &Self, numbers: &RefundNumbers) -> Value {
        json!({
            "amount": self.amount.to_string(),
            "businessId": self.business_id,
            "misId": self.mis_id,
            "msn": self.msn,
            "orderId": numbers.order_id,
            "orderType": self.order_type(),
            "oriMisId": original.mis_id,
            "oriOrderId": original.order_id,
            "payTime": self.pay_time.to_string(),
            "platform": self.platform,
            "platformId": self.platform_id,
            "resultCode": "00",
            "resultMsg": "成功",
            "state": self.state,
        })
    }
}

impl Card {
    fn is_of(&self, day: &str, now: i64) -> bool {
        match &self.day {
            Day::On(days) => days.iter().any(|it| it == day),
            Day::Today => day_in_china(now) == day,
        }
    }

    /// 2.3.4.
    fn as_data(&self, now: i64) -> Value {
        json!({
            "TransCurrency": "CNY",
            "amount": self.amount.to_string(),
            "batchNo": "000001",
            "cardGov": "CUP",
            "cardHash": "22005e1c89abc6c6b7090534c31180af38643346",
            "cardType": "SCC",
            "merchantNo": "820102179970017",
            "orderType": "0",
            "oriTradeRef": "",
            "orderId": self.order_id,
            "payTime": self.pay_time.unwrap_or(now).to_string(),
            "platformId": self.platform_id,
            "resultCode": "00",
            "resultMsg": "交易成功",
            "shortCard": "4402",
            "state": "3",
            "terminalNo": "10040784",
            "traceNo": "000293",
            "tradeRef": "454881473",
        })
    }
}

/// A parameter that is given and not empty.
fn get<'a>(form: &'a Form, name: &str) -> Option<&'a str> {
    form.get(name).map(String::as_str).filter(|value| !value.is_empty())
}

/// The day as yyyyMMdd, in China, where it is eight hours later than UTC all the year.
fn day_in_china(now: i64) -> String {
    let china = TimeZone::fixed(Offset::constant(8));
    let now = Timestamp::from_second(now).unwrap_or_default().to_zoned(china);
    now.strftime("%Y%m%d").to_string()
}

#[cfg(test)]
mod tests;
