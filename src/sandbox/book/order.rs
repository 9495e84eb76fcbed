//! What stands in the books: payments, refunds and card trades, and how Sunmi shows them.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde::Serialize;
use serde_json::{Value, json};

use super::Names;

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
    /// Who alone finds it; absent: everyone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub app_id: Option<String>,
}

/// What a refund's answer names as its original.
#[derive(Clone, Debug)]
pub(super) enum Originals {
    Named { mis_id: String, order_id: String },
    Absent,
}

/// The numbers that Sunmi gives a refund.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct RefundNumbers {
    pub(in crate::sandbox) mis_id: String,
    pub(in crate::sandbox) order_id: String,
    pub(in crate::sandbox) platform_id: String,
    pub(in crate::sandbox) business_id: String,
    pub(in crate::sandbox) pay_time: i64,
}

/// A card trade.
#[derive(Clone, Debug)]
pub(in crate::sandbox) struct Card {
    pub(in crate::sandbox) day: Day,
    pub(in crate::sandbox) amount: i64,
    pub(in crate::sandbox) order_id: String,
    pub(in crate::sandbox) platform_id: String,
    /// When it was made; just now where absent.
    pub(in crate::sandbox) pay_time: Option<i64>,
}

/// On which days a card trade is found.
#[derive(Clone, Debug)]
pub(in crate::sandbox) enum Day {
    On(Vec<String>),
    Today,
}

impl Order {
    /// A payment by Alipay, found under this number and numbers made of it.
    pub(in crate::sandbox) fn payment(order_id: &str, amount: i64, now: i64) -> Self {
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
            app_id: None,
        }
    }

    /// The number of it that calls give.
    pub(super) fn name(&self) -> &str {
        self.asked_as.as_deref().unwrap_or(&self.order_id)
    }

    /// A name of it, empty if it has none.
    pub(super) fn any_name(&self) -> &str {
        let names = [self.name(), &self.mis_id, &self.platform_id];
        names.into_iter().find(|name| !name.is_empty()).unwrap_or_default()
    }

    pub(super) fn names(&self) -> Names {
        Names {
            order_id: self.order_id.clone(),
            mis_id: self.mis_id.clone(),
            platform_id: self.platform_id.clone(),
            asked_as: self.asked_as.clone(),
        }
    }

    /// Whether one of its names is this.
    pub(in crate::sandbox) fn is_named(&self, name: &str) -> bool {
        let names = [self.name(), &self.order_id, &self.mis_id, &self.platform_id];
        !name.is_empty() && names.contains(&name)
    }

    /// Whether it is a payment that a refund's answer can name.
    pub(super) fn is_named_payment(&self) -> bool {
        self.kind == Kind::Payment && !(self.order_id.is_empty() || self.mis_id.is_empty())
    }

    /// The code with which a refund of so much is refused, if it is.
    pub(super) fn refuse_refund(&self, amount: i64, whole_only: bool) -> Option<&'static str> {
        match self.state.as_str() {
            _ if self.kind == Kind::Refund => Some("E20"),
            "4" => Some("D04"),
            "3" if whole_only && amount < self.amount => Some("T13"),
            "3" if amount > self.amount - self.refunded => Some("E22"),
            "3" => None,
            _ => Some("T01"),
        }
    }

    /// The refund of so much of this payment.
    pub(super) fn refunded_as(&self, number: &str, amount: i64, numbers: &RefundNumbers) -> Self {
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
            app_id: self.app_id.clone(),
        }
    }

    pub(super) fn order_type(&self) -> &'static str {
        match self.kind {
            Kind::Payment => "0",
            Kind::Refund => "1",
        }
    }

    /// 2.1.4.
    pub(super) fn as_query_data(&self, total_shown: bool) -> Value {
        let mut data = json!({
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
        });
        if let Some(data) = data.as_object_mut().filter(|_| !total_shown) {
            data.shift_remove("refunded");
        }
        data
    }

    /// 2.2.4. `orderId` is a number of Sunmi's, as in the sample, not the refund's own.
    pub(super) fn as_refund_data(&self, original: &Originals, numbers: &RefundNumbers) -> Value {
        let (ori_mis_id, ori_order_id) = match original {
            Originals::Named { mis_id, order_id } => (Some(mis_id), Some(order_id)),
            Originals::Absent => (None, None),
        };
        let mut data = json!({
            "amount": self.amount.to_string(),
            "businessId": self.business_id,
            "misId": self.mis_id,
            "msn": self.msn,
            "orderId": numbers.order_id,
            "orderType": self.order_type(),
            "oriMisId": ori_mis_id,
            "oriOrderId": ori_order_id,
            "payTime": self.pay_time.to_string(),
            "platform": self.platform,
            "platformId": self.platform_id,
            "resultCode": "00",
            "resultMsg": "成功",
            "state": self.state,
        });
        if let Some(data) = data.as_object_mut() {
            data.retain(|_, value| !value.is_null());
        }
        data
    }
}

impl Card {
    pub(super) fn is_of(&self, day: &str, now: i64) -> bool {
        match &self.day {
            Day::On(days) => days.iter().any(|it| it == day),
            Day::Today => day_in_china(now) == day,
        }
    }

    /// 2.3.4.
    pub(super) fn as_data(&self, now: i64) -> Value {
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

/// The day as yyyyMMdd, in China, where it is eight hours later than UTC all the year.
pub(super) fn day_in_china(now: i64) -> String {
    let china = TimeZone::fixed(Offset::constant(8));
    let now = Timestamp::from_second(now).unwrap_or_default().to_zoned(china);
    now.strftime("%Y%m%d").to_string()
}
