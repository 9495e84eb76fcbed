//! A server is asked to stop.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::api::pb::{RefundEvidence, RefundResponse, TradeState};
use sunmi_trade::ledger::State;
use sunmi_trade::sandbox::faults::Answer;
use sunmi_trade::trade::Evidence;
use tokio::task::JoinHandle;
use tonic::Status;

use crate::calls::{UNKNOWN, refund, refusal, refused, request, succeeded};
use crate::process::{Server, until};
use crate::world::World;

/// A server that is at a refund, `R1`, which takes its time.
async fn at_a_refund() -> (World, Server, JoinHandle<Result<RefundResponse, Status>>) {
    let mut world = World::on_a_file().await;
    world.give(Duration::from_secs(20));
    world.set("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "19s");
    world.spoil(false, 1_000, Answer::Normal);
    let server = world.start().await;
    let address = server.grpc;
    let call = tokio::spawn(async move { refund(address, "R1").await });
    until("a refund under way", async || (world.sent("R1") == 1).then_some(())).await;
    (world, server, call)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_under_way_is_waited_for() {
    let (world, mut server, call) = at_a_refund().await;
    server.ask_to_stop();
    succeeded(&call.await.unwrap(), RefundEvidence::Reply, false);
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(world.row("R1").await.unwrap().state, State::Settled);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_whose_caller_went_away_is_waited_for() {
    let (world, mut server, call) = at_a_refund().await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    server.ask_to_stop();
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(world.row("R1").await.unwrap().state, State::Settled);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}

/// Refunds, one after the other over one connection, until the server takes no more; gives
/// those that were answered, and the last, which was not.
async fn refunds_until_refused(server: SocketAddr, caller: usize) -> (Vec<String>, String) {
    let mut client = TradeServiceClient::connect(format!("http://{server}")).await.unwrap();
    let mut answered = Vec::new();
    loop {
        let number = format!("R{caller}-{}", answered.len());
        match client.refund(request(&number)).await {
            Ok(told) => {
                assert_eq!(told.into_inner().state(), TradeState::Succeeded);
                answered.push(number);
            }
            Err(status) => {
                assert_eq!(refusal(&status), None, "{number} was accepted: {status:?}");
                return (answered, number);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn under_load_every_refund_that_was_accepted_is_answered() {
    let world = World::on_a_file().await;
    let mut server = world.start().await;
    let address = server.grpc;
    let callers: Vec<_> =
        (0..12).map(|caller| tokio::spawn(refunds_until_refused(address, caller))).collect();
    until("load", async || (world.executions() > 100).then_some(())).await;
    server.ask_to_stop();
    let mut answered = 0;
    for caller in callers {
        let (numbers, refused) = caller.await.unwrap();
        answered += numbers.len();
        // It was not accepted: nobody knows of it.
        assert_eq!((world.sent(&refused), world.row(&refused).await.map(|_| ())), (0, None));
    }
    assert_eq!(server.ended().await.code(), Some(0));
    assert_eq!(answered, world.executions());
    assert!(server.log().contains("all_answered=true all_refunds_finished=true"));
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
async fn a_stop_does_not_wait_for_a_caller_that_takes_nothing() {
    let world = World::on_a_file().await;
    let mut server = world.start().await;
    // It greets and never answers again, and would be waited for as long as the drain is.
    let mut silent = TcpStream::connect(server.grpc).unwrap();
    let greeting = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    silent.write_all(greeting).unwrap();
    silent.read_exact(&mut [0; 9]).unwrap();
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    server.ask_to_stop();
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(
        server.log().contains("all_answered=true all_refunds_finished=true"),
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
