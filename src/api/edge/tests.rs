use std::sync::Arc;

use http_body_util::BodyExt;
use tonic::{Code, Status};
use tower::ServiceExt;

use super::*;
use crate::api::CallLimits;
use crate::api::pb;
use crate::callers::Access;
use crate::deadline::Limits;
use crate::metrics::{Doubts, Metrics, Upstream};
use crate::parties::{InForce, Parties};
use crate::sunmi::Credentials;

/// A method that panics, before or after a refund may have been sent.
async fn panic(request: HttpRequest<Body>, begun: bool) -> Result<HttpResponse<Body>, Infallible> {
    if begun {
        request.extensions().get::<Call>().expect("the edge's call").begun().claim();
    }
    panic!("a fault of the method")
}

fn metrics() -> Arc<Metrics> {
    let address = &"http://sunmi.invalid".parse().expect("a URL");
    let upstream = Upstream { address, path: |_| "/", codes: Vec::new() };
    Arc::new(Metrics::new(&upstream).expect("metrics"))
}

async fn panicking(method: &str, begun: bool, metrics: &Arc<Metrics>) -> Status {
    let service = tower::service_fn(move |request| panic(request, begun));
    let second = Duration::from_secs(1);
    let limits = Limits { default: second, max: second, reserve: Duration::ZERO };
    let calls = CallLimits { calls: 1, message_timeout: second };
    let credentials = Credentials::new(Vec::new(), None).into();
    let parties = Parties { access: Access::Open, credentials };
    let gate = Gate::new(InForce::new(parties), limits, &calls, Arc::clone(metrics));
    let request = HttpRequest::post(format!("/sunmi.trade.v1.TradeService/{method}"))
        .header(CONTENT_TYPE, "application/grpc");
    let request = request.body(Body::empty()).expect("a request");
    let Ok(response) = Edge::new(service, gate).oneshot(request).await;
    let headers = response.headers().clone();
    let trailers = response.into_body().collect().await.expect("a body").trailers().cloned();
    // A Refund's headers are sent before its status is known.
    let status = if method == "Refund" { trailers.expect("trailers") } else { headers };
    Status::from_header_map(&status).expect("a status")
}

#[test]
fn every_method_is_found_by_its_path() {
    let served =
        [pb::trade_service_server::SERVICE_NAME, pb::refund_ledger_service_server::SERVICE_NAME];
    assert_eq!(Method::SERVICES, served);
    for method in Method::ALL {
        assert!(served.contains(&method.service()));
        let path = format!("/{}/{}", method.service(), method.name());
        assert_eq!(Method::of_path(&path), Some(method));
    }
}

fn details(status: &Status) -> (Code, pb::TradeError) {
    use prost::Message;
    let details = tonic_types::pb::Status::decode(status.details()).expect("details");
    let error = pb::TradeError::decode(details.details[0].value.as_slice());
    (status.code(), error.expect("a TradeError"))
}

#[tokio::test]
async fn a_panic_is_internal_and_nothing_was_attempted_before_a_refund_has_begun() {
    for (method, outcome) in [
        ("Query", pb::RefundOutcome::Unspecified),
        ("SwipeQuery", pb::RefundOutcome::Unspecified),
        ("Refund", pb::RefundOutcome::NotAttempted),
    ] {
        let (code, error) = details(&panicking(method, false, &metrics()).await);
        assert_eq!((code, error.reason()), (Code::Internal, pb::ErrorReason::Internal));
        assert_eq!(error.refund_outcome(), outcome, "{method}");
    }
}

#[tokio::test]
async fn a_panic_after_a_refund_has_begun_leaves_it_in_doubt() {
    let (code, error) = details(&panicking("Refund", true, &metrics()).await);
    let reason = pb::ErrorReason::RefundOutcomeUnknown;
    assert_eq!((code, error.reason()), (Code::Unknown, reason));
    assert_eq!(error.refund_outcome(), pb::RefundOutcome::Unknown);
}

#[tokio::test]
async fn a_panic_is_counted_as_what_its_caller_was_told() {
    let metrics = metrics();
    panicking("Refund", false, &metrics).await;
    panicking("Refund", true, &metrics).await;
    let text = metrics.encode(Some(Doubts::default())).expect("a page");
    let labels = "grpc_method=\"Refund\",grpc_service=\"sunmi.trade.v1.TradeService\"";
    for line in [
        "sunmi_refund_total{outcome=\"not_attempted\"} 1".to_owned(),
        "sunmi_refund_total{outcome=\"unknown\"} 1".to_owned(),
        format!(
            "grpc_server_handled_total{{grpc_code=\"Internal\",{labels},grpc_type=\"unary\"}} 1"
        ),
        format!(
            "grpc_server_handled_total{{grpc_code=\"Unknown\",{labels},grpc_type=\"unary\"}} 1"
        ),
    ] {
        assert!(text.lines().any(|it| it == line), "{line}: {text}");
    }
}
