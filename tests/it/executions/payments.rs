//! One unknown refund of a payment at a time.

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::TradeState;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use tonic::Code;

use super::world::{World, of_payment, refund_fault};
use crate::calls;
use crate::failure::{Failure, IN_DOUBT};
use crate::server::{BRIEF, refund, refund_within, settle};

fn assert_in_flight(failure: &Failure, open: &str) {
    let expected = (Code::FailedPrecondition, "REFUND_IN_FLIGHT", "NOT_ATTEMPTED");
    assert_eq!(failure.verdict(), expected);
    assert_eq!(failure.next_step, "RESOLVE_OPEN_REFUND");
    assert_eq!(failure.info["openOrderId"], open);
    assert!(failure.retry_delay.is_some());
    assert_eq!(failure.attempts(), Some(0));
}

/// A refund of `P1` by a name of another kind.
fn by(original: Original, number: &str) -> pb::RefundRequest {
    pb::RefundRequest { original: Some(original), ..calls::refund(number) }
}

/// Execution p: a new number for a payment whose refund is in doubt, by whatever name of the
/// payment, in either order.
#[tokio::test]
async fn a_second_refund_of_a_payment_is_not_sent_while_the_first_is_in_doubt() {
    let names = [
        Original::OriOrderId("P1".to_owned()),
        Original::OriMisId("P1-MIS".to_owned()),
        Original::OriPlatformId("P1-PLATFORM".to_owned()),
    ];
    let world = World::start(&[]).await;
    for (at, first) in names.iter().enumerate() {
        for (other, second) in names.iter().enumerate() {
            let (open, new) = (format!("R{at}{other}"), format!("N{at}{other}"));
            world.spoil(false, Answer::Reset);
            world.hide(&open);
            let first = by(first.clone(), &open);
            let failure = refund_within(&world.server, first.clone(), BRIEF).await.unwrap_err();
            assert_eq!(failure.verdict(), IN_DOUBT, "{open}");
            let new_one = by(second.clone(), &new);
            let failure = refund_within(&world.server, new_one.clone(), BRIEF).await.unwrap_err();
            assert_in_flight(&failure, &open);
            assert_eq!(world.sends(&new), 0, "{new}");
            // Of another payment it is in nobody's way.
            refund(&world.server, of_payment("P2", &format!("X{at}{other}"))).await.unwrap();
            // Whoever knows of the first may go on; that is no part of the second's content.
            let known = pb::RefundRequest {
                acknowledged_open_order_ids: vec![open.clone()],
                ..new_one.clone()
            };
            let made = refund(&world.server, known).await.unwrap();
            assert_eq!(made.state(), TradeState::Succeeded, "{new}");
            assert!(refund(&world.server, new_one).await.unwrap().replayed, "{new}");
            world
                .sql("UPDATE refunds SET state = 'not_applied', told = 1 WHERE state = 'in_doubt'")
                .await;
        }
    }
}

/// Execution p, where the first comes to an end in time.
#[tokio::test]
async fn a_second_refund_waits_for_the_first_and_then_goes_on() {
    let world = World::start(&[]).await;
    world.sandbox.spoil(Fault { answer_delay_ms: 700, ..refund_fault(Answer::Normal) });
    let mut client = world.server.client().await;
    let first = tokio::spawn(async move { settle(client.refund(calls::refund("R1"))).await });
    while world.sends("R1") == 0 {
        tokio::task::yield_now().await;
    }
    let by_register = by(Original::OriMisId("P1-MIS".to_owned()), "R2");
    let second = refund(&world.server, by_register).await.unwrap();
    assert_eq!((second.state(), second.replayed), (TradeState::Succeeded, false));
    // The first was over by then.
    let sent = world.sandbox.calls();
    assert!(
        first.is_finished() && sent.iter().filter(|it| it.form.contains_key("amount")).count() == 2
    );
    assert_eq!(first.await.unwrap().unwrap().state(), TradeState::Succeeded);
}

/// What Sunmi accepted is known to happen, and blocks nobody.
#[tokio::test]
async fn a_refund_in_processing_is_in_nobodys_way() {
    let world = World::start(&[]).await;
    let course = sunmi_trade::sandbox::book::Course { seconds: 3600, fails: false };
    world.sandbox.with_book(|book| book.set_course(course));
    for number in ["R1", "R2"] {
        let made = refund(&world.server, calls::refund(number)).await.unwrap();
        assert_eq!(made.state(), TradeState::Created);
    }
}
