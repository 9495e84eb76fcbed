//! What is tried again, how often and how patiently.

use std::time::{Duration, SystemTime};

use tokio::time::Instant;
use tonic::{Code, Request};

use crate::calls;
use crate::failure::IN_DOUBT;
use crate::server::{
    BRIEF, Server, impatient, query, refund, refund_within, settings, settle, side_by_side,
    swipe_query, with,
};
use crate::upstream::{Answer, QUERY, REFUND, SWIPE_QUERY, Upstream, reply};

fn http(status: &str, headers: &[(&str, &str)]) -> Answer {
    Answer::Bytes(reply(status, headers, b""))
}

/// Each kind of failure after which a read is tried again.
fn passing_failures() -> Vec<(&'static str, Answer)> {
    vec![
        ("20000", calls::code("20000", "")),
        ("S03", calls::code("S03", "")),
        ("F04", calls::code("F04", "")),
        ("R03", calls::code("R03", "")),
        ("D01", calls::code("D01", "")),
        ("500", http("500 X", &[])),
        ("503", http("503 X", &[])),
        ("429", http("429 X", &[])),
        ("reset", Answer::BytesThenReset(vec![])),
        ("close", Answer::BytesThenClose(vec![])),
        ("cut", Answer::BytesThenClose(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{".to_vec())),
        ("silence", Answer::Silence),
    ]
}

#[tokio::test]
async fn a_read_gets_over_two_failures_of_any_passing_kind() {
    let upstream = Upstream::start().await;
    let server = Server::start(&impatient(settings(upstream.address))).await;
    upstream.always(QUERY, calls::paid()).always(SWIPE_QUERY, calls::paid());
    for (name, failure) in passing_failures() {
        upstream.next(QUERY, failure.clone()).next(QUERY, failure.clone());
        query(&server, calls::query("O1")).await.expect(name);
        assert_eq!(upstream.take_paths(), [QUERY; 3], "{name}");
        upstream.next(SWIPE_QUERY, failure);
        swipe_query(&server, calls::swipe_query("O1")).await.expect(name);
        assert_eq!(upstream.take_paths(), [SWIPE_QUERY; 2], "{name}");
    }
}

#[tokio::test]
async fn every_attempt_sends_the_same_form() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.next(QUERY, calls::code("S03", "")).next(QUERY, calls::paid());
    query(&server, calls::query("O1")).await.unwrap();
    let [one, other] = &upstream.seen()[..] else { panic!("two attempts") };
    assert_eq!(one.form, other.form);
}

#[tokio::test]
async fn attempts_are_as_many_as_configured() {
    for (max, expected) in [("1", 1), ("2", 2), ("5", 5)] {
        let upstream = Upstream::start().await;
        upstream.always(QUERY, calls::code("S03", ""));
        let env = [("SUNMI_TRADE__RETRY__MAX_ATTEMPTS", max)];
        let server = Server::start(&with(settings(upstream.address), &env)).await;
        let failure = query(&server, calls::query("O1")).await.unwrap_err();
        assert_eq!(failure.reason, "SYSTEM_ERROR");
        assert_eq!(failure.attempts(), Some(expected));
        assert_eq!(upstream.seen().len(), expected as usize);
    }
}

#[tokio::test]
async fn the_last_failure_is_the_one_that_is_told() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream
        .next(QUERY, calls::code("S03", ""))
        .next(QUERY, Answer::BytesThenClose(vec![]))
        .next(QUERY, calls::code("E19", ""));
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::NotFound, "ORDER_NOT_FOUND", ""));
    assert_eq!(failure.attempts(), Some(3));
}

#[tokio::test]
async fn retry_after_is_waited_out() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.next(QUERY, http("503 X", &[("retry-after", "1")])).next(QUERY, calls::paid());
    let started = Instant::now();
    query(&server, calls::query("O1")).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1), "{:?}", started.elapsed());
    assert_eq!(upstream.take_paths(), [QUERY; 2]);
}

#[tokio::test]
async fn a_retry_after_beyond_the_deadline_ends_the_call_and_is_handed_on() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let throttled = reply("429 X", &[("retry-after", "60")], br#"{"code":"R03","msg":""}"#);
    upstream.next(QUERY, http("503 X", &[("retry-after", "60")]));
    upstream.next(QUERY, Answer::Bytes(throttled));
    let minute = Some(Duration::from_secs(60));

    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::Unavailable, "UPSTREAM_HTTP_ERROR", ""));
    assert_eq!((failure.attempts(), failure.retry_delay), (Some(1), minute));
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::ResourceExhausted, "TOO_MANY_REQUESTS", ""));
    assert_eq!((failure.attempts(), failure.retry_delay), (Some(1), minute));
    // A look before a refund is a read like any other: the refund is not begun.
    let throttled = reply("429 X", &[("retry-after", "60")], br#"{"code":"R03","msg":""}"#);
    upstream.finds_before("R1", Answer::Bytes(throttled));
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    let expected = (Code::ResourceExhausted, "TOO_MANY_REQUESTS", "NOT_ATTEMPTED");
    assert_eq!(failure.verdict(), expected);
    assert_eq!((failure.attempts(), failure.retry_delay), (Some(1), minute));
    assert_eq!(upstream.take_paths(), [QUERY, QUERY]);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    #[allow(clippy::disallowed_methods, reason = "a date for the upstream to name")]
    let at = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
    upstream.next(QUERY, http("503 X", &[("retry-after", &at)]));
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    let delay = failure.retry_delay.unwrap();
    assert!(delay > Duration::from_secs(3000) && delay <= Duration::from_secs(3600), "{delay:?}");
    assert_eq!(failure.attempts(), Some(1));
}

#[tokio::test]
async fn no_attempt_is_begun_that_the_callers_deadline_leaves_no_time_for() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.always(QUERY, http("503 X", &[("retry-after", "3")]));
    let mut request = Request::new(calls::query("O1"));
    request.set_timeout(Duration::from_secs(2));
    let failure = settle(server.client().await.query(request)).await.unwrap_err();
    assert_eq!(failure.reason, "UPSTREAM_HTTP_ERROR");
    assert_eq!(failure.retry_delay, Some(Duration::from_secs(3)));
    assert_eq!(upstream.take_paths(), [QUERY]);
}

#[tokio::test]
async fn a_refund_that_was_refused_for_its_haste_is_not_sent_again_by_itself() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.next(REFUND, calls::code("R03", "请求太频繁")).always(REFUND, calls::refunded());
    upstream.always(QUERY, calls::not_found());
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    let expected = (Code::ResourceExhausted, "TOO_MANY_REQUESTS", "NOT_APPLIED");
    assert_eq!(failure.verdict(), expected);
    assert_eq!(failure.attempts(), Some(1));
    assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY]);
}

#[tokio::test]
async fn a_refund_that_may_have_been_processed_is_sent_once_whatever_broke() {
    let failures = passing_failures().into_iter();
    let failures = failures.filter(|(name, _)| !["R03", "D01"].contains(name));
    side_by_side(failures, async |(name, failure)| {
        let upstream = Upstream::start().await;
        let server = Server::start(&impatient(settings(upstream.address))).await;
        upstream.next(REFUND, failure).always(REFUND, calls::refunded());
        upstream.always(QUERY, calls::not_found());
        let answer = refund_within(&server, calls::refund("R1"), BRIEF).await;
        let failure = answer.expect_err(name);
        assert_eq!(failure.verdict(), IN_DOUBT, "{name}");
        assert_eq!(failure.attempts(), Some(1), "{name}");
        upstream.assert_sent("R1", 1, name);
    })
    .await;
}
