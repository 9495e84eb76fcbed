//! Requests that are in order, and replies to them.

use serde_json::{Value, json};
use sunmi_trade::api::pb;

use crate::upstream::{Answer, answer_json};

/// The device of queries: not that of refunds, so that they are told from looks for these.
pub(crate) const QUERYING: &str = "M0";

/// A query by the shop's number.
pub(crate) fn query(order_id: &str) -> pb::QueryRequest {
    pb::QueryRequest {
        app_id: String::new(),
        msn: QUERYING.to_owned(),
        order: Some(pb::query_request::Order::OrderId(order_id.to_owned())),
    }
}

/// A refund of 100 fen of the payment `P1`.
pub(crate) fn refund(order_id: &str) -> pb::RefundRequest {
    pb::RefundRequest {
        app_id: String::new(),
        msn: "M1".to_owned(),
        amount_minor: 100,
        original: Some(pb::refund_request::Original::OriOrderId("P1".to_owned())),
        order_id: order_id.to_owned(),
        business_id: "B1".to_owned(),
        ..pb::RefundRequest::default()
    }
}

/// A query of a card trade by the shop's number.
pub(crate) fn swipe_query(order_id: &str) -> pb::SwipeQueryRequest {
    pb::SwipeQueryRequest {
        app_id: String::new(),
        msn: "M1".to_owned(),
        trade_date: String::new(),
        order_id: order_id.to_owned(),
        platform_id: String::new(),
    }
}

/// A success with this result.
pub(crate) fn success(data: &Value) -> Answer {
    answer_json(&json!({"code": "1", "data": data, "msg": "成功"}).to_string())
}

/// A code without a result.
pub(crate) fn code(code: &str, message: &str) -> Answer {
    answer_json(&json!({"code": code, "msg": message}).to_string())
}

/// Sunmi knows no such order.
pub(crate) fn not_found() -> Answer {
    code("E19", "订单不存在")
}

/// A payment that succeeded.
pub(crate) fn paid() -> Answer {
    success(&json!({"amount": "100", "orderType": "0", "state": "3"}))
}

/// The answer to any refund: it happened.
pub(crate) fn accepted() -> Answer {
    success(&json!({"orderType": "1", "state": "3"}))
}

/// The answer to [`refund`]: it happened.
pub(crate) fn refunded() -> Answer {
    success(&json!({"amount": "100", "orderType": "1", "state": "3"}))
}

/// The series that counts how often a method ended so.
pub(crate) fn handled(method: &str, code: &str) -> String {
    let service = "sunmi.trade.v1.TradeService";
    format!(
        "grpc_server_handled_total{{grpc_code=\"{code}\",grpc_method=\"{method}\",\
         grpc_service=\"{service}\",grpc_type=\"unary\"}}"
    )
}
