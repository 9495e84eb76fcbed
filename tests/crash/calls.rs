//! Calls to a server, and what they are told.

use std::net::SocketAddr;

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// What every refund of these tests is of.
pub(crate) const PAYMENT: &str = "P";
pub(crate) const AMOUNT: i64 = 10;

/// A refund under this number.
pub(crate) fn request(number: &str) -> pb::RefundRequest {
    pb::RefundRequest {
        msn: "device".to_owned(),
        amount_minor: AMOUNT,
        original: Some(pb::refund_request::Original::OriOrderId(PAYMENT.to_owned())),
        order_id: number.to_owned(),
        business_id: "business".to_owned(),
        ..pb::RefundRequest::default()
    }
}

/// Asks for a refund over a connection of its own.
pub(crate) async fn refund(server: SocketAddr, number: &str) -> Result<pb::RefundResponse, Status> {
    ask(server, request(number)).await
}

/// The same of another payment.
pub(crate) async fn refund_of(
    server: SocketAddr,
    payment: &str,
    number: &str,
) -> Result<pb::RefundResponse, Status> {
    let original = Some(pb::refund_request::Original::OriOrderId(payment.to_owned()));
    ask(server, pb::RefundRequest { original, ..request(number) }).await
}

/// The same, beside another refund of the payment that is open.
pub(crate) async fn refund_beside(
    server: SocketAddr,
    number: &str,
    open: &str,
) -> Result<pb::RefundResponse, Status> {
    let acknowledged_open_order_ids = vec![open.to_owned()];
    ask(server, pb::RefundRequest { acknowledged_open_order_ids, ..request(number) }).await
}

async fn ask(server: SocketAddr, request: pb::RefundRequest) -> Result<pb::RefundResponse, Status> {
    let client = TradeServiceClient::connect(format!("http://{server}")).await;
    let mut client = client.map_err(|error| Status::unavailable(error.to_string()))?;
    client.refund(request).await.map(tonic::Response::into_inner)
}

/// Asks for the payment.
pub(crate) async fn query(server: SocketAddr) -> Result<pb::QueryResponse, Status> {
    let mut client = TradeServiceClient::connect(format!("http://{server}")).await.unwrap();
    let order = Some(pb::query_request::Order::OrderId(PAYMENT.to_owned()));
    let msn = "device".to_owned();
    let request = pb::QueryRequest { msn, order, ..pb::QueryRequest::default() };
    client.query(request).await.map(tonic::Response::into_inner)
}

/// Asks for a card trade.
pub(crate) async fn swipe_query(server: SocketAddr) -> Result<pb::SwipeQueryResponse, Status> {
    let mut client = TradeServiceClient::connect(format!("http://{server}")).await.unwrap();
    let request = pb::SwipeQueryRequest {
        msn: "device".to_owned(),
        order_id: "DEMO-CARD-1".to_owned(),
        ..pb::SwipeQueryRequest::default()
    };
    client.swipe_query(request).await.map(tonic::Response::into_inner)
}

/// A refund that succeeded, is known so, and was or was not known before.
#[track_caller]
pub(crate) fn succeeded(
    told: &Result<pb::RefundResponse, Status>,
    evidence: pb::RefundEvidence,
    replayed: bool,
) {
    let told = told.as_ref().expect("a refund that happened");
    let seen = (told.state(), told.evidence(), told.replayed, told.amount_minor);
    assert_eq!(seen, (pb::TradeState::Succeeded, evidence, replayed, Some(AMOUNT)));
}

/// A status of this server's: its code, its reason and what it says of the refund. `None` for
/// what a connection says that breaks.
pub(crate) fn refusal(status: &Status) -> Option<(Code, String, String)> {
    let info = status.get_details_error_info()?;
    let outcome = info.metadata.get("refundOutcome").cloned().unwrap_or_default();
    Some((status.code(), info.reason, outcome))
}

#[track_caller]
pub(crate) fn refused(
    told: &Result<pb::RefundResponse, Status>,
    (code, reason, outcome): (Code, &str, &str),
) {
    let status = told.as_ref().expect_err("a refusal");
    let expected = (code, reason.to_owned(), outcome.to_owned());
    assert_eq!(refusal(status), Some(expected), "{status:?}");
}

/// What is said of a refund that is not known to have happened or not.
pub(crate) const UNKNOWN: (Code, &str, &str) = (Code::Unknown, "REFUND_OUTCOME_UNKNOWN", "UNKNOWN");

/// What is said while the ledger cannot be used.
pub(crate) const NO_LEDGER: (Code, &str, &str) =
    (Code::Unavailable, "LEDGER_UNAVAILABLE", "NOT_ATTEMPTED");

/// What is said of a refund that was judged not to have happened.
pub(crate) const NOT_APPLIED: (Code, &str, &str) =
    (Code::Aborted, "REFUND_NOT_APPLIED", "NOT_APPLIED");
