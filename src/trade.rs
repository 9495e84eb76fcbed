//! The nouns of the domain: what is asked for and what is answered, whoever asks and
//! whoever answers.

use sha2::{Digest, Sha256};

mod answers;
mod identifiers;
mod method;
mod payment;

pub use answers::{
    CardOrganization, CardTrade, CardType, Evidence, OrderType, PaymentPlatform, RefundTrade,
    Refunded, SwipeOrderType, Trade, TradeState, UnixSeconds, Unrecognized,
};
pub use identifiers::{AppIds, Identifier, OrderRef};
pub use method::Method;
pub use payment::{Payment, PaymentNames};

/// The three calls of Sunmi's interface.
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
    /// Whether the request named the `app_id`, or left it to the server. No part of the content.
    pub app_id_named: bool,
    /// Numbers of refunds of this payment whose outcome is unknown, and that its caller knows
    /// of. No part of the content.
    pub acknowledged: Box<[Identifier]>,
    /// Who asks for it, as logs call them. No part of the content.
    pub caller: Option<Box<str>>,
    /// The most that its caller's refunds of one day in China may come to, this one included, in
    /// minor units. No part of the content.
    pub day_bound: Option<i64>,
    /// Who of the caller's people wants it, and why. No part of the content, and never sent.
    pub note: Note,
}

/// Who of a caller's people wants a refund, and why, in the caller's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Note {
    /// Who.
    pub operator: Option<String>,
    /// Why.
    pub reason: Option<String>,
}

impl Note {
    /// What `operator` must be, for whoever broke it.
    pub const OPERATOR_RULE: &str = "must be at most 128 characters, none of them a control \
                                     character, with no blank at either end";
    /// What `reason` must be, for whoever broke it.
    pub const REASON_RULE: &str =
        "must be at most 500 characters, none of them a control character";

    /// Whether this can be who wants a refund.
    pub fn is_operator(text: &str) -> bool {
        is_text(text, 128) && text.trim() == text
    }

    /// Whether this can be why a refund is wanted.
    pub fn is_reason(text: &str) -> bool {
        is_text(text, 500)
    }
}

fn is_text(text: &str, longest: usize) -> bool {
    text.chars().count() <= longest && !text.chars().any(char::is_control)
}

impl Refund {
    /// Its caller, and the most that this one's refunds of a day may come to, if there is a bound.
    pub fn bounded(&self) -> Option<(&str, i64)> {
        self.caller.as_deref().zip(self.day_bound)
    }

    /// The SHA-256 of the content that a number is bound to, in lower-case hex: device, amount,
    /// original and business number. Each part stands with its length, so that no two contents
    /// run together alike.
    pub fn content_hash(&self) -> String {
        let (kind, original) = self.original.named();
        let amount = self.amount.to_string();
        let parts =
            [self.msn.as_str(), &amount, kind, original.as_str(), self.business_id.as_str()];
        let mut hash = Sha256::new();
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hex::encode(hash.finalize())
    }
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
