//! What a payment's total shows, and what it does not: the executions of the drafts.

use sunmi_trade::api::pb::TradeState;
use sunmi_trade::sandbox::book::Course;
use sunmi_trade::sandbox::faults::Answer;

use super::world::{HASTY, World, of_payment};
use crate::calls;
use crate::failure::IN_DOUBT;
use crate::measures::until;
use crate::server::{BRIEF, refund, refund_within};

/// Of the drafts: a refund that Sunmi accepted is in no total yet, and is not found by its number.
#[tokio::test]
async fn what_sunmi_accepted_is_never_judged_absent() {
    let world = World::start(&HASTY).await;
    world.hide("R1");
    world.sandbox.with_book(|book| book.settings_mut().total_lag_ms = i64::MAX / 4);
    world.sandbox.with_book(|book| book.set_course(Course { seconds: 3600, fails: false }));
    let accepted = refund(&world.server, calls::refund("R1")).await.unwrap();
    assert_eq!(accepted.state(), TradeState::Created);
    world.step(4 * 86_400_000).await;
    world.looks("R1", 1).await;
    // Not within days, either: then it is for a person.
    until(&world.server, "sunmi_refund_needs_person", |persons| persons == 1).await;
    let again = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap();
    assert_eq!((again.state(), again.replayed), (TradeState::Created, true));
    assert_eq!((world.state("R1").await.as_str(), world.sends("R1")), ("processing", 1));
}

/// Of the drafts: two equal partial refunds, one right after the other, under a total that trails.
/// The second is executed; when the first shows in the total, it may not be taken for a total that
/// the second is missing in.
#[tokio::test]
async fn the_second_of_two_equal_refunds_is_not_missed_in_a_total_that_trails() {
    let env = [("SUNMI_TRADE__REFUND__SETTLE_WINDOW", "4s"), ("SUNMI_TRADE__REFUND__LAG", "3s")];
    let world = World::start(&env).await;
    world.sandbox.with_book(|book| book.settings_mut().total_lag_ms = 2500);
    world.hide("R2");
    refund(&world.server, calls::refund("R1")).await.unwrap();
    world.spoil(true, Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R2"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    // Its lease is over, so that the window alone is waited for.
    world.sql("UPDATE refunds SET lease_until = changed_at").await;
    until(&world.server, "sunmi_refund_needs_person", |persons| persons == 1).await;
    assert_eq!(world.state("R2").await, "in_doubt");
    assert_eq!((world.sends("R2"), world.executions("R2")), (1, 1));
}

/// Of the drafts: a refund that was acknowledged holds nothing up when the next one comes; a third
/// has to name it all the same.
#[tokio::test]
async fn every_open_refund_of_the_payment_has_to_be_acknowledged() {
    let world = World::start(&[]).await;
    let with = |number: &str, open: &[&str]| {
        let mut request = of_payment("P1", number);
        request.acknowledged_open_order_ids = open.iter().map(|id| (*id).to_owned()).collect();
        request
    };
    for (number, open) in [("R1", &[][..]), ("R2", &["R1"])] {
        world.hide(number);
        world.spoil(true, Answer::Reset);
        let failure = refund_within(&world.server, with(number, open), BRIEF).await.unwrap_err();
        assert_eq!(failure.verdict(), IN_DOUBT, "{number}");
    }
    for (open, missing) in [(&["R2"][..], "R1"), (&["R1"], "R2")] {
        let failure = refund_within(&world.server, with("R3", open), BRIEF).await.unwrap_err();
        assert_eq!(failure.reason, "REFUND_IN_FLIGHT", "{open:?}");
        assert_eq!(failure.info["openOrderId"], missing);
    }
    assert_eq!(world.sends("R3"), 0);
    let made = refund(&world.server, with("R3", &["R2", "R1"])).await.unwrap();
    assert_eq!((made.state(), world.executions("R3")), (TradeState::Succeeded, 1));
}
