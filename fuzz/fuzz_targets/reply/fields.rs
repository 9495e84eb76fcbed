//! The fields of the three replies, as the document's 2.1.4, 2.2.4 and 2.3.4 write them.

use sunmi_trade::trade::{CardTrade, RefundTrade, Trade, Unrecognized};

/// A field by Sunmi's name, how it is written, and what was read there, for comparison.
pub type Field = (&'static str, Written, Option<String>);

/// How the document writes a field.
pub enum Written {
    Text,
    Number,
    Time,
    /// These values, and what each is called here.
    OneOf(&'static [(&'static str, &'static str)]),
}

impl Written {
    /// What a text that is not empty says, as `Debug` shows it.
    pub fn read(&self, text: &str) -> Option<String> {
        match self {
            Self::Text => Some(format!("{text:?}")),
            Self::Number => Some(number(text)?.to_string()),
            Self::Time => number(text)
                .filter(|seconds| (-62_135_596_800..253_402_300_800).contains(seconds))
                .map(|seconds| format!("UnixSeconds({seconds})")),
            Self::OneOf(values) => {
                let (_, name) = values.iter().find(|(value, _)| *value == text)?;
                Some((*name).to_owned())
            }
        }
    }
}

/// Decimal digits with at most a minus sign, within 64 bits, digit by digit.
fn number(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    let number = digits.chars().try_fold(0i128, |number, digit| {
        let next = number * 10 + sign * i128::from(digit.to_digit(10)?);
        Some(next).filter(|next| i64::try_from(*next).is_ok())
    })?;
    i64::try_from(number).ok().filter(|_| !digits.is_empty())
}

/// The table of a reply's fields: Sunmi's name, how it is written, and ours.
macro_rules! fields {
    ($from:expr, $($name:literal $written:expr, $ours:ident;)*) => {
        vec![$(($name, $written, $from.$ours.as_ref().map(|it| format!("{it:?}"))),)*]
    };
}

pub fn query_fields(trade: &Trade) -> (Vec<Field>, &Unrecognized) {
    let fields = fields!(trade,
        "amount" Written::Number, amount;
        "businessId" Written::Text, business_id;
        "buyerPayAmount" Written::Number, buyer_pay_amount;
        "misId" Written::Text, mis_id;
        "msn" Written::Text, msn;
        "orderType" Written::OneOf(ORDER_TYPES), order_type;
        "orderId" Written::Text, order_id;
        "payTime" Written::Time, pay_time;
        "platform" Written::OneOf(PLATFORMS), platform;
        "platformId" Written::Text, platform_id;
        "refunded" Written::Number, refunded;
        "resultCode" Written::Text, result_code;
        "resultMsg" Written::Text, result_message;
        "state" Written::OneOf(STATES), state;
    );
    (fields, &trade.unrecognized)
}

pub fn refund_fields(refund: &RefundTrade) -> (Vec<Field>, &Unrecognized) {
    let kept = |name| refund.unrecognized.contains_key(name);
    let contradicting = ["orderType", "amount", "oriMisId", "oriOrderId"];
    assert_eq!(refund.doubtful, contradicting.into_iter().any(kept));
    let fields = fields!(refund,
        "amount" Written::Number, amount;
        "businessId" Written::Text, business_id;
        "misId" Written::Text, mis_id;
        "msn" Written::Text, msn;
        "orderType" Written::OneOf(ORDER_TYPES), order_type;
        "orderId" Written::Text, order_id;
        "oriMisId" Written::Text, ori_mis_id;
        "oriOrderId" Written::Text, ori_order_id;
        "payTime" Written::Time, pay_time;
        "platform" Written::OneOf(PLATFORMS), platform;
        "platformId" Written::Text, platform_id;
        "resultCode" Written::Text, result_code;
        "resultMsg" Written::Text, result_message;
        "state" Written::OneOf(STATES), state;
    );
    (fields, &refund.unrecognized)
}

pub fn card_fields(trade: &CardTrade) -> (Vec<Field>, &Unrecognized) {
    let fields = fields!(trade,
        "TransCurrency" Written::Text, currency_code;
        "amount" Written::Number, amount;
        "batchNo" Written::Text, batch_no;
        "cardGov" Written::OneOf(CARD_ORGANIZATIONS), card_organization;
        "cardHash" Written::Text, card_hash;
        "cardType" Written::OneOf(CARD_TYPES), card_type;
        "merchantNo" Written::Text, merchant_no;
        "orderType" Written::OneOf(CARD_ORDER_TYPES), order_type;
        "oriTradeRef" Written::Text, ori_trade_ref;
        "orderId" Written::Text, order_id;
        "payTime" Written::Time, pay_time;
        "platformId" Written::Text, platform_id;
        "resultCode" Written::Text, result_code;
        "resultMsg" Written::Text, result_message;
        "shortCard" Written::Text, short_card;
        "state" Written::OneOf(STATES), state;
        "terminalNo" Written::Text, terminal_no;
        "traceNo" Written::Text, trace_no;
        "tradeRef" Written::Text, trade_ref;
    );
    (fields, &trade.unrecognized)
}

const ORDER_TYPES: &[(&str, &str)] = &[("0", "Payment"), ("1", "Refund")];
const PLATFORMS: &[(&str, &str)] =
    &[("wxpay", "Wxpay"), ("alipay", "Alipay"), ("unionpay", "Unionpay")];
const STATES: &[(&str, &str)] =
    &[("1", "Created"), ("2", "Unpaid"), ("3", "Succeeded"), ("4", "Ended"), ("5", "Failed")];
const CARD_ORDER_TYPES: &[(&str, &str)] = &[
    ("0", "Purchase"),
    ("1", "Refund"),
    ("2", "Void"),
    ("3", "PreAuthorization"),
    ("4", "PreAuthorizationCompletion"),
    ("5", "Reversal"),
    ("6", "Inquiry"),
];
const CARD_TYPES: &[(&str, &str)] =
    &[("CC", "Credit"), ("DC", "Debit"), ("SCC", "SemiCredit"), ("OA", "Scan")];
const CARD_ORGANIZATIONS: &[(&str, &str)] = &[
    ("WX", "Wechat"),
    ("ZFB01", "Alipay"),
    ("SFT01", "Shengpay"),
    ("CUP", "BankCard"),
    ("CUP01", "UnionpayScan"),
    ("CUP02", "UnionpayStaticCode"),
    ("CUP03", "UnionpayDynamicCode"),
];
