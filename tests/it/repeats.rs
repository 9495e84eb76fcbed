//! A refund's number is used once: what is asked again is answered from the ledger, joined or
//! refused, and never sent a second time.

use serde_json::json;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::api::pb::{RefundEvidence, TradeState};
use tonic::Code;

use crate::calls::{self, code, success};
use crate::failure::IN_DOUBT;
use crate::server::{BRIEF, Server, refund, refund_within, settings, settle, with};
use crate::upstream::{Answer, QUERY, REFUND, Upstream, held};

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found());
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

/// A refund of another payment.
fn of_payment(payment: &str, number: &str) -> pb::RefundRequest {
    let original = Some(Original::OriOrderId(payment.to_owned()));
    pb::RefundRequest { original, ..calls::refund(number) }
}

#[tokio::test]
async fn what_is_settled_is_answered_from_the_ledger_word_for_word() {
    let (upstream, server) = start().await;
    for (number, state) in [("R3", "3"), ("R5", "5")] {
        let data = json!({"amount": "100", "state": state, "misId": "M7", "new": "x"});
        upstream.next(REFUND, success(&data));
        let first = refund(&server, calls::refund(number)).await.unwrap();
        assert!(!first.replayed);
        upstream.assert_sent(number, 1, state);
        for _ in 0..2 {
            let again = refund(&server, calls::refund(number)).await.unwrap();
            assert_eq!(again, pb::RefundResponse { replayed: true, ..first.clone() });
        }
        assert_eq!(upstream.take_paths(), [""; 0]);
    }
}

#[tokio::test]
async fn a_refund_with_a_lost_reply_is_found_and_then_answered_from_the_ledger() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, Answer::BytesThenReset(vec![])).next(QUERY, calls::refunded());
    let found = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!(found.state(), TradeState::Succeeded);
    assert_eq!((found.evidence(), found.replayed), (RefundEvidence::Query, false));
    assert_eq!(upstream.take_paths(), [REFUND, QUERY]);
    let again = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!(again, pb::RefundResponse { replayed: true, ..found });
    assert_eq!(upstream.take_paths(), [""; 0]);
}

/// What may be changed about a refund, and the fields that are then blamed.
fn changed(number: &str) -> Vec<(pb::RefundRequest, &'static [&'static str])> {
    let refund = || calls::refund(number);
    let other = || "X9".to_owned();
    let original = |original| pb::RefundRequest { original: Some(original), ..refund() };
    vec![
        (pb::RefundRequest { amount_minor: 101, ..refund() }, &["amount_minor"]),
        (original(Original::OriOrderId(other())), &["original"]),
        (original(Original::OriMisId("P1".to_owned())), &["original"]),
        (pb::RefundRequest { msn: other(), ..refund() }, &["msn"]),
        (pb::RefundRequest { business_id: other(), ..refund() }, &["business_id"]),
        (
            pb::RefundRequest { amount_minor: 1, business_id: other(), ..refund() },
            &["amount_minor", "business_id"],
        ),
    ]
}

#[tokio::test]
async fn a_number_of_a_refund_with_other_content_is_refused_and_the_differences_are_named() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, calls::refunded()).next(REFUND, code("S03", ""));
    refund(&server, calls::refund("settled")).await.unwrap();
    refund_within(&server, calls::refund("doubtful"), BRIEF).await.unwrap_err();
    for number in ["settled", "doubtful"] {
        for (request, fields) in changed(number) {
            let failure = refund(&server, request).await.unwrap_err();
            let expected = (Code::FailedPrecondition, "REFUND_ORDER_ID_REUSED", "NOT_ATTEMPTED");
            assert_eq!(failure.verdict(), expected, "{number} {fields:?}");
            assert_eq!(failure.fields(), fields, "{number}");
            assert_eq!((failure.next_step.as_str(), failure.attempts()), ("FIX_REQUEST", Some(0)));
        }
    }
    assert_eq!(upstream.sends(), 2);
    let again = refund(&server, calls::refund("settled")).await.unwrap();
    assert!(again.replayed);
}

#[tokio::test]
async fn a_number_that_was_refused_stands_for_its_content_and_may_be_used_again_for_that_alone() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, code("E22", "退款金额有误")).next(REFUND, calls::accepted());
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    let expected = (Code::FailedPrecondition, "REFUND_AMOUNT_WRONG", "NOT_APPLIED");
    assert_eq!(failure.verdict(), expected);
    assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY]);

    for (request, fields) in changed("R1") {
        let failure = refund(&server, request).await.unwrap_err();
        assert_eq!(
            (failure.reason.as_str(), failure.fields()),
            ("REFUND_ORDER_ID_REUSED", fields.to_vec())
        );
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
    // Its caller was told, so a repeat is a new attempt, with a look of its own.
    let refunded = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!((refunded.evidence(), refunded.replayed), (RefundEvidence::Reply, false));
    assert_eq!(upstream.take_paths(), [QUERY, REFUND]);
}

/// A failed refund that is found may be what a proxy's copy of the request left, beside the
/// refund itself: alone it settles nothing before the window is over.
#[tokio::test]
async fn a_failed_refund_that_is_found_settles_nothing_by_itself() {
    let failed = success(&json!({"amount": "100", "orderType": "1", "state": "5"}));
    // The answer to the attempt that is looked for: lost, or a refusal that has to be
    // looked into.
    for answer in [Answer::BytesThenReset(vec![]), code("E22", "退款金额有误")] {
        let (upstream, server) = start().await;
        upstream.finds("R1", failed.clone()).next(REFUND, answer);
        for _ in 0..2 {
            let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
            assert_eq!(failure.verdict(), IN_DOUBT);
        }
        assert_eq!(upstream.sends(), 1);
        // Not so a refund that succeeded: the number was free, so the money moved.
        upstream.finds("R1", calls::refunded());
        let found = refund(&server, calls::refund("R1")).await.unwrap();
        assert_eq!((found.state(), found.replayed), (TradeState::Succeeded, true));
    }
}

/// What is under the number after a refusal may be of the attempt that was refused.
#[tokio::test]
async fn a_refund_that_appears_under_a_refused_number_is_not_sent_again() {
    let (upstream, server) = start().await;
    upstream.next(REFUND, code("E20", ""));
    let failure = refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.outcome.as_deref(), Some("NOT_APPLIED"));
    upstream.finds("R1", success(&json!({"amount": "100", "orderType": "1", "state": "5"})));
    let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!((failure.verdict(), upstream.sends()), (IN_DOUBT, 1));
    upstream.finds("R1", calls::refunded());
    let found = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!((found.state(), upstream.sends()), (TradeState::Succeeded, 1));
}

#[tokio::test]
async fn a_failure_in_the_answer_itself_settles_any_attempt_once_looks_bear_it_out() {
    let (upstream, server) = start().await;
    let failed = success(&json!({"amount": "100", "orderType": "1", "state": "5"}));
    upstream.next(REFUND, code("E20", "")).next(REFUND, failed);
    refund(&server, calls::refund("R1")).await.unwrap_err();
    for replayed in [false, true] {
        let told = refund(&server, calls::refund("R1")).await.unwrap();
        assert_eq!((told.state(), told.replayed), (TradeState::Failed, replayed));
        assert_eq!(told.evidence(), RefundEvidence::Reply);
    }
    // Two looks after each, and the one before the second attempt.
    let attempt = [REFUND, QUERY, QUERY];
    assert_eq!(upstream.take_paths(), [&attempt[..], &[QUERY], &attempt].concat());
}

#[tokio::test]
async fn calls_with_one_number_share_one_refund() {
    let (upstream, server) = start().await;
    let (answer, release) = held(&calls::refunded());
    upstream.next(REFUND, answer);
    let calls = (0..8).map(|_| {
        let request = calls::refund("R1");
        async { refund(&server, request).await.unwrap() }
    });
    let released = async {
        upstream.has_seen(1).await;
        release.send(()).unwrap();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(calls), released);
    assert_eq!(answers.iter().filter(|answer| !answer.replayed).count(), 1);
    assert!(answers.iter().all(|answer| answer.state() == TradeState::Succeeded));
    assert!(answers.iter().all(|answer| answer.evidence() == RefundEvidence::Reply));
    assert_eq!(upstream.take_paths(), [REFUND]);
}

/// Where there is no place left for another call to Sunmi.
#[tokio::test]
async fn to_join_a_refund_or_to_repeat_it_needs_no_place() {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__UPSTREAM__MAX_IN_FLIGHT", "1")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    upstream.next(REFUND, calls::refunded());
    refund(&server, calls::refund("done")).await.unwrap();
    let (answer, release) = held(&calls::refunded());
    upstream.next(REFUND, answer);
    let mut client = server.client().await;
    let first = tokio::spawn(async move { settle(client.refund(calls::refund("held"))).await });
    upstream.has_seen(2).await;

    let failure = refund(&server, of_payment("P2", "other")).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::ResourceExhausted, "OVERLOADED", "NOT_ATTEMPTED"));
    assert!(refund(&server, calls::refund("done")).await.unwrap().replayed);
    // It waits for the one under way, and looks for nothing meanwhile.
    let failure = refund_within(&server, calls::refund("held"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    let join = refund(&server, calls::refund("held"));
    let (joined, sent) = tokio::join!(join, async {
        release.send(()).unwrap();
        first.await.unwrap().unwrap()
    });
    assert!(!sent.replayed);
    assert_eq!(joined.unwrap(), pb::RefundResponse { replayed: true, ..sent });
    assert_eq!(upstream.take_paths(), [REFUND, REFUND]);
}

#[tokio::test]
async fn a_refund_that_is_looked_for_takes_nobody_elses_place() {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__UPSTREAM__MAX_IN_FLIGHT", "1")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    upstream.always(QUERY, calls::not_found());
    upstream.next(REFUND, Answer::BytesThenReset(vec![]));
    let mut client = server.client().await;
    let doubtful = tokio::spawn(async move { settle(client.refund(calls::refund("R1"))).await });
    // The refund, and the first look for it.
    upstream.has_seen(2).await;

    upstream.next(REFUND, calls::refunded());
    let refunded = refund(&server, of_payment("P2", "R2")).await.unwrap();
    assert!(!refunded.replayed);
    doubtful.abort();
}

#[tokio::test]
async fn a_refund_outlives_its_callers_deadline_and_a_repeat_is_told_how_it_ended() {
    let (upstream, server) = start().await;
    let (answer, release) = held(&calls::refunded());
    upstream.next(REFUND, answer);
    let failure = refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    assert_eq!(failure.next_step, "REPEAT_SAME_REFUND");
    assert!(failure.retry_delay.is_some());
    release.send(()).unwrap();
    let again = refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!(again.state(), TradeState::Succeeded);
    assert_eq!((again.evidence(), again.replayed), (RefundEvidence::Reply, true));
    assert_eq!(upstream.take_paths(), [REFUND]);
}
