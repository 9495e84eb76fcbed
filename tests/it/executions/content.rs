//! A number and its content.

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::TradeState;
use sunmi_trade::sandbox::faults::Answer as Spoilt;
use tonic::Code;

use super::world::{HASTY, World, of_payment};
use crate::calls::{self, code};
use crate::failure::{Failure, IN_DOUBT};
use crate::server::{BRIEF, Server, refund, refund_within, settings, settle, with};
use crate::upstream::{QUERY, REFUND, Upstream, held};

const REUSED: (Code, &str, &str) =
    (Code::FailedPrecondition, "REFUND_ORDER_ID_REUSED", "NOT_ATTEMPTED");
const NOT_APPLIED: (Code, &str, &str) = (Code::Aborted, "REFUND_NOT_APPLIED", "NOT_APPLIED");

fn reused(answer: Result<pb::RefundResponse, Failure>, fields: &[&str]) {
    let failure = answer.unwrap_err();
    assert_eq!((failure.verdict(), failure.fields()), (REUSED, fields.to_vec()));
}

/// Execution a: a look for the first attempt is slow, and comes back when the number would long
/// stand for another payment, if it could.
#[tokio::test]
async fn a_slow_look_for_one_content_never_settles_another() {
    let upstream = Upstream::start().await;
    let server = Server::start(&with(settings(upstream.address), &HASTY)).await;
    let (found, release) = held(&calls::refunded());
    upstream.next(REFUND, code("S03", "")).next(QUERY, found).always(QUERY, calls::not_found());
    upstream.next(REFUND, calls::refunded());
    let mut client = server.client().await;
    let first = tokio::spawn(async move { settle(client.refund(calls::refund("R1"))).await });
    // The refund, and the look that is held.
    upstream.has_seen(2).await;
    reused(refund(&server, of_payment("P2", "R1")).await, &["original"]);
    release.send(()).unwrap();
    assert_eq!(first.await.unwrap().unwrap().state(), TradeState::Succeeded);
    reused(refund(&server, of_payment("P2", "R1")).await, &["original"]);
    assert_eq!(upstream.sends(), 1);
}

/// Executions a and l: not even once it is judged not to have been applied does a number take
/// another content, and whoever waits for the one is told nothing of the other.
#[tokio::test]
async fn a_number_that_was_judged_not_applied_still_stands_for_its_content() {
    let world = World::start(&HASTY).await;
    world.spoil(false, Spoilt::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    let waits = refund(&world.server, calls::refund("R1"));
    let (waited, ()) = tokio::join!(waits, async {
        world.step(60_000).await;
        reused(refund(&world.server, of_payment("P2", "R1")).await, &["original"]);
    });
    assert_eq!(waited.unwrap_err().verdict(), NOT_APPLIED);
    let other_amount = pb::RefundRequest { amount_minor: 99, ..calls::refund("R1") };
    reused(refund(&world.server, other_amount).await, &["amount_minor"]);
    reused(refund(&world.server, of_payment("P2", "R1")).await, &["original"]);
    assert_eq!((world.sends("R1"), world.executions("R1")), (1, 0));
    refund(&world.server, calls::refund("R1")).await.unwrap();
    assert_eq!((world.sends("R1"), world.executions("R1")), (2, 1));
}

/// Execution q: whoever repeats to learn what happened is told that first.
#[tokio::test]
async fn a_judgement_behind_the_callers_back_is_told_before_anything_is_sent_anew() {
    let world = World::start(&HASTY).await;
    world.spoil(false, Spoilt::Reset);
    refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    world.step(60_000).await;
    // By the resolver, with no call under way.
    world.becomes("R1", "not_applied").await;
    let failure = refund(&world.server, calls::refund("R1")).await.unwrap_err();
    assert_eq!((failure.verdict(), world.sends("R1")), (NOT_APPLIED, 1));
    assert_eq!(failure.next_step, "REPEAT_SAME_REFUND");
    let made = refund(&world.server, calls::refund("R1")).await.unwrap();
    assert_eq!((made.state(), made.replayed), (TradeState::Succeeded, false));
    assert_eq!((world.sends("R1"), world.executions("R1")), (2, 1));
}

/// Execution g: a row that retention has emptied still knows its content by its hash.
#[tokio::test]
async fn an_emptied_row_answers_for_its_own_content_alone() {
    let world = World::start(&[("SUNMI_TRADE__REFUND__RETENTION", "1d")]).await;
    refund(&world.server, calls::refund("R1")).await.unwrap();
    // The purge comes with the start.
    let world = world.restart(&super::world::stepped(2 * 86_400_000), &[]).await;
    let emptied = "SELECT CAST(COUNT(*) AS TEXT) FROM refunds WHERE amount IS NULL";
    let give_up = tokio::time::Instant::now() + crate::server::GUARD;
    while world.read(emptied).await == "0" {
        assert!(tokio::time::Instant::now() < give_up, "it is not emptied");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    reused(refund(&world.server, of_payment("P2", "R1")).await, &["original"]);
    let other_amount = pb::RefundRequest { amount_minor: 99, ..calls::refund("R1") };
    let which = ["msn", "amount_minor", "business_id"];
    reused(refund(&world.server, other_amount).await, &which);
    let same = refund(&world.server, calls::refund("R1")).await.unwrap();
    assert_eq!((same.state(), same.replayed), (TradeState::Succeeded, true));
    assert_eq!(world.sends("R1"), 1);
}
