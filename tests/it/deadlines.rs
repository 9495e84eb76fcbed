//! The server answers before its caller's clock runs out, and never with CANCELLED. The
//! caller here has no clock of its own, so every status is the server's.

use std::time::Duration;

use bytes::Bytes;
use sunmi_trade::config::Sources;
use tonic::Code;

use crate::calls;
use crate::failure::{Failure, IN_DOUBT};
use crate::raw::{self, framed};
use crate::server::{Server, query, refund, settings, side_by_side, with};
use crate::upstream::{Answer, QUERY, REFUND, SWIPE_QUERY, Upstream};

const TOO_LATE: (Code, &str, &str) = (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "");
const NOT_ATTEMPTED: (Code, &str, &str) =
    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "NOT_ATTEMPTED");

/// Long before the longest deadline, however slow the machine.
const LONG_BEFORE: Duration = Duration::from_secs(12);

/// An upstream that says nothing, and a server that would wait for it.
async fn silent(adjust: impl FnOnce(Sources) -> Sources) -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream
        .always(QUERY, Answer::Silence)
        .always(REFUND, Answer::Silence)
        .always(SWIPE_QUERY, Answer::Silence);
    let server = Server::start(&adjust(settings(upstream.address))).await;
    (upstream, server)
}

fn body_of(method: &str) -> Bytes {
    match method {
        "Query" => framed(&calls::query("O1")),
        "Refund" => framed(&calls::refund("R1")),
        _ => framed(&calls::swipe_query("O1")),
    }
}

/// The failure of a call whose caller gives it so long.
async fn within(server: &Server, method: &str, timeout: &str) -> Failure {
    let headers = [("grpc-timeout", timeout)];
    let status = raw::call(server.address, method, &headers, body_of(method)).await;
    Failure::of(&status)
}

/// The same where the body, or the rest of it, never comes.
async fn without_end(server: &Server, method: &str, body: Bytes, timeout: &str) -> Failure {
    let headers = [("grpc-timeout", timeout)];
    Failure::of(&raw::call_without_end(server.address, method, &headers, body).await)
}

#[tokio::test]
async fn a_read_that_sunmi_does_not_answer_ends_with_its_deadline() {
    let (upstream, server) = silent(|it| it).await;
    for (method, path) in [("Query", QUERY), ("SwipeQuery", SWIPE_QUERY)] {
        let failure = within(&server, method, "300m").await;
        assert_eq!(failure.verdict(), TOO_LATE, "{method}");
        assert_eq!(failure.next_step, "RETRY");
        assert_eq!(failure.attempts(), Some(1));
        assert_eq!(failure.retry_delay, None);
        assert_eq!(upstream.take_paths(), [path]);
    }
}

#[tokio::test]
async fn a_deadline_that_leaves_no_time_is_over_before_anything_is_sent() {
    let (upstream, server) = silent(|it| it).await;
    for timeout in ["1n", "999u", "1m", "50m", "0S", "00000000H"] {
        for method in ["Query", "SwipeQuery"] {
            assert_eq!(within(&server, method, timeout).await.verdict(), TOO_LATE, "{timeout}");
        }
        assert_eq!(within(&server, "Refund", timeout).await.verdict(), NOT_ATTEMPTED, "{timeout}");
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_timeout_that_is_none_is_refused_by_name() {
    let (upstream, server) = silent(|it| it).await;
    for timeout in ["", "S", "1", "1s", "-1S", "1.5S", "123456789S", "5 S", "1d"] {
        for (method, outcome) in [("Query", ""), ("SwipeQuery", ""), ("Refund", "NOT_ATTEMPTED")] {
            let failure = within(&server, method, timeout).await;
            let expected = (Code::InvalidArgument, "REQUEST_INVALID", outcome);
            assert_eq!(failure.verdict(), expected, "{timeout:?}");
            let rule = "must be 1 to 8 digits and a unit out of H, M, S, m, u, n";
            assert_eq!(failure.violations, [("grpc-timeout".to_owned(), rule.to_owned())]);
        }
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_caller_that_never_sends_its_request_is_answered_at_its_deadline() {
    let (upstream, server) = silent(|it| it).await;
    for (method, expected) in
        [("Query", TOO_LATE), ("SwipeQuery", TOO_LATE), ("Refund", NOT_ATTEMPTED)]
    {
        side_by_side([0, 1, 5, 8], async |sent| {
            let part = body_of(method).slice(..sent);
            let failure = without_end(&server, method, part, "200m").await;
            assert_eq!(failure.verdict(), expected, "{method} {sent}");
        })
        .await;
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_request_that_does_not_come_in_soon_is_not_waited_for() {
    let hasty = |it| with(it, &[("SUNMI_TRADE__LIMITS__MESSAGE_TIMEOUT", "100ms")]);
    let (upstream, server) = silent(hasty).await;
    for (method, expected) in
        [("Query", TOO_LATE), ("SwipeQuery", TOO_LATE), ("Refund", NOT_ATTEMPTED)]
    {
        let part = body_of(method).slice(..5);
        let call = without_end(&server, method, part, "25S");
        let failure = tokio::time::timeout(LONG_BEFORE, call).await.expect("an answer long before");
        assert_eq!(failure.verdict(), expected, "{method}");
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
    // It is for the request alone.
    let Answer::Bytes(bytes) = calls::paid() else { panic!("plain bytes") };
    upstream.always(QUERY, Answer::Slowly(bytes, Duration::from_millis(3)));
    query(&server, calls::query("O1")).await.expect("an answer after more than that");
}

#[tokio::test]
async fn a_refund_that_sunmi_does_not_answer_is_in_doubt_at_its_deadline() {
    let (upstream, server) = silent(|it| it).await;
    let failure = within(&server, "Refund", "1S").await;
    assert_eq!(failure.verdict(), IN_DOUBT);
    assert_eq!(failure.next_step, "REPEAT_SAME_REFUND");
    assert!(failure.retry_delay.is_some());
    assert_eq!(upstream.take_paths(), [REFUND]);
}

#[tokio::test]
async fn a_refund_is_not_begun_with_less_than_half_a_second_left() {
    let (upstream, server) = silent(|it| it).await;
    for timeout in ["100m", "549m"] {
        let failure = within(&server, "Refund", timeout).await;
        assert_eq!(failure.verdict(), NOT_ATTEMPTED, "{timeout}");
        assert_eq!(failure.next_step, "RETRY");
        assert_eq!(failure.attempts(), Some(0));
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

/// Short limits of the server's own.
fn hurried(sources: Sources) -> Sources {
    let env = [
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "300ms"),
        ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "350ms"),
        ("SUNMI_TRADE__DEADLINES__DEFAULT", "300ms"),
        ("SUNMI_TRADE__DEADLINES__MAX", "400ms"),
        ("SUNMI_TRADE__REFUND__MIN_LEFT", "0ms"),
    ];
    with(sources, &env)
}

#[tokio::test]
async fn a_caller_without_a_deadline_gets_the_default_one() {
    let (_upstream, server) = silent(hurried).await;
    assert_eq!(query(&server, calls::query("O1")).await.unwrap_err().verdict(), TOO_LATE);
    assert_eq!(refund(&server, calls::refund("R1")).await.unwrap_err().verdict(), IN_DOUBT);
}

/// The guard of the call is what would see a longer one.
#[tokio::test]
async fn no_caller_gets_more_than_the_longest_deadline() {
    let (_upstream, server) = silent(hurried).await;
    for timeout in ["60S", "99999999H"] {
        let failure = without_end(&server, "Query", Bytes::new(), timeout).await;
        assert_eq!(failure.verdict(), TOO_LATE, "{timeout}");
        let failure = without_end(&server, "Refund", Bytes::new(), timeout).await;
        assert_eq!(failure.verdict(), NOT_ATTEMPTED, "{timeout}");
        assert_eq!(within(&server, "Refund", timeout).await.verdict(), IN_DOUBT);
    }
}
