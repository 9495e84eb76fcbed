//! Replies that are odd but readable: nothing in them is an error, and nothing is lost.

use serde_json::{Value, json};
use sunmi_trade::api::pb;

use crate::calls::{self, success};
use crate::server::{Server, query, refund, settings, swipe_query};
use crate::upstream::{Answer, QUERY, REFUND, SWIPE_QUERY, Upstream, answer_json};

/// What a query comes back as when it is answered so.
async fn queried(answer: Answer) -> pb::QueryResponse {
    let upstream = Upstream::start().await;
    upstream.next(QUERY, answer);
    let server = Server::start(&settings(upstream.address)).await;
    query(&server, calls::query("O1")).await.expect("a readable reply")
}

fn map(pairs: &[(&str, &str)]) -> std::collections::BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn sound() -> pb::QueryResponse {
    pb::QueryResponse {
        amount_minor: Some(100),
        pay_time: Some(prost_types::Timestamp { seconds: 1_561_454_238, nanos: 0 }),
        state: pb::TradeState::Succeeded.into(),
        ..pb::QueryResponse::default()
    }
}

#[tokio::test]
async fn code_data_and_fields_may_take_any_of_their_shapes() {
    let object = r#"{"amount":100,"payTime":1561454238,"state":3}"#;
    let strings =
        r#"{"amount":"100","payTime":"1561454238","state":"3","orderType":"","misId":null}"#;
    let in_a_string = Value::from(strings).to_string();
    let bodies = [
        format!(r#"{{"code":1,"data":{object},"msg":"x"}}"#),
        format!(r#"{{"code":10000,"data":{object},"msg":null}}"#),
        format!(r#"{{"code":"1","data":{strings}}}"#),
        format!(r#"{{"code":"1","data":{in_a_string},"msg":""}}"#),
        format!("\u{feff}{{\"code\":\"1\",\"data\":{object}}}"),
        format!("\r\n {{ \"msg\": \"\", \"data\": {object}, \"code\": \"1\" }} \n"),
    ];
    for body in bodies {
        assert_eq!(queried(answer_json(&body)).await, sound(), "{body}");
    }
}

#[tokio::test]
async fn what_a_query_does_not_understand_is_handed_on_raw() {
    let body = json!({
        "code": "1", "msg": "", "traceId": "abc",
        "data": {
            "amount": "99999999999999999999", "buyerPayAmount": 1.5, "refunded": "一",
            "orderType": "7", "platform": "jdpay", "state": "9", "payTime": "253402300800",
            "misId": {"a": [1, 2]}, "couponAmount": 3, "openId": "o1", "list": [1, "x"], "none": null
        }
    });
    let expected = pb::QueryResponse {
        unrecognized: map(&[
            ("amount", "99999999999999999999"),
            ("buyerPayAmount", "1.5"),
            ("couponAmount", "3"),
            ("list", r#"[1,"x"]"#),
            ("misId", r#"{"a":[1,2]}"#),
            ("none", "null"),
            ("openId", "o1"),
            ("orderType", "7"),
            ("payTime", "253402300800"),
            ("platform", "jdpay"),
            ("refunded", "一"),
            ("state", "9"),
            ("traceId", "abc"),
        ]),
        ..pb::QueryResponse::default()
    };
    assert_eq!(queried(answer_json(&body.to_string())).await, expected);
}

#[tokio::test]
async fn what_a_swipe_query_does_not_understand_is_handed_on_raw() {
    let upstream = Upstream::start().await;
    let data = json!({
        "cardGov": "VISA", "cardType": "XX", "orderType": "8", "state": "0", "amount": -5,
        "transCurrency": "USD"
    });
    upstream.next(SWIPE_QUERY, success(&data));
    let server = Server::start(&settings(upstream.address)).await;
    let expected = pb::SwipeQueryResponse {
        amount_minor: Some(-5),
        unrecognized: map(&[
            ("cardGov", "VISA"),
            ("cardType", "XX"),
            ("orderType", "8"),
            ("state", "0"),
            ("transCurrency", "USD"),
        ]),
        ..pb::SwipeQueryResponse::default()
    };
    assert_eq!(swipe_query(&server, calls::swipe_query("O1")).await, Ok(expected));
}

#[tokio::test]
async fn a_refund_that_is_known_to_have_happened_keeps_what_is_not_understood() {
    let upstream = Upstream::start().await;
    let data = json!({
        "amount": 100, "orderType": 1, "state": 3, "platform": "jdpay", "payTime": "soon", "x": 1
    });
    upstream.next(REFUND, success(&data));
    let server = Server::start(&settings(upstream.address)).await;
    let expected = pb::RefundResponse {
        amount_minor: Some(100),
        order_type: pb::OrderType::Refund.into(),
        state: pb::TradeState::Succeeded.into(),
        evidence: pb::RefundEvidence::Reply.into(),
        unrecognized: map(&[("payTime", "soon"), ("platform", "jdpay"), ("x", "1")]),
        ..pb::RefundResponse::default()
    };
    assert_eq!(refund(&server, calls::refund("R1")).await, Ok(expected));
}

#[tokio::test]
async fn a_reply_just_under_a_mebibyte_is_handed_on_whole() {
    let long = "说".repeat(330_000);
    let found = queried(success(&json!({"state": "3", "memo": long}))).await;
    assert_eq!(found.state(), pb::TradeState::Succeeded);
    assert!(found.unrecognized["memo"] == long);
}

type Check = fn(&pb::SwipeQueryResponse) -> &'static str;

/// The values of section 2 of the design, and of the document's 2.3.
#[tokio::test]
async fn every_value_of_a_card_trades_enums_has_its_name() {
    let gov: Check = |reply| reply.card_organization().as_str_name();
    let kind: Check = |reply| reply.card_type().as_str_name();
    let order: Check = |reply| reply.order_type().as_str_name();
    let state: Check = |reply| reply.state().as_str_name();
    let table = [
        ("cardGov", "WX", gov, "CARD_ORGANIZATION_WECHAT"),
        ("cardGov", "ZFB01", gov, "CARD_ORGANIZATION_ALIPAY"),
        ("cardGov", "SFT01", gov, "CARD_ORGANIZATION_SHENGPAY"),
        ("cardGov", "CUP", gov, "CARD_ORGANIZATION_BANK_CARD"),
        ("cardGov", "CUP01", gov, "CARD_ORGANIZATION_UNIONPAY_SCAN"),
        ("cardGov", "CUP02", gov, "CARD_ORGANIZATION_UNIONPAY_STATIC_CODE"),
        ("cardGov", "CUP03", gov, "CARD_ORGANIZATION_UNIONPAY_DYNAMIC_CODE"),
        ("cardType", "CC", kind, "CARD_TYPE_CREDIT"),
        ("cardType", "DC", kind, "CARD_TYPE_DEBIT"),
        ("cardType", "SCC", kind, "CARD_TYPE_SEMI_CREDIT"),
        ("cardType", "OA", kind, "CARD_TYPE_SCAN"),
        ("orderType", "0", order, "SWIPE_ORDER_TYPE_PURCHASE"),
        ("orderType", "1", order, "SWIPE_ORDER_TYPE_REFUND"),
        ("orderType", "2", order, "SWIPE_ORDER_TYPE_VOID"),
        ("orderType", "3", order, "SWIPE_ORDER_TYPE_PRE_AUTHORIZATION"),
        ("orderType", "4", order, "SWIPE_ORDER_TYPE_PRE_AUTHORIZATION_COMPLETION"),
        ("orderType", "5", order, "SWIPE_ORDER_TYPE_REVERSAL"),
        ("orderType", "6", order, "SWIPE_ORDER_TYPE_INQUIRY"),
        ("state", "1", state, "TRADE_STATE_CREATED"),
        ("state", "2", state, "TRADE_STATE_UNPAID"),
        ("state", "3", state, "TRADE_STATE_SUCCEEDED"),
        ("state", "4", state, "TRADE_STATE_ENDED"),
        ("state", "5", state, "TRADE_STATE_FAILED"),
    ];
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    for (field, value, name, expected) in table {
        upstream.next(SWIPE_QUERY, success(&json!({ field: value })));
        let reply = swipe_query(&server, calls::swipe_query("O1")).await.unwrap();
        assert_eq!(name(&reply), expected, "{field} {value}");
        assert!(reply.unrecognized.is_empty(), "{field} {value}");
    }
}

#[tokio::test]
async fn every_value_of_a_payments_enums_has_its_name() {
    for (value, expected) in [
        ("wxpay", pb::PaymentPlatform::Wxpay),
        ("alipay", pb::PaymentPlatform::Alipay),
        ("unionpay", pb::PaymentPlatform::Unionpay),
    ] {
        assert_eq!(queried(success(&json!({"platform": value}))).await.platform(), expected);
    }
    for (value, expected) in [("0", pb::OrderType::Payment), ("1", pb::OrderType::Refund)] {
        assert_eq!(queried(success(&json!({"orderType": value}))).await.order_type(), expected);
    }
}
