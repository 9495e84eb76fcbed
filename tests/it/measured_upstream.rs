//! What is measured of calls to Sunmi and of the ledger.

use std::net::SocketAddr;

use crate::calls;
use crate::measures::{measure, scrape, until};
use crate::server::{BRIEF, Server, impatient, query, refund, refund_within, settings, with};
use crate::upstream::{Answer, QUERY, REFUND, Upstream, answer_json, held, reply};

fn responses(operation: &str, code: &str) -> String {
    format!("sunmi_upstream_responses_total{{code=\"{code}\",operation=\"{operation}\"}}")
}

/// How often an attempt at a query had this HTTP status or this error.
fn attempts(upstream: SocketAddr, status: &str, error: &str) -> String {
    let (host, port) = (upstream.ip(), upstream.port());
    format!(
        "http_client_request_duration_seconds_count{{error_type=\"{error}\",\
         http_request_method=\"POST\",http_response_status_code=\"{status}\",\
         server_address=\"{host}\",server_port=\"{port}\",url_template=\"{QUERY}\"}}"
    )
}

fn http(status: &str, body: &str) -> Answer {
    Answer::Bytes(reply(status, &[], body.as_bytes()))
}

/// A server that tries once, and not for long.
async fn single(upstream: SocketAddr) -> Server {
    let env = [("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", "1")];
    Server::start(&impatient(with(settings(upstream), &env))).await
}

#[tokio::test]
async fn an_attempt_is_counted_by_what_sunmi_said_or_by_what_there_was_instead() {
    let upstream = Upstream::start().await;
    let server = single(upstream.address).await;
    let table = [
        ("1", "200", "", calls::paid()),
        ("10000", "200", "", answer_json(r#"{"code":10000,"data":{"state":"3"}}"#)),
        ("D01", "200", "", calls::code("D01", "")),
        ("E19", "200", "", calls::not_found()),
        ("R03", "503", "", http("503 Busy", r#"{"code":"R03"}"#)),
        ("other", "200", "", calls::code("X99", "")),
        ("unreadable", "200", "", http("200 OK", "<html>")),
        ("http_error", "502", "", http("502 Bad Gateway", "<html>")),
        ("http_error", "500", "", http("500 Oh", r#"{"code":"1","data":{"state":"3"}}"#)),
        ("interrupted", "", "interrupted", Answer::BytesThenClose(Vec::new())),
        ("timeout", "", "timeout", Answer::Silence),
    ];
    for (code, status, error, answer) in table {
        let series = [responses("Query", code), attempts(upstream.address, status, error)];
        let before = scrape(&server).await;
        upstream.next(QUERY, answer);
        let _ = query(&server, calls::query("O1")).await;
        let after = scrape(&server).await;
        for series in series {
            let count = before.get(&series).copied().unwrap_or_default();
            assert_eq!(after[&series], count + 1.0, "{series}");
        }
    }
}

#[tokio::test]
async fn an_attempt_that_found_nobody_was_not_sent() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = listener.local_addr().unwrap();
    drop(listener);
    let server = single(nobody).await;
    query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(measure(&server, &responses("Query", "not_sent")).await, 1);
    assert_eq!(measure(&server, &attempts(nobody, "", "not_sent")).await, 1);
}

#[tokio::test]
async fn codes_that_the_document_does_not_have_are_one_whatever_they_are() {
    let upstream = Upstream::start().await;
    let server = single(upstream.address).await;
    let before = scrape(&server).await;
    for at in 0..50 {
        upstream.next(QUERY, calls::code(&format!("X{at}"), ""));
        query(&server, calls::query("O1")).await.unwrap_err();
    }
    let after = scrape(&server).await;
    assert!(before.keys().eq(after.keys()));
    assert_eq!(after[&responses("Query", "other")], 50.0);
}

#[tokio::test]
async fn a_status_that_http_does_not_have_is_no_label() {
    let upstream = Upstream::start().await;
    let server = single(upstream.address).await;
    for status in ["600", "777", "999"] {
        upstream.next(QUERY, http(status, ""));
        query(&server, calls::query("O1")).await.unwrap_err();
    }
    assert_eq!(measure(&server, &attempts(upstream.address, "", "")).await, 3);
}

const IN_FLIGHT: &str = "sunmi_inflight{operation=\"Query\"}";

#[tokio::test]
async fn an_attempt_is_in_flight_until_it_is_answered() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    assert_eq!(measure(&server, IN_FLIGHT).await, 0);
    let (answer, release) = held(&calls::paid());
    upstream.next(QUERY, answer);
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.query(calls::query("O1")).await });
    upstream.has_seen(1).await;
    assert_eq!(measure(&server, IN_FLIGHT).await, 1);
    assert_eq!(measure(&server, "sunmi_inflight{operation=\"Refund\"}").await, 0);
    release.send(()).unwrap();
    call.await.unwrap().unwrap();
    assert_eq!(measure(&server, IN_FLIGHT).await, 0);
}

#[tokio::test]
async fn an_attempt_whose_caller_goes_away_is_given_up_and_no_longer_in_flight() {
    let upstream = Upstream::start().await;
    upstream.next(QUERY, Answer::Silence);
    let server = Server::start(&settings(upstream.address)).await;
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.query(calls::query("O1")).await });
    upstream.has_seen(1).await;
    call.abort();
    until(&server, &responses("Query", "given_up"), |count| count == 1).await;
    assert_eq!(measure(&server, &attempts(upstream.address, "", "given_up")).await, 1);
    assert_eq!(measure(&server, IN_FLIGHT).await, 0);
}

#[tokio::test]
async fn attempts_beyond_the_first_are_counted_and_those_that_the_budget_forbids() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let retries = "sunmi_upstream_retries_total{operation=\"Query\"}";
    let refused = "sunmi_upstream_retry_budget_exhausted_total";
    upstream.next(QUERY, calls::code("R03", "")).next(QUERY, calls::code("R03", ""));
    upstream.next(QUERY, calls::paid());
    query(&server, calls::query("O1")).await.unwrap();
    assert_eq!((measure(&server, retries).await, measure(&server, refused).await), (2, 0));
    upstream.always(QUERY, calls::code("S03", ""));
    // More than the budget allows in any time that this takes.
    for _ in 0..200 {
        query(&server, calls::query("O1")).await.unwrap_err();
    }
    assert!(measure(&server, refused).await > 0);
}

#[tokio::test]
async fn what_is_done_with_the_ledger_is_timed() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found());
    let server = Server::start(&settings(upstream.address)).await;
    upstream.next(REFUND, calls::refunded()).next(REFUND, calls::code("S03", ""));
    refund(&server, calls::refund("R1")).await.unwrap();
    refund_within(&server, calls::refund("R2"), BRIEF).await.unwrap_err();
    let all = scrape(&server).await;
    for (work, count) in [("claim", 2.0), ("settle", 1.0), ("move", 1.0)] {
        let labels = format!("{{operation=\"{work}\"}}");
        let timed = format!("sunmi_ledger_operation_duration_seconds_count{labels}");
        assert_eq!(all[&timed], count, "{work}");
        assert_eq!(all[&format!("sunmi_ledger_errors_total{labels}")], 0.0, "{work}");
    }
    let connections = |state| all[&format!("sunmi_ledger_connections{{state=\"{state}\"}}")];
    assert_eq!(connections("idle") + connections("used"), 1.0);
}
