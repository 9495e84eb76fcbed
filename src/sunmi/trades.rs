//! The `data` of the three replies, under the document's names (2.1.4, 2.2.4, 2.3.4).

use super::fields::Fields;
use crate::trade::{
    CardOrganization, CardTrade, CardType, OrderType, PaymentPlatform, RefundTrade, SwipeOrderType,
    Trade, TradeState,
};

/// 2.1.4.
pub(super) fn trade(mut fields: Fields<'_>) -> Trade {
    Trade {
        amount: fields.number("amount"),
        business_id: fields.text("businessId"),
        buyer_pay_amount: fields.number("buyerPayAmount"),
        mis_id: fields.text("misId"),
        msn: fields.text("msn"),
        order_type: fields.one_of("orderType", order_type),
        order_id: fields.text("orderId"),
        pay_time: fields.time("payTime"),
        platform: fields.one_of("platform", payment_platform),
        platform_id: fields.text("platformId"),
        refunded: fields.number("refunded"),
        result_code: fields.text("resultCode"),
        result_message: fields.text("resultMsg"),
        state: fields.one_of("state", trade_state),
        unrecognized: fields.rest(),
    }
}

/// 2.2.4.
pub(super) fn refund(mut fields: Fields<'_>) -> RefundTrade {
    RefundTrade {
        amount: fields.number("amount"),
        business_id: fields.text("businessId"),
        mis_id: fields.text("misId"),
        msn: fields.text("msn"),
        order_id: fields.text("orderId"),
        order_type: fields.one_of("orderType", order_type),
        ori_mis_id: fields.text("oriMisId"),
        ori_order_id: fields.text("oriOrderId"),
        pay_time: fields.time("payTime"),
        platform: fields.one_of("platform", payment_platform),
        platform_id: fields.text("platformId"),
        result_code: fields.text("resultCode"),
        result_message: fields.text("resultMsg"),
        state: fields.one_of("state", trade_state),
        doubtful: CONTRADICTING.iter().any(|name| fields.could_not_read(name)),
        unrecognized: fields.rest(),
    }
}

/// What of a refund's answer can contradict the refund, and unread may do so.
const CONTRADICTING: [&str; 4] = ["orderType", "amount", "oriMisId", "oriOrderId"];

/// 2.3.4.
pub(super) fn card_trade(mut fields: Fields<'_>) -> CardTrade {
    CardTrade {
        currency_code: fields.text("TransCurrency"),
        amount: fields.number("amount"),
        batch_no: fields.text("batchNo"),
        card_organization: fields.one_of("cardGov", card_organization),
        card_hash: fields.text("cardHash"),
        card_type: fields.one_of("cardType", card_type),
        merchant_no: fields.text("merchantNo"),
        order_type: fields.one_of("orderType", swipe_order_type),
        ori_trade_ref: fields.text("oriTradeRef"),
        order_id: fields.text("orderId"),
        pay_time: fields.time("payTime"),
        platform_id: fields.text("platformId"),
        result_code: fields.text("resultCode"),
        result_message: fields.text("resultMsg"),
        short_card: fields.text("shortCard"),
        state: fields.one_of("state", trade_state),
        terminal_no: fields.text("terminalNo"),
        trace_no: fields.text("traceNo"),
        trade_ref: fields.text("tradeRef"),
        unrecognized: fields.rest(),
    }
}

fn order_type(value: &str) -> Option<OrderType> {
    match value {
        "0" => Some(OrderType::Payment),
        "1" => Some(OrderType::Refund),
        _ => None,
    }
}

fn swipe_order_type(value: &str) -> Option<SwipeOrderType> {
    match value {
        "0" => Some(SwipeOrderType::Purchase),
        "1" => Some(SwipeOrderType::Refund),
        "2" => Some(SwipeOrderType::Void),
        "3" => Some(SwipeOrderType::PreAuthorization),
        "4" => Some(SwipeOrderType::PreAuthorizationCompletion),
        "5" => Some(SwipeOrderType::Reversal),
        "6" => Some(SwipeOrderType::Inquiry),
        _ => None,
    }
}

fn trade_state(value: &str) -> Option<TradeState> {
    match value {
        "1" => Some(TradeState::Created),
        "2" => Some(TradeState::Unpaid),
        "3" => Some(TradeState::Succeeded),
        "4" => Some(TradeState::Ended),
        "5" => Some(TradeState::Failed),
        _ => None,
    }
}

fn payment_platform(value: &str) -> Option<PaymentPlatform> {
    match value {
        "wxpay" => Some(PaymentPlatform::Wxpay),
        "alipay" => Some(PaymentPlatform::Alipay),
        "unionpay" => Some(PaymentPlatform::Unionpay),
        _ => None,
    }
}

/// 2.3.6.
fn card_type(value: &str) -> Option<CardType> {
    match value {
        "CC" => Some(CardType::Credit),
        "DC" => Some(CardType::Debit),
        "SCC" => Some(CardType::SemiCredit),
        "OA" => Some(CardType::Scan),
        _ => None,
    }
}

/// 2.3.7.
fn card_organization(value: &str) -> Option<CardOrganization> {
    match value {
        "WX" => Some(CardOrganization::Wechat),
        "ZFB01" => Some(CardOrganization::Alipay),
        "SFT01" => Some(CardOrganization::Shengpay),
        "CUP" => Some(CardOrganization::BankCard),
        "CUP01" => Some(CardOrganization::UnionpayScan),
        "CUP02" => Some(CardOrganization::UnionpayStaticCode),
        "CUP03" => Some(CardOrganization::UnionpayDynamicCode),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::json::{self, Json, Object};
    use super::*;
    use crate::trade::Unrecognized;

    /// Fields of the three replies under their names and others, with values that are nearly
    /// right.
    fn data() -> impl Strategy<Value = Unrecognized> {
        let known = ["amount", "misId", "orderType", "payTime", "platform", "state", "cardType"];
        let name = prop_oneof![proptest::sample::select(known.to_vec()), Just("memo")];
        let value = prop_oneof!["-?[0-9]{1,20}", "[A-Z]{2,3}", "wxpay|alipay", "\\PC{1,9}"];
        proptest::collection::btree_map(name.prop_map(str::to_owned), value, 0..8)
    }

    fn fields(data: &Unrecognized) -> Fields<'_> {
        let data = data.iter().map(|(name, text)| (name.into(), Json::Text(text.into())));
        Fields::new(data.collect(), Object::new())
    }

    /// As Sunmi wrote it, what it is cannot be told: it may be another refund's.
    #[test]
    fn a_refund_is_doubtful_where_what_tells_whose_it_is_cannot_be_read() {
        let table = [
            (r#"{"state":"3"}"#, false),
            (r#"{"amount":"100","orderType":"1","oriMisId":"P1","oriOrderId":"O1"}"#, false),
            (r#"{"amount":"","orderType":null,"oriMisId":"","oriOrderId":null}"#, false),
            (r#"{"oriPlatformId":["P1"],"businessId":true}"#, false),
            (r#"{"amount":"1.00"}"#, true),
            (r#"{"orderType":"2"}"#, true),
            (r#"{"oriMisId":["P1"]}"#, true),
            (r#"{"oriOrderId":{"id":"O1"}}"#, true),
        ];
        for (data, doubtful) in table {
            let Json::Object(data) = json::read(data).unwrap().value else { panic!("{data}") };
            let found = refund(Fields::new(data, Object::new()));
            assert_eq!(found.doubtful, doubtful, "{found:?}");
        }
    }

    proptest! {
        /// Each field was read, or is kept as it came; what is not of the reply is kept, too.
        #[test]
        fn nothing_of_a_result_is_lost_or_made_up(data in data()) {
            let left = |names: &[(&str, bool)]| -> Unrecognized {
                let read = |name: &str| names.iter().any(|(read, is)| *is && *read == name);
                data.clone().into_iter().filter(|(name, _)| !read(name)).collect()
            };

            let found = trade(fields(&data));
            prop_assert_eq!(found.mis_id.as_ref(), data.get("misId"));
            prop_assert_eq!(&found.unrecognized, &left(&[
                ("amount", found.amount.is_some()),
                ("misId", true),
                ("orderType", found.order_type.is_some()),
                ("payTime", found.pay_time.is_some()),
                ("platform", found.platform.is_some()),
                ("state", found.state.is_some()),
            ]));

            let found = refund(fields(&data));
            let unread = |name: &str| found.unrecognized.contains_key(name);
            prop_assert_eq!(found.doubtful, unread("amount") || unread("orderType"));
            prop_assert_eq!(&found.unrecognized, &trade(fields(&data)).unrecognized);

            let found = card_trade(fields(&data));
            prop_assert_eq!(&found.unrecognized, &left(&[
                ("amount", found.amount.is_some()),
                ("cardType", found.card_type.is_some()),
                ("orderType", found.order_type.is_some()),
                ("payTime", found.pay_time.is_some()),
                ("state", found.state.is_some()),
            ]));
        }
    }
}
