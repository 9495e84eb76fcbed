//! The refund call, and what becomes of a refund.

use serde::Serialize;
use serde_json::Value;

use super::call::{Form, Reply, get};
use super::order::Originals;
use super::settings;
use super::{Book, Course, Kind, Order, RefundNumbers};
use crate::sandbox::samples;

/// A refund that moved money; if its order has failed since, the money is back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Execution {
    /// The refund's own number.
    pub order_id: String,
    /// The number by which its original was named.
    pub original: String,
    /// How much, in fen.
    pub amount: i64,
    /// Who asked for it.
    pub app_id: String,
    /// When, in Unix milliseconds.
    pub at_ms: i64,
    /// The payment: where it is among the orders.
    pub payment: usize,
    /// The payment's names; empty where it has none of the kind.
    pub payment_names: Names,
    /// The refund: where it is among the orders.
    pub refund: usize,
    /// When it was returned after it had settled, in Unix milliseconds, if it was.
    pub returned_at_ms: Option<i64>,
}

/// Every name of an order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "2.1.4 of the API document")]
pub struct Names {
    pub order_id: String,
    pub mis_id: String,
    pub platform_id: String,
    /// An `orderId` under which it is found, though it is not echoed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_as: Option<String>,
}

/// What the books keep of a refund beside its order.
#[derive(Debug)]
pub(super) struct Filed {
    pub(super) at: i64,
    /// Where its orders are: the payment, and the refund.
    pub(super) payment: usize,
    pub(super) refund: usize,
    /// How it goes; where absent, it stays as it is.
    pub(super) course: Option<Course>,
    /// Whether the payment's total has it.
    pub(super) in_total: bool,
    pub(super) execution: Option<usize>,
}

/// What a call asks for.
struct Asked<'a> {
    number: &'a str,
    business_id: &'a str,
    app_id: &'a str,
    /// In fen, if it is an amount.
    amount: Option<i64>,
}

impl<'a> Asked<'a> {
    fn read(form: &'a Form) -> Result<Self, Reply> {
        let needed = |name, missing| get(form, name).ok_or_else(|| Reply::missing(missing));
        let number = needed("orderId", "merchant_order_no")?;
        let business_id = needed("businessId", "Merchant_business_no ")?;
        let amount = needed("amount", "refund_amount ")?;
        let amount = amount.parse().ok().filter(|amount| *amount > 0);
        Ok(Self { number, business_id, app_id: &form["app_id"], amount })
    }
}

impl Book {
    /// 2.2.
    pub(super) fn refund(&mut self, form: &Form, now: i64) -> Result<Value, Reply> {
        let asked = Asked::read(form)?;
        let visible = |_: usize, order: &Order| {
            order.kind == Kind::Payment || self.settings.refunds_queryable
        };
        let original = self.find(form, ["oriMisId", "oriOrderId", "oriPlatformId"], visible);
        let admitted = original.clone().and_then(|at| Ok((at, self.admit_refund(at, &asked)?)));
        match admitted {
            Ok((payment, amount)) => Ok(self.execute(&asked, payment, amount, now)),
            Err(refusal) => {
                if self.settings.keep_refused {
                    self.keep_refused(&asked, &form["msn"], original.ok(), now);
                }
                Err(refusal)
            }
        }
    }

    /// The amount, if it may be refunded of this order.
    fn admit_refund(&self, original: usize, asked: &Asked<'_>) -> Result<i64, Reply> {
        let amount = asked.amount.ok_or_else(|| Reply::refusal("Q03"))?;
        let Self { orders, settings, .. } = self;
        let refused = settings.refuse_with.as_deref();
        let refused =
            refused.or_else(|| orders[original].refuse_refund(amount, settings.refuse_partial));
        refused.map_or(Ok(amount), |code| Err(Reply::refusal(code)))
    }

    fn execute(&mut self, asked: &Asked<'_>, payment: usize, amount: i64, now: i64) -> Value {
        let numbers = self.numbers(asked.number, asked.business_id, Some(payment), now);
        let mut order = self.orders[payment].refunded_as(asked.number, amount, &numbers);
        self.restrict(&mut order, asked.app_id);
        let refund = self.file(order, now);
        let original = &self.orders[payment];
        let execution = Execution {
            order_id: asked.number.to_owned(),
            original: original.name().to_owned(),
            amount,
            app_id: asked.app_id.to_owned(),
            at_ms: now,
            payment,
            payment_names: original.names(),
            refund,
            returned_at_ms: None,
        };
        self.change_total(payment, amount, now);
        self.filed.push(Filed {
            at: now,
            payment,
            refund,
            course: Some(self.settings.course),
            in_total: true,
            execution: Some(self.executions.len()),
        });
        self.executions.push(execution);
        self.finish_ms(now);
        self.orders[refund].as_refund_data(&self.originals(payment), &numbers)
    }

    /// A refused refund as an order that failed.
    fn keep_refused(&mut self, asked: &Asked<'_>, msn: &str, original: Option<usize>, now: i64) {
        let Some(amount) = asked.amount else {
            return;
        };
        let numbers = self.numbers(asked.number, asked.business_id, original, now);
        let nothing = Order { platform: String::new(), ..Order::payment("", 0, now) };
        let original = original.map_or(&nothing, |at| &self.orders[at]);
        let mut order = original.refunded_as(asked.number, amount, &numbers);
        order.state = "5".to_owned();
        order.msn = msn.to_owned();
        self.restrict(&mut order, asked.app_id);
        self.file(order, now);
    }

    /// Keeps a refund from other `app_id`s, if the settings want that.
    fn restrict(&self, order: &mut Order, app_id: &str) {
        if self.settings.numbers_per_app {
            order.app_id = Some(app_id.to_owned());
        }
    }

    /// The numbers of Sunmi's for a refund.
    pub(super) fn numbers(
        &mut self,
        number: &str,
        business_id: &str,
        original: Option<usize>,
        now: i64,
    ) -> RefundNumbers {
        self.serial += 1;
        let (serial, seconds) = (self.serial, now.div_euclid(1000));
        let sample = original.and_then(|at| samples::refund_numbers(number, &self.orders[at]));
        let numbers = sample.unwrap_or_else(|| RefundNumbers {
            mis_id: format!("SANDBOX-MIS-{serial}"),
            order_id: format!("PS{seconds}{serial:04}"),
            platform_id: format!("SANDBOX-PLATFORM-{serial}"),
            business_id: business_id.to_owned(),
            pay_time: seconds,
        });
        match self.settings.business_id.clone() {
            Some(business_id) => RefundNumbers { business_id, ..numbers },
            None => numbers,
        }
    }

    /// What the answer to a refund of this payment names as the original.
    fn originals(&self, payment: usize) -> Originals {
        let of = |order: &Order| Originals::Named {
            mis_id: order.mis_id.clone(),
            order_id: order.order_id.clone(),
        };
        match self.settings.echo_originals {
            settings::Originals::Echoed => of(&self.orders[payment]),
            settings::Originals::Absent => Originals::Absent,
            settings::Originals::Empty => {
                Originals::Named { mis_id: String::new(), order_id: String::new() }
            }
            settings::Originals::Other => {
                let fits = |(at, it): &(usize, &Order)| *at != payment && it.is_named_payment();
                let other = self.orders.iter().enumerate().rfind(fits);
                other.map_or(Originals::Absent, |(_, order)| of(order))
            }
        }
    }

    /// Ends the refunds whose time has come; `now` in Unix seconds.
    pub fn finish(&mut self, now: i64) {
        self.finish_ms(now.saturating_mul(1000));
    }

    /// The same; `now` in Unix milliseconds.
    pub fn finish_ms(&mut self, now: i64) {
        for at in 0..self.filed.len() {
            let Filed { at: since, payment, refund, course, .. } = self.filed[at];
            let Some(course) = course.filter(|_| self.orders[refund].state == "1") else {
                continue;
            };
            let end = since.saturating_add(course.seconds.saturating_mul(1000));
            if end > now {
                continue;
            }
            self.change_state(refund, if course.fails { "5" } else { "3" }, end);
            if course.fails {
                self.filed[at].in_total = false;
                self.change_total(payment, -self.orders[refund].amount, end);
            }
        }
    }
}
