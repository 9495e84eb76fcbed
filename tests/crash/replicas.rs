//! Several servers on one PostgreSQL. Those are killed that have a refund under way.

use sunmi_trade::api::pb::RefundEvidence;
use sunmi_trade::ledger::State;
use sunmi_trade::sandbox::faults::Answer;

use crate::calls::{NOT_APPLIED, UNKNOWN, refund, refund_beside, refused, succeeded};
use crate::postgres::Database;
use crate::process::until;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn another_replica_finds_out_what_became_of_refunds() {
    let Some(database) = Database::new().await else { return };
    let world = World::on(&database).await;
    // One each: refunds of one payment wait for each other within one process.
    let (dies, dies_too) = (world.start().await, world.start().await);
    let lives = world.start().await;
    let (address, other) = (dies.grpc, dies_too.grpc);
    world.spoil(true, 0, Answer::Hang);
    let happens = tokio::spawn(async move { refund(address, "HAPPENED").await });
    world.reached("HAPPENED", true).await;
    world.spoil(false, 0, Answer::Hang);
    let is_lost = tokio::spawn(async move { refund_beside(other, "LOST", "HAPPENED").await });
    world.reached("LOST", false).await;
    dies.kill();
    dies_too.kill();
    assert!(happens.await.unwrap().is_err() && is_lost.await.unwrap().is_err());

    // Their owner may still be alive, as far as the other replica can know.
    refused(&refund(lives.grpc, "HAPPENED").await, UNKNOWN);
    assert_eq!((world.sent("HAPPENED"), world.sent("LOST")), (1, 1));
    let row = world.at_rest("HAPPENED").await;
    assert_eq!((row.state, row.epoch), (State::Settled, 1));
    succeeded(&refund(lives.grpc, "HAPPENED").await, RefundEvidence::Query, true);
    assert_eq!((world.sent("HAPPENED"), world.executed("HAPPENED")), (1, 1));

    let row = world.at_rest("LOST").await;
    assert_eq!((row.state, row.epoch), (State::NotApplied, 1));
    assert!(row.changed_at >= row.lease_until + 200, "judged within the settle window");
    // A repeat asks before it acts.
    refused(&refund(lives.grpc, "LOST").await, NOT_APPLIED);
    succeeded(&refund(lives.grpc, "LOST").await, RefundEvidence::Reply, false);
    assert_eq!((world.sent("LOST"), world.executed("LOST")), (2, 1));
    drop(lives);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_under_way_is_joined_from_another_replica() {
    let Some(database) = Database::new().await else { return };
    let world = World::on(&database).await;
    world.spoil(false, 500, Answer::Normal);
    let (one, other) = (world.start().await, world.start().await);
    let (at_one, at_other) = (one.grpc, other.grpc);
    let sends = tokio::spawn(async move { refund(at_one, "R1").await });
    until("a refund under way", async || (world.sent("R1") == 1).then_some(())).await;
    let joins = tokio::spawn(async move { refund(at_other, "R1").await });
    succeeded(&sends.await.unwrap(), RefundEvidence::Reply, false);
    succeeded(&joins.await.unwrap(), RefundEvidence::Reply, true);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
    drop((one, other));
}
