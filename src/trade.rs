//! The nouns of the domain: what is asked for and what is answered, whoever asks and
//! whoever answers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The service's name on the wire, and the full names of its methods.
macro_rules! service {
    ($method:literal) => {
        concat!("sunmi.trade.v1.TradeService", $method)
    };
}

/// The three calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Look up a scan payment or a refund.
    Query,
    /// Refund a payment.
    Refund,
    /// Look up a card trade.
    SwipeQuery,
}

impl Operation {
    /// The service whose methods they are, as it is named on the wire.
    pub const SERVICE: &str = service!("");

    /// All of them.
    pub const ALL: [Self; 3] = [Self::Query, Self::Refund, Self::SwipeQuery];

    /// The name of the RPC.
    pub fn name(self) -> &'static str {
        match self {
            Self::Query => "Query",
            Self::Refund => "Refund",
            Self::SwipeQuery => "SwipeQuery",
        }
    }

    /// The full name of the method, as traces and logs call it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Query => service!("/Query"),
            Self::Refund => service!("/Refund"),
            Self::SwipeQuery => service!("/SwipeQuery"),
        }
    }
}

/// 1 to 128 printable ASCII characters without blanks and without `&`, which could make
/// two different requests sign alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identifier(String);

impl Identifier {
    /// The rule, in words, for whoever broke it.
    pub const RULE: &str =
        "must be 1 to 128 printable ASCII characters, without blanks and without '&'";

    /// The identifier, if the text is one.
    pub fn parse(text: String) -> Option<Self> {
        let fits = (1..=128).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'&');
        fits.then_some(Self(text))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The identities that this server can sign as.
#[derive(Clone, Debug)]
pub struct AppIds {
    known: Vec<Identifier>,
    default: Option<Identifier>,
}

impl AppIds {
    /// `default` is the one that signs where a request names none; with several known
    /// there need not be one.
    pub fn new(known: Vec<Identifier>, default: Option<Identifier>) -> Self {
        Self { known, default }
    }

    /// The one that a read is signed as, `None` for an empty name without a default or a
    /// name that is not known.
    pub fn for_read(&self, name: &str) -> Option<&Identifier> {
        match name {
            "" => self.default.as_ref(),
            name => self.known.iter().find(|id| id.as_str() == name),
        }
    }

    /// The one that a refund is signed as. Where several are known it must be named: the
    /// wrong default would refund from another merchant's account.
    pub fn for_refund(&self, name: &str) -> Option<&Identifier> {
        if name.is_empty() && self.known.len() > 1 {
            return None;
        }
        self.for_read(name)
    }
}

/// An order, by one of its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OrderRef {
    /// The cash register's number.
    MisId(Identifier),
    /// The shop software's number.
    OrderId(Identifier),
    /// The payment platform's number.
    PlatformId(Identifier),
}

impl OrderRef {
    /// The kind of number, as the contract names it, and the number.
    pub fn named(&self) -> (&'static str, &Identifier) {
        match self {
            Self::MisId(id) => ("mis_id", id),
            Self::OrderId(id) => ("order_id", id),
            Self::PlatformId(id) => ("platform_id", id),
        }
    }
}

/// Asks for a scan payment or a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Query {
    /// Who signs.
    pub app_id: Identifier,
    /// The merchant's device.
    pub msn: Identifier,
    /// Which order.
    pub order: OrderRef,
}

/// Asks for a refund.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refund {
    /// Who signs.
    pub app_id: Identifier,
    /// The merchant's device.
    pub msn: Identifier,
    /// How much, in minor units; at least 1.
    pub amount: i64,
    /// The payment to refund.
    pub original: OrderRef,
    /// The refund's own number: the idempotency key.
    pub order_id: Identifier,
    /// The shop's business number.
    pub business_id: Identifier,
    /// Who asks for it, as logs call them; no part of what is asked.
    pub caller: Option<Box<str>>,
}

/// Asks for a card trade; at least one of its two numbers is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwipeQuery {
    /// Who signs.
    pub app_id: Identifier,
    /// The merchant's device.
    pub msn: Identifier,
    /// The day of the trade in China, `yyyyMMdd`; today where absent.
    pub trade_date: Option<String>,
    /// The merchant's order number.
    pub order_id: Option<Identifier>,
    /// The payment channel's order number.
    pub platform_id: Option<Identifier>,
}

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
    /// Whether the answer has a type or an amount that could not be read, so that it does
    /// not tell whether it is of this refund. Not part of the contract.
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
