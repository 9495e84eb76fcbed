//! The document's three sample replies come back typed (2.1.5, 2.2.5, 2.3.5).

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::query_request::Order;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::config::{self, Sources};
use sunmi_trade::sandbox::http::Sandbox;
use tokio::net::TcpListener;

use crate::server::{Server, query, refund, settings, swipe_query, with};
use crate::upstream::{REFUND, SWIPE_QUERY, Upstream, answer_json};

const QUERY_REPLY: &str = include_str!("../fixtures/query.json");
const REFUND_REPLY: &str = include_str!("../fixtures/refund.json");
const SWIPE_QUERY_REPLY: &str = include_str!("../fixtures/swipe_query.json");

/// The identity of the document's sample requests.
const SAMPLE_APP_ID: &str = "71aefe05cd4c49b6acd1bd2715ed5577";

/// 2.1.3.
fn sample_query() -> pb::QueryRequest {
    pb::QueryRequest {
        app_id: SAMPLE_APP_ID.to_owned(),
        msn: "V206D88200036".to_owned(),
        order: Some(Order::OrderId("40000734324823473432".to_owned())),
    }
}

/// 2.2.3.
fn sample_refund() -> pb::RefundRequest {
    pb::RefundRequest {
        app_id: SAMPLE_APP_ID.to_owned(),
        msn: "V206D88200036".to_owned(),
        amount_minor: 1,
        original: Some(Original::OriOrderId("1489834523642384".to_owned())),
        order_id: "sda1212".to_owned(),
        business_id: "453975342343".to_owned(),
        ..pb::RefundRequest::default()
    }
}

/// 2.3.3.
fn sample_swipe_query() -> pb::SwipeQueryRequest {
    pb::SwipeQueryRequest {
        app_id: SAMPLE_APP_ID.to_owned(),
        msn: "V206D88200036".to_owned(),
        trade_date: "20190520".to_owned(),
        order_id: "201906300600003".to_owned(),
        platform_id: String::new(),
    }
}

fn text(text: &str) -> Option<String> {
    Some(text.to_owned())
}

fn time(seconds: i64) -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds, nanos: 0 })
}

fn typed_query() -> pb::QueryResponse {
    pb::QueryResponse {
        amount_minor: Some(2),
        business_id: None,
        buyer_pay_amount_minor: Some(2),
        mis_id: text("wqwqqqwwwwww78"),
        msn: text("TL05D91940002"),
        order_type: pb::OrderType::Payment.into(),
        order_id: None,
        pay_time: time(1_561_454_238),
        platform: pb::PaymentPlatform::Alipay.into(),
        platform_id: text("SDPPDS434890114"),
        refunded_minor: Some(2),
        result_code: text("T00"),
        result_message: text("Success"),
        state: pb::TradeState::Succeeded.into(),
        unrecognized: [].into(),
    }
}

fn typed_refund() -> pb::RefundResponse {
    pb::RefundResponse {
        amount_minor: Some(1),
        business_id: None,
        mis_id: text("F96BDF328214623929EC91"),
        msn: text("TL05D91940002"),
        order_id: text("PS201905221509421"),
        order_type: pb::OrderType::Refund.into(),
        ori_mis_id: text("wqwqqqwwwwwwweqwhhh"),
        ori_order_id: None,
        pay_time: time(1_561_460_091),
        platform: pb::PaymentPlatform::Alipay.into(),
        platform_id: text("SDPPDS434916053"),
        result_code: text("00"),
        result_message: text("成功"),
        state: pb::TradeState::Succeeded.into(),
        evidence: pb::RefundEvidence::Reply.into(),
        replayed: false,
        unrecognized: [].into(),
    }
}

fn typed_swipe_query() -> pb::SwipeQueryResponse {
    pb::SwipeQueryResponse {
        currency_code: text("CNY"),
        amount_minor: Some(19_900),
        batch_no: text("000001"),
        card_organization: pb::CardOrganization::BankCard.into(),
        card_hash: text("22005e1c89abc6c6b7090534c31180af38643346"),
        card_type: pb::CardType::SemiCredit.into(),
        merchant_no: text("820102179970017"),
        order_type: pb::SwipeOrderType::Purchase.into(),
        ori_trade_ref: None,
        order_id: text("201906300600003"),
        pay_time: time(1_561_892_597),
        platform_id: text("331916913"),
        result_code: text("00"),
        result_message: text("交易成功"),
        short_card: text("4402"),
        state: pb::TradeState::Succeeded.into(),
        terminal_no: text("10040784"),
        trace_no: text("000293"),
        trade_ref: text("454881473"),
        unrecognized: [].into(),
    }
}

fn sample_settings(upstream: std::net::SocketAddr) -> Sources {
    with(settings(upstream), &[("SUNMI_TRADE_APP_ID", SAMPLE_APP_ID)])
}

async fn assert_samples_come_back(server: &Server) {
    assert_eq!(query(server, sample_query()).await, Ok(typed_query()));
    assert_eq!(refund(server, sample_refund()).await, Ok(typed_refund()));
    assert_eq!(swipe_query(server, sample_swipe_query()).await, Ok(typed_swipe_query()));
}

#[tokio::test]
async fn the_documents_replies_come_back_typed_when_served_byte_for_byte() {
    let upstream = Upstream::start().await;
    upstream
        .finds_before("40000734324823473432", answer_json(QUERY_REPLY))
        .next(REFUND, answer_json(REFUND_REPLY))
        .next(SWIPE_QUERY, answer_json(SWIPE_QUERY_REPLY));
    let server = Server::start(&sample_settings(upstream.address)).await;
    assert_samples_come_back(&server).await;
}

#[tokio::test]
async fn the_documents_replies_come_back_typed_from_the_sandbox() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = sample_settings(listener.local_addr().unwrap());
    let config = config::load(&settings, false).unwrap();
    let sandbox = Sandbox::new(config.credentials.iter());
    tokio::spawn(sandbox.clone().serve(listener));
    let server = Server::start_with(config).await;
    assert_samples_come_back(&server).await;
    sandbox.with_book(|book| {
        let [only] = book.executions() else { panic!("{:?}", book.executions()) };
        assert_eq!((only.order_id.as_str(), only.amount), ("sda1212", 1));
    });
}

#[tokio::test]
async fn a_server_with_its_own_sandbox_needs_no_settings() {
    let server =
        Server::start_with(config::load(&Sources::default(), true).expect("no settings")).await;
    let request = pb::QueryRequest { app_id: String::new(), ..sample_query() };
    assert_eq!(query(&server, request).await, Ok(typed_query()));
}
