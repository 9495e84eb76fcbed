//! A server is asked to stop.

use std::net::TcpStream;
use std::time::Duration;

use sunmi_trade::api::pb::RefundEvidence;
use sunmi_trade::ledger::State;
use sunmi_trade::sandbox::faults::Answer;
use sunmi_trade::trade::Evidence;

use crate::calls::{UNKNOWN, refund, refused, succeeded};
use crate::process::until;
use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_under_way_is_waited_for() {
    let mut world = World::on_a_file().await;
    world.give(Duration::from_secs(20));
    world.set("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "19s");
    world.spoil(false, 1_000, Answer::Normal);
    let mut server = world.start().await;
    let address = server.grpc;
    let call = tokio::spawn(async move { refund(address, "R1").await });
    until("a refund under way", async || (world.sent("R1") == 1).then_some(())).await;
    server.ask_to_stop();
    succeeded(&call.await.unwrap(), RefundEvidence::Reply, false);
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(world.row("R1").await.unwrap().state, State::Settled);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_caller_went_away_is_waited_for() {
    let mut world = World::on_a_file().await;
    world.give(Duration::from_secs(20));
    world.set("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "19s");
    world.spoil(false, 1_000, Answer::Normal);
    let mut server = world.start().await;
    let address = server.grpc;
    let call = tokio::spawn(async move { refund(address, "R1").await });
    until("a refund under way", async || (world.sent("R1") == 1).then_some(())).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    server.ask_to_stop();
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(world.row("R1").await.unwrap().state, State::Settled);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_left_in_doubt_is_the_next_process_s() {
    let world = World::on_a_file().await;
    world.sandbox.with_book(|book| book.set_refunds_queryable(false));
    world.spoil(true, 0, Answer::Close);
    let mut server = world.start().await;
    refused(&refund(server.grpc, "R1").await, UNKNOWN);
    assert_eq!(server.metric("sunmi_refund_unknown_outcome"), 1);
    server.ask_to_stop();
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(world.row("R1").await.unwrap().state, State::InDoubt);

    world.sandbox.with_book(|book| book.set_refunds_queryable(true));
    let server = world.start().await;
    let row = world.at_rest("R1").await;
    assert_eq!((row.state, row.answer.unwrap().evidence), (State::Settled, Evidence::Query));
    assert_eq!(server.metric("sunmi_refund_unknown_outcome"), 0);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_takes_no_longer_than_its_drain() {
    let world = World::on_a_file().await;
    let mut server = world.start().await;
    // It never speaks, and would be waited for for ever.
    let silent = TcpStream::connect(server.grpc).unwrap();
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    server.ask_to_stop();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(
        server.log().contains("all_answered=false all_refunds_finished=true"),
        "{}",
        server.log()
    );
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn asked_twice_it_stops_at_once() {
    let mut world = World::on_a_file().await;
    world.set("SUNMI_TRADE__SHUTDOWN__DELAY", "10m");
    world.set("SUNMI_TRADE__SHUTDOWN__GRACE", "20m");
    let mut server = world.start().await;
    server.ask_to_stop();
    until("a shutdown", async || server.log().contains("shutting down").then_some(())).await;
    assert_eq!(server.get("/readyz").0, 503);
    server.ask_to_stop();
    assert_eq!(server.ended().await.code(), Some(1));
}
