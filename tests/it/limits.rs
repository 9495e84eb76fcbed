//! Everything has a limit, and says so where it is met.

use bytes::Bytes;
use sunmi_trade::api::pb;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::failure::{Failure, IN_DOUBT};
use crate::raw;
use crate::server::{GUARD, Server, query, refund, settings, swipe_query, with};
use crate::upstream::{QUERY, REFUND, Upstream, held};
use crate::{busy, calls};

#[tokio::test]
async fn past_the_bound_on_calls_in_flight_the_server_is_overloaded_and_still_healthy() {
    let (upstream, server, first) = busy::start("SUNMI_TRADE__UPSTREAM__MAX_IN_FLIGHT").await;

    for failure in [
        query(&server, calls::query("O2")).await.unwrap_err(),
        swipe_query(&server, calls::swipe_query("O2")).await.unwrap_err(),
    ] {
        assert_eq!(failure.verdict(), (Code::ResourceExhausted, "OVERLOADED", ""));
        assert_eq!((failure.next_step.as_str(), failure.attempts()), ("RETRY", Some(0)));
        assert!(failure.retry_delay.is_some());
    }
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::ResourceExhausted, "OVERLOADED", "NOT_ATTEMPTED"));
    let mut health = HealthClient::new(server.channel().await);
    let health = health.check(HealthCheckRequest::default()).await.unwrap().into_inner();
    assert_eq!(health.status(), ServingStatus::Serving);
    assert_eq!(upstream.seen().len(), 1);

    first.ends().await;
    upstream.next(QUERY, calls::paid());
    query(&server, calls::query("O2")).await.expect("the place is free again");
}

#[tokio::test]
async fn past_the_bound_on_calls_reads_are_refused_and_a_refund_is_in_doubt() {
    let (upstream, server, first) = busy::start("SUNMI_TRADE__LIMITS__CALLS").await;

    let failure = query(&server, calls::query("O2")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::ResourceExhausted, "OVERLOADED", ""));
    // Nobody looked whether the ledger knows it.
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    assert!(failure.retry_delay.is_some());
    let mut health = HealthClient::new(server.channel().await);
    health.check(HealthCheckRequest::default()).await.expect("health");
    assert_eq!(upstream.seen().len(), 1);

    first.ends().await;
    upstream.next(QUERY, calls::paid());
    query(&server, calls::query("O2")).await.expect("the place is free again");
}

/// Else a caller that resets its calls could begin any number of them.
#[tokio::test]
async fn refunds_whose_callers_are_gone_count_against_the_bound() {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__LIMITS__CALLS", "1")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    let (answer, release) = held(&calls::refunded());
    upstream.next(REFUND, answer);
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.refund(calls::refund("R1")).await });
    upstream.has_seen(1).await;
    call.abort();
    call.await.unwrap_err();
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::ResourceExhausted, "OVERLOADED", ""));
    let failure = refund(&server, calls::refund("R2")).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    assert_eq!(upstream.seen().iter().filter(|seen| seen.path == REFUND).count(), 1);
    release.send(()).unwrap();
    upstream.always(REFUND, calls::refunded()).always(QUERY, calls::paid());
    let done = async { while refund(&server, calls::refund("R2")).await.is_err() {} };
    tokio::time::timeout(GUARD, done)
        .await
        .expect("the first one is done, and gave its place back");
    query(&server, calls::query("O1")).await.expect("a place for a read");
}

#[tokio::test]
async fn requests_that_never_end_take_no_place() {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__LIMITS__CALLS", "1")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    upstream.always(QUERY, calls::paid());
    let mut unfinished = Vec::new();
    for method in ["Query", "SwipeQuery", "Refund"].repeat(3) {
        let part = (Bytes::from_static(b"\0\0\0\0\x09\x12"), false);
        unfinished.push(raw::send(server.address, method, &[], part).await);
        query(&server, calls::query("O1")).await.expect("a place");
    }
}

#[tokio::test]
async fn a_request_that_does_not_come_gives_way_to_one_that_came_later() {
    let upstream = Upstream::start().await;
    let env = [
        ("SUNMI_TRADE__LIMITS__CALLS", "1"),
        ("SUNMI_TRADE__LIMITS__MESSAGE_TIMEOUT", "1m"),
        ("SUNMI_TRADE__DEADLINES__DEFAULT", "30s"),
    ];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    upstream.always(QUERY, calls::paid());
    let part = || (Bytes::from_static(b"\0\0\0\0\x09\x12"), false);
    let first = raw::send(server.address, "Query", &[], part()).await;
    let second = raw::send(server.address, "Query", &[], part()).await;
    // One of them, whichever the server saw first, long before its time is over.
    let gone = async {
        tokio::select! { status = first.headers() => status, status = second.headers() => status }
    };
    let begun = tokio::time::timeout(GUARD / 2, gone).await.expect("one that gave way");
    let status = begun.rest().await.status().expect("a status");
    let verdict = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "");
    assert_eq!(Failure::of(&status).verdict(), verdict);
    query(&server, calls::query("O1")).await.expect("a request that comes");
}

#[tokio::test]
async fn what_is_no_grpc_is_not_taken_for_it() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, calls::accepted());
    let server = Server::start(&settings(upstream.address)).await;
    let body = raw::framed(&calls::refund("R1"));
    for (method, content_type, status) in [
        ("POST", Some("application/grpc"), 200),
        ("POST", Some("application/grpc+proto"), 200),
        ("POST", Some("application/grpc;x=y"), 200),
        ("POST", Some("application/grpc-web"), 415),
        ("POST", Some("text/plain"), 415),
        ("POST", None, 415),
        ("GET", Some("application/grpc"), 415),
    ] {
        let seen = raw::http_status(server.address, (method, content_type), body.clone()).await;
        assert_eq!(seen, status, "{method} {content_type:?}");
    }
    assert_eq!(upstream.take_paths(), [REFUND]);
}

/// A request that fills so many bytes.
fn of_size(size: usize) -> pb::QueryRequest {
    pb::QueryRequest { app_id: "x".repeat(size), ..calls::query("O1") }
}

#[tokio::test]
async fn a_request_of_more_than_64_kib_is_refused_unread() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let within = query(&server, of_size(60 << 10)).await.unwrap_err();
    assert_eq!(within.reason, "REQUEST_INVALID");
    let too_large = query(&server, of_size(70 << 10)).await.unwrap_err();
    assert_is_unreadable(&too_large, "");
    assert_eq!(upstream.take_paths(), [""; 0]);
}

fn assert_is_unreadable(failure: &Failure, outcome: &str) {
    assert_eq!(failure.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", outcome));
    let rule = "must be a readable request message of at most 64 KiB";
    assert_eq!(failure.violations, [(String::new(), rule.to_owned())]);
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_with_all_details() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    // Nothing; no message; a string that is not UTF-8; half a message.
    let table: [&'static [u8]; 4] =
        [b"", b"\0\0\0\0\x02\xff\xff", b"\0\0\0\0\x03\x12\x01\xff", b"\0\0\0\0\x09\x12"];
    for body in table {
        for (method, outcome) in [("Query", ""), ("SwipeQuery", ""), ("Refund", "NOT_ATTEMPTED")] {
            let body = Bytes::from_static(body);
            let status = raw::call(server.address, method, &[], body).await;
            assert_is_unreadable(&Failure::of(&status), outcome);
        }
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}
