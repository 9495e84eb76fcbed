//! What was there before the refund, and what comes after it.

use sunmi_trade::sandbox::faults::Answer;

use super::world::{HASTY, World};
use crate::calls;
use crate::failure::IN_DOUBT;
use crate::measures::{measure, until};
use crate::server::{BRIEF, refund, refund_within, side_by_side};

/// Execution h: the number was used before this ledger was kept. The look before the send finds
/// that; nobody but a person can tell whose it is.
#[tokio::test]
async fn a_refund_that_was_there_before_the_ledger_is_not_this_one() {
    side_by_side(["3", "5", "1"], async |state| {
        let world = World::start(&[]).await;
        world.past("R1", state);
        for answer in ["D11", "E22"] {
            world.spoil(false, Answer::Code(answer.to_owned()));
            let failure =
                refund_within(&world.server, calls::refund("R1"), BRIEF).await.expect_err(state);
            assert_eq!(failure.verdict(), IN_DOUBT, "{state}");
        }
        assert_eq!(world.sends("R1"), 0, "{state}");
        assert_eq!(measure(&world.server, "sunmi_refund_needs_person").await, 1, "{state}");
        assert_eq!(world.state("R1").await, "in_doubt", "{state}");
    })
    .await;
}

/// Execution m: a refund that had settled is returned, so the total is what it was before the
/// next one, which is executed and not found by its number.
#[tokio::test]
async fn a_refund_does_not_hide_behind_one_that_was_returned() {
    let world = World::start(&HASTY).await;
    refund(&world.server, calls::refund("R0")).await.unwrap();
    world.hide("R1");
    world.spoil(true, Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    world.sandbox.with_book(|book| book.return_refund("R0", false, 0)).unwrap();
    world.step(60_000).await;
    until(&world.server, "sunmi_refund_needs_person", |persons| persons == 1).await;
    for _ in 0..2 {
        let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
        assert_eq!(failure.verdict(), IN_DOUBT);
    }
    assert_eq!((world.sends("R1"), world.executions("R1")), (1, 1));
    assert_eq!(world.state("R1").await, "in_doubt");
}
