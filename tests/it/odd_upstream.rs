//! An upstream that fails in every way that it can: each gets the status, the reason and the
//! outcome of section 3 of the design, and the server stays up.

use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Socket, Type};
use sunmi_trade::api::pb;
use tokio::net::TcpListener;
use tonic::Code::{self, Internal, ResourceExhausted, Unavailable};

use crate::calls;
use crate::failure::IN_DOUBT;
use crate::server::{
    BRIEF, Server, impatient, query, refund, refund_within, settings, side_by_side,
};
use crate::upstream::{Answer, QUERY, REFUND, Upstream, answer_json, reply};

/// What a read is told.
#[derive(Clone, Copy)]
struct Verdict {
    code: Code,
    reason: &'static str,
    next_step: &'static str,
}

const fn verdict(code: Code, reason: &'static str, next_step: &'static str) -> Verdict {
    Verdict { code, reason, next_step }
}

const INTERRUPTED: Verdict = verdict(Unavailable, "UPSTREAM_INTERRUPTED", "RETRY");
const UNREADABLE: Verdict = verdict(Internal, "UPSTREAM_REPLY_UNREADABLE", "ASK_SUNMI");
const SERVER_ERROR: Verdict = verdict(Unavailable, "UPSTREAM_HTTP_ERROR", "RETRY");
const THROTTLED: Verdict = verdict(ResourceExhausted, "UPSTREAM_HTTP_ERROR", "RETRY");
const HTTP_OTHER: Verdict = verdict(Internal, "UPSTREAM_HTTP_ERROR", "FIX_DEPLOYMENT");

const SUCCESS: &str = r#"{"code":"1","data":{"amount":"100","orderType":"1","state":"3"}}"#;

fn http(status: &str, body: &str) -> Answer {
    Answer::Bytes(reply(status, &[("content-type", "text/html")], body.as_bytes()))
}

fn half() -> Vec<u8> {
    let whole = reply("200 OK", &[], SUCCESS.as_bytes());
    whole[..whole.len() - SUCCESS.len() / 2].to_vec()
}

/// Readable as an envelope, were it not for its length.
fn more_than_a_mebibyte() -> Answer {
    answer_json(&format!(r#"{{"code":"1","data":{{"state":"3"}},"x":"{}"}}"#, "x".repeat(4 << 20)))
}

fn broken_off() -> Vec<(&'static str, Answer, Verdict)> {
    let slowly = reply("200 OK", &[], SUCCESS.as_bytes());
    vec![
        ("a reset", Answer::BytesThenReset(vec![]), INTERRUPTED),
        ("a close", Answer::BytesThenClose(vec![]), INTERRUPTED),
        ("half a body", Answer::BytesThenClose(half()), INTERRUPTED),
        ("half a body and a reset", Answer::BytesThenReset(half()), INTERRUPTED),
        ("no HTTP", Answer::BytesThenClose(b"220 mail.example ESMTP\r\n".to_vec()), INTERRUPTED),
        ("silence", Answer::Silence, INTERRUPTED),
        ("a byte at a time", Answer::Slowly(slowly, Duration::from_millis(50)), INTERRUPTED),
    ]
}

fn unreadable() -> Vec<(&'static str, Answer, Verdict)> {
    vec![
        ("a page", http("200 OK", "<html><body>Welcome</body></html>"), UNREADABLE),
        ("nothing", http("200 OK", ""), UNREADABLE),
        ("4 MiB of JSON", more_than_a_mebibyte(), UNREADABLE),
        ("100,000 brackets", answer_json(&"[".repeat(100_000)), UNREADABLE),
        (
            "100,000 brackets as data",
            answer_json(&format!(
                r#"{{"code":"1","data":{}{}}}"#,
                "[".repeat(100_000),
                "]".repeat(100_000)
            )),
            UNREADABLE,
        ),
        ("no code", answer_json(r#"{"data":{"state":"3"},"msg":"ok"}"#), UNREADABLE),
        ("no data", answer_json(r#"{"code":"1","msg":"ok"}"#), UNREADABLE),
        ("two codes", answer_json(r#"{"code":"1","data":{"state":"3"},"code":"E22"}"#), UNREADABLE),
        ("two states", answer_json(r#"{"code":"1","data":{"state":"3","state":"5"}}"#), UNREADABLE),
        ("empty data", answer_json(r#"{"code":"1","data":"","msg":"ok"}"#), UNREADABLE),
    ]
}

fn http_statuses() -> Vec<(&'static str, Answer, Verdict)> {
    let mut table = vec![
        ("a page with 502", http("502 Bad Gateway", "<html>502</html>"), SERVER_ERROR),
        ("a page with 503", http("503 Service Unavailable", ""), SERVER_ERROR),
        ("success with 500", http("500 Internal Server Error", SUCCESS), SERVER_ERROR),
        (
            "half a body with 502",
            Answer::BytesThenClose(b"HTTP/1.1 502 X\r\ncontent-length: 9\r\n\r\n<".to_vec()),
            SERVER_ERROR,
        ),
        ("429", http("429 Too Many Requests", "slow down"), THROTTLED),
        ("success with 404", http("404 Not Found", SUCCESS), HTTP_OTHER),
        ("two codes with 404", http("404 Not Found", r#"{"code":"1","code":"E22"}"#), HTTP_OTHER),
        ("201", http("201 Created", SUCCESS), HTTP_OTHER),
        (
            "a redirect",
            Answer::Bytes(reply("302 Found", &[("location", "/v1/trade/elsewhere")], b"")),
            HTTP_OTHER,
        ),
        (
            "a permanent redirect",
            Answer::Bytes(reply(
                "308 Permanent Redirect",
                &[("location", "/v1/trade/elsewhere")],
                b"",
            )),
            HTTP_OTHER,
        ),
        ("408", http("408 Request Timeout", ""), HTTP_OTHER),
    ];
    let refusals =
        ["400 X", "401 X", "403 X", "404 X", "405 X", "411 X", "413 X", "414 X", "415 X", "431 X"];
    table.extend(refusals.map(|status| (status, http(status, "<html>no</html>"), HTTP_OTHER)));
    table
}

async fn assert_fails_a_query(upstream: &Upstream, server: &Server, name: &str, expected: Verdict) {
    let failure = query(server, calls::query("O1")).await.expect_err(name);
    assert_eq!(failure.verdict(), (expected.code, expected.reason, ""), "{name}");
    assert_eq!(failure.next_step, expected.next_step, "{name}");
    let retried = expected.next_step == "RETRY";
    assert_eq!(failure.retry_delay.is_some(), retried, "{name}");
    let attempts = if retried { 3 } else { 1 };
    assert_eq!(failure.attempts(), Some(attempts), "{name}");
    assert_eq!(upstream.take_paths(), vec![QUERY; attempts as usize], "{name}");
}

/// An answer like this may come from something in between that refused Sunmi's answer: whatever
/// it says, the refund may have happened.
async fn assert_leaves_a_refund_in_doubt(upstream: &Upstream, server: &Server, name: &str) {
    let failure = refund_within(server, calls::refund("R1"), BRIEF).await.expect_err(name);
    assert_eq!(failure.verdict(), IN_DOUBT, "{name}");
    assert_eq!(failure.next_step, "REPEAT_SAME_REFUND", "{name}");
    assert!(failure.retry_delay.is_some(), "{name}");
    assert_eq!(failure.attempts(), Some(1), "{name}");
    upstream.assert_sent("R1", 1, name);
}

/// A server for each of them, which in the end still answers.
async fn assert_survives(table: Vec<(&'static str, Answer, Verdict)>) {
    side_by_side(table, async |(name, answer, expected)| {
        let upstream = Upstream::start().await;
        let server = Server::start(&impatient(settings(upstream.address))).await;
        upstream.always(QUERY, answer.clone()).always(REFUND, answer);
        assert_fails_a_query(&upstream, &server, name, expected).await;
        upstream.always(QUERY, calls::not_found());
        assert_leaves_a_refund_in_doubt(&upstream, &server, name).await;
        upstream.always(QUERY, calls::paid());
        let found = query(&server, calls::query("O1")).await.expect("a server that stayed up");
        assert_eq!(found.state(), pb::TradeState::Succeeded, "{name}");
    })
    .await;
}

#[tokio::test]
async fn calls_that_break_off_are_unavailable_and_leave_a_refund_in_doubt() {
    assert_survives(broken_off()).await;
}

#[tokio::test]
async fn replies_that_cannot_be_read_are_internal_and_leave_a_refund_in_doubt() {
    assert_survives(unreadable()).await;
}

#[tokio::test]
async fn http_statuses_fail_a_query_as_the_table_says_and_leave_a_refund_in_doubt() {
    assert_survives(http_statuses()).await;
}

#[tokio::test]
async fn the_http_status_is_told() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    upstream.next(QUERY, http("404 Not Found", ""));
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.info["httpStatus"], "404");
    assert_eq!((failure.sunmi_code, failure.localized), (None, None));
}

#[tokio::test]
async fn an_error_status_with_a_refusal_in_it_goes_by_the_refusal() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let refusal = http("500 Internal Server Error", r#"{"code":"E01","msg":"商户不存在"}"#);
    upstream.next(QUERY, refusal.clone()).next(REFUND, refusal);
    let expected = |outcome| (Code::FailedPrecondition, "MERCHANT_NOT_FOUND", outcome);
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), expected(""));
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), expected("NOT_APPLIED"));
}

#[tokio::test]
async fn a_message_of_300_kb_is_cut_so_that_the_status_arrives() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let long = calls::code("E01", &"说".repeat(100_000));
    let long_code = calls::code(&"9".repeat(300_000), &"x".repeat(300_000));
    upstream.next(QUERY, long.clone()).next(REFUND, long);
    let reads = query(&server, calls::query("O1")).await.unwrap_err();
    let refunds = refund(&server, calls::refund("R1")).await.unwrap_err();
    for failure in [reads, refunds] {
        assert_eq!(failure.reason, "MERCHANT_NOT_FOUND");
        let cut = "说".repeat(85);
        assert_eq!(failure.sunmi_message.as_ref(), Some(&cut));
        assert_eq!(failure.localized.as_ref(), Some(&cut));
    }
    upstream.next(QUERY, long_code);
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.reason, "SUNMI_CODE_UNRECOGNIZED");
    assert_eq!(failure.sunmi_code, Some("9".repeat(256)));
}

/// A port that is taken, and on which nothing listens while the socket lives.
fn deaf_port() -> (Socket, SocketAddr) {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    (socket, address)
}

#[tokio::test]
async fn where_nothing_listens_a_refund_is_not_begun() {
    let (_socket, address) = deaf_port();
    let server = Server::start(&settings(address)).await;
    let failure = query(&server, calls::query("O1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unavailable, "UPSTREAM_UNREACHABLE", ""));
    assert_eq!(failure.attempts(), Some(3));
    assert!(failure.retry_delay.is_some());
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unavailable, "UPSTREAM_UNREACHABLE", "NOT_ATTEMPTED"));
    assert_eq!(failure.next_step, "RETRY");
    assert_eq!(failure.attempts(), Some(3));
    assert!(failure.retry_delay.is_some());
}

#[tokio::test]
async fn when_sunmi_comes_back_so_do_the_answers() {
    let (socket, address) = deaf_port();
    let server = Server::start(&settings(address)).await;
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unavailable, "UPSTREAM_UNREACHABLE", "NOT_ATTEMPTED"));
    socket.listen(16).unwrap();
    socket.set_nonblocking(true).unwrap();
    let upstream = Upstream::start_on(TcpListener::from_std(socket.into()).unwrap());
    upstream.next(REFUND, calls::refunded());
    let refunded = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!((refunded.evidence(), refunded.replayed), (pb::RefundEvidence::Reply, false));
    assert_eq!(upstream.take_paths(), [REFUND]);
}
