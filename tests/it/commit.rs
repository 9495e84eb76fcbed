//! A Refund is committed before anything goes to Sunmi: its response headers are there first,
//! its status is in the trailers, and an error tells clients not to try again by themselves.

use bytes::Bytes;
use http::HeaderMap;
use sunmi_trade::api::pb;
use tonic::Code;

use crate::calls;
use crate::failure::Failure;
use crate::raw::{self, Answer, framed};
use crate::server::{Server, refund, settings};
use crate::upstream::{Answer as Scripted, QUERY, REFUND, Upstream, held};

const PUSHBACK: &str = "grpc-retry-pushback-ms";

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found());
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

fn assert_commits(headers: &HeaderMap) {
    assert_eq!(headers["content-type"], "application/grpc");
    for name in ["grpc-status", "grpc-message", "grpc-status-details-bin", PUSHBACK] {
        assert_eq!(headers.get(name), None, "{name}");
    }
}

/// Nothing can go to Sunmi before the request is there, and that is after the headers.
#[tokio::test]
async fn the_headers_of_a_refund_come_before_its_request_is_complete() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, calls::refunded());
    let body = framed(&calls::refund("R1"));
    let half = body.len() / 2;
    let sent = raw::send(server.address, "Refund", &[], (body.slice(..half), false)).await;
    let mut begun = sent.headers().await;
    assert_commits(&begun.headers);
    assert_eq!(upstream.take_paths(), [""; 0]);
    begun.request.send_data(body.slice(half..), true).unwrap();
    let answer = begun.rest().await;
    assert_eq!(answer.status().unwrap().code(), Code::Ok);
    assert_eq!(answer.trailers.unwrap().get(PUSHBACK), None);
    assert_eq!(upstream.take_paths(), [REFUND]);
}

#[tokio::test]
async fn the_headers_of_a_refund_come_while_sunmi_still_works_on_it() {
    let (upstream, server) = start().await;
    let (answer, release) = held(&calls::code("E01", "商户不存在"));
    upstream.next(REFUND, answer);
    let body = (framed(&calls::refund("R1")), true);
    let begun = raw::send(server.address, "Refund", &[], body).await.headers().await;
    assert_commits(&begun.headers);
    release.send(()).unwrap();
    let answer = begun.rest().await;
    assert_eq!(Failure::of(&answer.status().unwrap()).reason, "MERCHANT_NOT_FOUND");
    assert_eq!(answer.trailers.unwrap()[PUSHBACK], "-1");
}

async fn call(server: &Server, method: &str, timeout: &str, body: Bytes) -> Answer {
    let headers = [("grpc-timeout", timeout)];
    raw::send(server.address, method, &headers, (body, true)).await.headers().await.rest().await
}

#[tokio::test]
async fn every_error_of_a_refund_is_in_the_trailers_and_says_not_to_try_again() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, calls::refunded());
    refund(&server, calls::refund("used")).await.unwrap();
    let request = |number| framed(&calls::refund(number));
    let reused = framed(&pb::RefundRequest { amount_minor: 1, ..calls::refund("used") });
    let invalid = framed(&pb::RefundRequest::default());
    let unreadable = Bytes::from_static(b"\0\0\0\0\x02\xff\xff");
    let table = [
        ("REQUEST_INVALID", "10S", invalid),
        ("REQUEST_INVALID", "10S", unreadable),
        ("REQUEST_INVALID", "soon", request("R1")),
        ("DEADLINE_EXCEEDED", "300m", request("R1")),
        ("DEADLINE_EXCEEDED", "0S", request("R1")),
        ("REFUND_ORDER_ID_REUSED", "10S", reused),
        ("MERCHANT_NOT_FOUND", "10S", request("R1")),
        ("REFUND_OUTCOME_UNKNOWN", "1500m", request("R2")),
    ];
    upstream.next(REFUND, calls::code("E01", "")).next(REFUND, Scripted::BytesThenReset(vec![]));
    for (reason, timeout, body) in table {
        let answer = call(&server, "Refund", timeout, body).await;
        assert_eq!(Failure::of(&answer.status().unwrap()).reason, reason);
        assert_commits(&answer.headers);
        assert_eq!(answer.trailers.expect(reason)[PUSHBACK], "-1", "{reason}");
    }
    assert_eq!(upstream.sends(), 3);
}

#[tokio::test]
async fn an_error_of_a_read_leaves_it_to_the_client_whether_to_try_again() {
    let (upstream, server) = start().await;
    upstream.always(QUERY, calls::code("S03", ""));
    for (method, timeout, body) in [
        ("Query", "10S", framed(&calls::query("O1"))),
        ("Query", "10S", framed(&calls::query(""))),
        ("Query", "0S", framed(&calls::query("O1"))),
        ("SwipeQuery", "10S", framed(&calls::swipe_query("O1"))),
        ("SwipeQuery", "soon", framed(&calls::swipe_query("O1"))),
    ] {
        let answer = call(&server, method, timeout, body).await;
        // In the headers, where meshes look for it.
        assert!(answer.headers.contains_key("grpc-status"), "{method} {timeout}");
        assert_ne!(answer.status().unwrap().code(), Code::Ok, "{method} {timeout}");
        assert_eq!(answer.headers.get(PUSHBACK), None, "{method} {timeout}");
        assert!(answer.trailers.is_none_or(|it| !it.contains_key(PUSHBACK)), "{method} {timeout}");
    }
}
