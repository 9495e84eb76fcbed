//! What Sunmi, or something in between, answers to a refund, and what that does not prove.

use serde_json::json;
use sunmi_trade::api::pb::{RefundEvidence, TradeState};
use sunmi_trade::sandbox::book::{Originals, Patch};
use sunmi_trade::sandbox::faults::{Answer, Fault, HttpAnswer, Turn};

use super::world::{HASTY, World, refund_fault};
use crate::calls;
use crate::failure::IN_DOUBT;
use crate::server::{BRIEF, refund, refund_within, side_by_side};

fn patch(patch: serde_json::Value) -> Patch {
    serde_json::from_value(patch).unwrap()
}

/// The refund is in doubt for its caller, repeats and all, and was executed and sent once.
async fn assert_in_doubt(world: &World, name: &str) {
    for _ in 0..2 {
        let answer = refund_within(&world.server, calls::refund("R1"), BRIEF).await;
        assert_eq!(answer.expect_err(name).verdict(), IN_DOUBT, "{name}");
    }
    assert_eq!((world.sends("R1"), world.executions("R1")), (1, 1), "{name}");
}

/// Execution b: a proxy executes the refund at Sunmi and refuses Sunmi's answer.
#[tokio::test]
async fn what_a_proxy_answers_to_an_executed_refund_is_no_refusal() {
    let status = |status| HttpAnswer::of(status);
    let table = [
        ("403", status(403)),
        ("404", status(404)),
        ("401", status(401)),
        ("413", status(413)),
        ("a gzipped 400", HttpAnswer { reply: true, gzip: true, ..status(400) }),
        ("a cut 400", HttpAnswer { reply: true, cut: true, ..status(400) }),
    ];
    side_by_side(table, async |(name, answer)| {
        let world = World::start(&[]).await;
        world.hide("R1");
        world.spoil(true, Answer::Http(answer));
        assert_in_doubt(&world, name).await;
    })
    .await;
}

/// Execution e: something in between repeats the request, and the answer to the second copy comes
/// back, a refusal. The number is not found; the payment's total has the first.
#[tokio::test]
async fn a_refusal_of_the_second_copy_of_a_request_is_not_believed() {
    side_by_side([Some("E22"), Some("R03"), None], async |code| {
        let name = format!("{code:?}");
        let world = World::start(&HASTY).await;
        world.hide("R1");
        let second = Fault {
            execute: true,
            repeats: 1,
            answer_of: Turn::Last,
            ..refund_fault(Answer::Normal)
        };
        match code {
            Some(code) => world.spoil(true, Answer::Code(code.to_owned())),
            None => {
                // Without a code of the script: the payment has too little left for both.
                world.sandbox.with_book(|book| book.refund_on_device("P1", 9_850, 0)).unwrap();
                world.sandbox.spoil(second);
            }
        }
        assert_in_doubt(&world, &name).await;
    })
    .await;
}

/// Execution e: the second copy is kept as an order that failed, under the same number.
#[tokio::test]
async fn a_failed_order_of_the_second_copy_does_not_make_the_refund_failed() {
    let world = World::start(&HASTY).await;
    world.sandbox.with_book(|book| book.refund_on_device("P1", 9_850, 0)).unwrap();
    world.sandbox.spoil(Fault {
        execute: true,
        repeats: 1,
        answer_of: Turn::Last,
        with: patch(json!({"keep_refused": true})),
        ..refund_fault(Answer::Reset)
    });
    assert_in_doubt(&world, "kept as failed").await;
}

/// Execution i: the answer names another payment as its original. It is another call's.
#[tokio::test]
async fn an_answer_about_another_payment_does_not_settle_the_refund() {
    let world = World::start(&HASTY).await;
    world.hide("R1");
    world.sandbox.with_book(|book| book.settings_mut().echo_originals = Originals::Other);
    assert_in_doubt(&world, "another original").await;
}

/// Execution s: what Sunmi said of a refund in doubt is told to every repeat.
#[tokio::test]
async fn repeats_are_told_what_sunmi_said() {
    for code in ["D11", "T04"] {
        let world = World::start(&[]).await;
        world.hide("R1");
        world.spoil(true, Answer::Code(code.to_owned()));
        for _ in 0..3 {
            let failure =
                refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
            assert_eq!(failure.verdict(), IN_DOUBT, "{code}");
            assert_eq!(failure.sunmi_code.as_deref(), Some(code));
        }
        let kept = world.read("SELECT doubt FROM refunds").await;
        assert!(kept.contains(code), "{kept}");
    }
}

/// Execution k: over the order that a refused attempt left under the number nothing is sent, so
/// that its state is never taken for a later attempt's.
#[tokio::test]
async fn over_an_order_that_a_refused_attempt_left_nothing_is_sent() {
    let world = World::start(&HASTY).await;
    world.sandbox.spoil(Fault {
        execute: true,
        with: patch(json!({"refuse_with": "E01", "keep_refused": true})),
        ..refund_fault(Answer::Normal)
    });
    let failure = refund(&world.server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(failure.verdict().1, "MERCHANT_NOT_FOUND");
    for _ in 0..2 {
        let failed = refund(&world.server, calls::refund("R1")).await.unwrap();
        assert_eq!(
            (failed.state(), failed.evidence()),
            (TradeState::Failed, RefundEvidence::Query)
        );
    }
    assert_eq!((world.sends("R1"), world.executions("R1")), (1, 0));
}

/// Execution k: the request that the first key signed is refused and kept as a failed order, and
/// there is a second key. It is not sent with that, so there is no second send to believe it of.
#[tokio::test]
async fn a_refund_is_not_sent_with_the_second_key_over_the_failed_order_of_the_first() {
    let world = World::start(&[("SUNMI_TRADE_APP_KEY", "old key\nnew key")]).await;
    world.sandbox.spoil(Fault {
        execute: true,
        with: patch(json!({"refuse_with": "E05", "keep_refused": true})),
        ..refund_fault(Answer::Normal)
    });
    // What the second send would be.
    world.spoil(true, Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!((failure.verdict().1, failure.verdict().2), ("SIGNATURE_REJECTED", "NOT_APPLIED"));
    assert_eq!((world.sends("R1"), world.executions("R1")), (1, 0));
}
