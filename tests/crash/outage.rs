//! The ledger is lost while a server serves from it.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use sunmi_trade::api::pb::RefundEvidence;
use sunmi_trade::ledger::{Location, State};

use crate::calls::{NO_LEDGER, query, refund, refused, succeeded, swipe_query};
use crate::postgres::Database;
use crate::process::{Server, until};
use crate::proxy::Proxy;
use crate::world::World;

/// Reads do not need the ledger.
async fn reads(server: &Server) {
    assert!(query(server.grpc).await.unwrap().refunded_minor.is_some());
    assert_eq!(swipe_query(server.grpc).await.unwrap().amount_minor, Some(8_800));
    assert_eq!(server.get("/readyz").0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_postgres_reads_are_answered_and_no_refund_is_sent() {
    let Some(database) = Database::new().await else { return };
    let proxy = Proxy::of(&database.url()).await;
    let mut world = World::on(&database).await;
    world.give(Duration::from_secs(20));
    world.set("SUNMI_TRADE__REFUND__LEDGER", &proxy.url(&database.url()));
    let server = world.start().await;
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);

    proxy.stop();
    reads(&server).await;
    for number in ["R1", "R2"] {
        refused(&refund(server.grpc, number).await, NO_LEDGER);
    }
    assert_eq!(server.metric("sunmi_ledger_up"), 0);
    assert!(!server.get("/metrics").1.contains("sunmi_refund_unknown_outcome"));
    reads(&server).await;
    assert_eq!((world.sent("R1"), world.sent("R2")), (1, 0));

    // Whoever comes back finds a server that has not given up.
    proxy.start();
    succeeded(&refund(server.grpc, "R2").await, RefundEvidence::Reply, false);
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, true);
    assert_eq!(server.metric("sunmi_ledger_up"), 1);
    assert_eq!(server.metric("sunmi_refund_unknown_outcome"), 0);
    let log = server.kill();
    let password = database.url().password().unwrap_or("-").to_owned();
    assert!(!log.contains(&password), "{log}");
    world.keeps_secrets(&log);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_acknowledgement_is_lost_is_not_sent() {
    let Some(database) = Database::new().await else { return };
    let proxy = Proxy::of(&database.url()).await;
    let mut world = World::on(&database).await;
    world.set("SUNMI_TRADE__REFUND__LEDGER", &proxy.url(&database.url()));
    let server = world.start().await;
    // The first transaction from here on is the claim.
    // The end of a message, so that READ COMMITTED is not one.
    proxy.lose_the_answer_to("COMMIT\0");
    refused(&refund(server.grpc, "R1").await, NO_LEDGER);
    // It was claimed all the same, past the proxy one sees it.
    let row = world.row("R1").await.unwrap();
    assert_eq!((row.state, row.epoch), (State::Claimed, 1));
    proxy.start();
    let row = world.at_rest("R1").await;
    assert_eq!((row.state, row.epoch), (State::NotApplied, 1));
    // Its caller was told that nothing was sent.
    assert_eq!((world.sent("R1"), row.told), (0, true));
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_truth_is_told_though_it_cannot_be_recorded() {
    let Some(database) = Database::new().await else { return };
    let proxy = Proxy::of(&database.url()).await;
    let mut world = World::on(&database).await;
    world.give(Duration::from_secs(4));
    world.set("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "3s");
    world.set("SUNMI_TRADE__REFUND__LEDGER", &proxy.url(&database.url()));
    world.spoil(false, 300, sunmi_trade::sandbox::faults::Answer::Normal);
    let server = world.start().await;
    let address = server.grpc;
    let call = tokio::spawn(async move { refund(address, "R1").await });
    until("a refund under way", async || (world.sent("R1") == 1).then_some(())).await;
    proxy.stop();
    succeeded(&call.await.unwrap(), RefundEvidence::Reply, false);
    assert!(server.log().contains("a refund's record was not written"));
    assert_eq!(world.row("R1").await.unwrap().state, State::Claimed);
    proxy.start();
    // The record is made up for.
    assert_eq!(world.at_rest("R1").await.state, State::Settled);
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, true);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
    drop(server);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_a_file_is_locked_reads_are_answered_and_no_refund_is_sent() {
    let mut world = World::on_a_file().await;
    world.give(Duration::from_secs(60));
    let server = world.start().await;
    let Location::Sqlite(path) = &world.location else { panic!("no file") };
    let mut other =
        SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    reads(&server).await;
    let told = tokio::time::timeout(Duration::from_secs(60), refund(server.grpc, "R1")).await;
    refused(&told.unwrap(), NO_LEDGER);
    assert_eq!(world.sent("R1"), 0);
    reads(&server).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}
