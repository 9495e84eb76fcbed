//! What is answered: trades as they were found, and what their values can be.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Upstream field name to raw value, for what could not be read.
pub type Unrecognized = BTreeMap<String, String>;

/// A scan payment or a refund, as it was found. What is absent was absent or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of QueryResponse, which documents them")]
pub struct Trade {
    pub amount: Option<i64>,
    pub business_id: Option<String>,
    pub buyer_pay_amount: Option<i64>,
    pub mis_id: Option<String>,
    pub msn: Option<String>,
    pub order_type: Option<OrderType>,
    pub order_id: Option<String>,
    pub pay_time: Option<UnixSeconds>,
    pub platform: Option<PaymentPlatform>,
    pub platform_id: Option<String>,
    pub refunded: Option<i64>,
    pub result_code: Option<String>,
    pub result_message: Option<String>,
    pub state: Option<TradeState>,
    pub unrecognized: Unrecognized,
}

/// A refund, as it was answered. What is absent was absent or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
#[allow(missing_docs, reason = "the fields of RefundResponse, which documents them")]
pub struct RefundTrade {
    pub amount: Option<i64>,
    pub business_id: Option<String>,
    pub mis_id: Option<String>,
    pub msn: Option<String>,
    pub order_id: Option<String>,
    pub order_type: Option<OrderType>,
    pub ori_mis_id: Option<String>,
    pub ori_order_id: Option<String>,
    pub pay_time: Option<UnixSeconds>,
    pub platform: Option<PaymentPlatform>,
    pub platform_id: Option<String>,
    pub result_code: Option<String>,
    pub result_message: Option<String>,
    pub state: Option<TradeState>,
    /// Whether the answer has a type, an amount or an original that could not be read, so that
    /// it does not tell whether it is of this refund. Not part of the contract.
    pub doubtful: bool,
    pub unrecognized: Unrecognized,
}

/// A card trade, as it was found. What is absent was absent or empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields of SwipeQueryResponse, which documents them")]
pub struct CardTrade {
    pub currency_code: Option<String>,
    pub amount: Option<i64>,
    pub batch_no: Option<String>,
    pub card_organization: Option<CardOrganization>,
    pub card_hash: Option<String>,
    pub card_type: Option<CardType>,
    pub merchant_no: Option<String>,
    pub order_type: Option<SwipeOrderType>,
    pub ori_trade_ref: Option<String>,
    pub order_id: Option<String>,
    pub pay_time: Option<UnixSeconds>,
    pub platform_id: Option<String>,
    pub result_code: Option<String>,
    pub result_message: Option<String>,
    pub short_card: Option<String>,
    pub state: Option<TradeState>,
    pub terminal_no: Option<String>,
    pub trace_no: Option<String>,
    pub trade_ref: Option<String>,
    pub unrecognized: Unrecognized,
}

/// A refund that was accepted, and how that is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refunded {
    /// The refund.
    pub trade: RefundTrade,
    /// How its outcome is known. The last of what is written to the ledger, which finds it
    /// there when it empties a row.
    pub evidence: Evidence,
    /// Whether this is an earlier call's recorded answer.
    #[serde(skip)]
    pub replayed: bool,
}

/// A refund that was found by a query, as the refund call would have answered it.
impl From<Trade> for RefundTrade {
    fn from(found: Trade) -> Self {
        Self {
            amount: found.amount,
            business_id: found.business_id,
            mis_id: found.mis_id,
            msn: found.msn,
            order_id: found.order_id,
            order_type: found.order_type,
            ori_mis_id: None,
            ori_order_id: None,
            pay_time: found.pay_time,
            platform: found.platform,
            platform_id: found.platform_id,
            result_code: found.result_code,
            result_message: found.result_message,
            state: found.state,
            doubtful: false,
            unrecognized: found.unrecognized,
        }
    }
}

/// How the outcome of a refund is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Evidence {
    /// From the answer to the refund call.
    Reply,
    /// From a query made afterwards.
    Query,
    /// From a person, who decided it.
    Operator,
}

/// Seconds since 1970-01-01T00:00:00Z, within the years 1 to 9999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnixSeconds(i64);

impl UnixSeconds {
    /// The range of `google.protobuf.Timestamp`.
    const RANGE: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

    /// The time, if it lies within the years 1 to 9999.
    pub fn new(seconds: i64) -> Option<Self> {
        Self::RANGE.contains(&seconds).then_some(Self(seconds))
    }

    /// The count of seconds.
    pub fn get(self) -> i64 {
        self.0
    }
}

/// Whether an order is a payment or a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum OrderType {
    Payment,
    Refund,
}

/// Kind of card trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum SwipeOrderType {
    Purchase,
    Refund,
    Void,
    PreAuthorization,
    PreAuthorizationCompletion,
    Reversal,
    Inquiry,
}

/// What became of a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum TradeState {
    Created,
    Unpaid,
    Succeeded,
    Ended,
    Failed,
    Processing,
}

/// Who carried out a payment or refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum PaymentPlatform {
    Wxpay,
    Alipay,
    Unionpay,
}

/// Kind of card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum CardType {
    Credit,
    Debit,
    SemiCredit,
    Scan,
}

/// The organization behind a card or a scanned code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the contract documents each value")]
pub enum CardOrganization {
    Wechat,
    Alipay,
    Shengpay,
    BankCard,
    UnionpayScan,
    UnionpayStaticCode,
    UnionpayDynamicCode,
}
