//! Requests, by the way in which Sunmi answers them.

use sunmi_trade::api::pb;
use tonic::Request;

use crate::sunmi::QUERYING;

/// Enough of a configuration to call Sunmi.
pub(crate) const PLAIN: &str = r#"
[refund]
ledger = "memory"
min_left = "0s"
[[credentials]]
app_id = "app-1"
app_key = "0123456789abcdef0123456789abcdef"
"#;

pub(crate) fn query(order: &str) -> pb::QueryRequest {
    pb::QueryRequest {
        app_id: "app-1".to_owned(),
        msn: QUERYING.to_owned(),
        order: Some(pb::query_request::Order::OrderId(order.to_owned())),
    }
}

/// A refund whose own number is this.
pub(crate) fn refund(order: &str) -> pb::RefundRequest {
    pb::RefundRequest {
        app_id: "app-1".to_owned(),
        msn: "V206D88-MSNX".to_owned(),
        amount_minor: 100,
        original: Some(pb::refund_request::Original::OriMisId("PAYMENT-PAYX".to_owned())),
        order_id: order.to_owned(),
        business_id: "BUSINESS-BUSX".to_owned(),
        acknowledged_open_order_ids: Vec::new(),
        operator: "OPERATOR-OPX".to_owned(),
        reason: "REASON-RSNX".to_owned(),
    }
}

pub(crate) fn swipe_query(order: &str) -> pb::SwipeQueryRequest {
    pb::SwipeQueryRequest {
        app_id: "app-1".to_owned(),
        msn: "V206D88-MSNX".to_owned(),
        trade_date: String::new(),
        order_id: order.to_owned(),
        platform_id: String::new(),
    }
}

/// The request with these headers.
pub(crate) fn with<T>(message: T, headers: &[(&'static str, &str)]) -> Request<T> {
    let mut request = Request::new(message);
    for (name, value) in headers {
        request.metadata_mut().insert(*name, value.parse().unwrap());
    }
    request
}
