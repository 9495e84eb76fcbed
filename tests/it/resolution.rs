//! What became of a refund in doubt is found out, or it stays in doubt: by its number, and by
//! the total of its payment, in a call or behind the callers' backs.

use std::time::Duration;

use serde_json::json;
use sunmi_trade::api::pb::{RefundEvidence, TradeState};
use tokio::time::Instant;
use tonic::Code;

use crate::calls::{self, code, success};
use crate::failure::{Failure, IN_DOUBT};
use crate::measures::{measure, until};
use crate::server::{BRIEF, GUARD, Server, refund, refund_within, settings, side_by_side, with};
use crate::upstream::{Answer, QUERY, REFUND, Upstream, held};

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found());
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

#[tokio::test]
async fn a_refund_that_is_not_finished_is_followed_to_its_end_without_being_asked() {
    let created = success(&json!({"amount": "100", "orderType": "1", "state": "1"}));
    let table = [(code("D01", "处理中"), TradeState::Processing), (created, TradeState::Created)];
    side_by_side(table, async |(answer, now)| {
        let (upstream, server) = start().await;
        // The resolver's first look is held: its next one would be half a minute later.
        let (found, release) = held(&calls::refunded());
        upstream.next(REFUND, answer).next(QUERY, found);
        for replayed in [false, true] {
            let accepted = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap();
            assert_eq!((accepted.state(), accepted.replayed), (now, replayed));
            assert_eq!(accepted.evidence(), RefundEvidence::Reply);
            upstream.has_seen(2).await;
        }
        assert_eq!(measure(&server, "sunmi_refund_processing").await, 1);
        release.send(()).unwrap();
        until(&server, "sunmi_refund_processing", |refunds| refunds == 0).await;
        upstream.assert_sent("R1", 1, "followed");
        let finished = refund(&server, calls::refund("R1")).await.unwrap();
        assert_eq!((finished.state(), finished.replayed), (TradeState::Succeeded, true));
        assert_eq!(finished.evidence(), RefundEvidence::Query);
        assert_eq!(upstream.take_paths(), [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn a_refund_in_doubt_is_looked_for_without_being_asked() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, Answer::BytesThenReset(vec![]));
    let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    upstream.finds("R1", calls::refunded());
    until(&server, "sunmi_refund_unknown_outcome", |refunds| refunds == 0).await;
    upstream.assert_sent("R1", 1, "looked for");
    let found = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!((found.evidence(), found.replayed), (RefundEvidence::Query, true));
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_refund_in_doubt_is_looked_for_until_its_callers_time_is_nearly_over() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, Answer::BytesThenReset(vec![]));
    let started = Instant::now();
    let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    assert!(started.elapsed() > BRIEF - Duration::from_millis(250), "{:?}", started.elapsed());
}

#[tokio::test]
async fn something_else_under_the_refunds_number_proves_nothing() {
    let table = [
        json!({"amount": "100", "orderType": "0", "state": "3"}),
        json!({"amount": "99", "orderType": "1", "state": "3"}),
        json!({"amount": "100", "orderType": "1", "state": "4"}),
        json!({"amount": "100", "state": "3"}),
        json!({"orderType": "1", "state": "3"}),
    ];
    side_by_side(table, async |data| {
        let name = data.to_string();
        let (upstream, server) = start().await;
        upstream.next(REFUND, code("S03", "系统异常")).finds("R1", success(&data));
        let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.expect_err(&name);
        assert_eq!(failure.verdict(), IN_DOUBT, "{name}");
        assert_eq!(failure.sunmi_code.as_deref(), Some("S03"), "{name}");
        assert_eq!(failure.attempts(), Some(1), "{name}");
        let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.expect_err(&name);
        assert_eq!(failure.verdict(), IN_DOUBT, "{name}");
        // The refund itself does, at any time.
        upstream.finds("R1", calls::refunded());
        let found = refund(&server, calls::refund("R1")).await.expect(&name);
        assert_eq!((found.evidence(), found.replayed), (RefundEvidence::Query, true), "{name}");
        upstream.assert_sent("R1", 1, &name);
    })
    .await;
}

/// A server that judges as soon as a refund's lease is over: five seconds and a bit after it
/// was sent.
async fn judging() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found());
    let env = [
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "250ms"),
        ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "900ms"),
        ("SUNMI_TRADE__DEADLINES__DEFAULT", "1500ms"),
        ("SUNMI_TRADE__DEADLINES__MAX", "1500ms"),
        ("SUNMI_TRADE__REFUND__MIN_LEFT", "0ms"),
        ("SUNMI_TRADE__REFUND__CEILING", "1600ms"),
        ("SUNMI_TRADE__REFUND__LAG", "0s"),
        ("SUNMI_TRADE__REFUND__SETTLE_WINDOW", "1ms"),
    ];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    (upstream, server)
}

fn payment(refunded: &str, state: &str) -> Answer {
    success(&json!({
        "amount": "10000", "orderType": "0", "state": state, "refunded": refunded
    }))
}

/// How often the payment was looked for after a refund was sent: each send has one look before.
fn looks_for_the_payment(upstream: &Upstream) -> usize {
    let seen = upstream.everything();
    let looks =
        seen.iter().filter(|seen| seen.path == QUERY && seen.form["orderId"] == "P1").count();
    looks - upstream.sends()
}

/// Repeats a refund until it is no longer in doubt.
async fn outcome(server: &Server) -> Result<sunmi_trade::api::pb::RefundResponse, Failure> {
    let give_up = Instant::now() + GUARD;
    loop {
        match refund(server, calls::refund("R1")).await {
            Err(failure) if failure.verdict() == IN_DOUBT => assert!(Instant::now() < give_up),
            known => return known,
        }
    }
}

/// Side by side, because they wait for a lease to end.
#[tokio::test]
async fn a_refund_that_is_not_found_is_judged_by_its_payments_total_when_its_lease_is_over() {
    let speak_for_nothing = [
        payment("100", "3"),
        payment("", "3"),
        payment("0", "2"),
        success(&json!({"orderType": "1", "state": "3", "refunded": "0"})),
        calls::not_found(),
        code("X99", ""),
    ];
    tokio::join!(
        assert_is_judged_and_sent_again(payment("0", "3")),
        side_by_side(speak_for_nothing, assert_stays_in_doubt),
    );
}

async fn assert_is_judged_and_sent_again(found: Answer) {
    let (upstream, server) = judging().await;
    upstream.next(REFUND, code("S03", "")).next(REFUND, calls::refunded());
    upstream.finds("P1", found);
    let started = Instant::now();
    let judged = outcome(&server).await;
    assert!(started.elapsed() >= Duration::from_secs(5), "the lease was not over");
    assert!(looks_for_the_payment(&upstream) >= 1);
    // Whether the judgement fell within a call or between two: a caller is told first.
    let failure = judged.unwrap_err();
    assert_eq!(failure.verdict(), (Code::Aborted, "REFUND_NOT_APPLIED", "NOT_APPLIED"));
    assert_eq!(failure.next_step, "REPEAT_SAME_REFUND");
    assert_eq!(upstream.sends(), 1);
    let refunded = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!((refunded.evidence(), refunded.replayed), (RefundEvidence::Reply, false));
    assert_eq!(upstream.sends(), 2);
}

async fn assert_stays_in_doubt(found: Answer) {
    let name = format!("{found:?}");
    let (upstream, server) = judging().await;
    upstream.next(REFUND, code("S03", "")).finds("P1", payment("0", "3"));
    let sent = refund(&server, calls::refund("R1")).await.expect_err(&name);
    assert_eq!(sent.verdict(), IN_DOUBT, "{name}");
    upstream.finds("P1", found);
    let give_up = Instant::now() + GUARD;
    // The third look, because it is after the second look has been judged.
    while looks_for_the_payment(&upstream) < 3 {
        let failure = refund(&server, calls::refund("R1")).await.expect_err(&name);
        assert_eq!(failure.verdict(), IN_DOUBT, "{name}");
        assert!(Instant::now() < give_up, "{name}: nobody looks for the payment");
    }
    assert_eq!(upstream.sends(), 1, "{name}");
}
