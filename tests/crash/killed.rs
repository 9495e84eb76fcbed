//! A server on a file is killed with a refund under way. The next one finds out what became
//! of it.

use sunmi_trade::api::pb::RefundEvidence;
use sunmi_trade::ledger::State;
use sunmi_trade::sandbox::faults::Answer;

use crate::calls::{NOT_APPLIED, UNKNOWN, refund, refusal, refused, succeeded};
use crate::process::until;
use crate::world::{World, events};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_executed_is_found_and_not_sent_again() {
    let world = World::on_a_file().await;
    world.spoil(true, 0, Answer::Hang);
    let server = world.start().await;
    let address = server.grpc;
    let call = tokio::spawn(async move { refund(address, "R1").await });
    world.reached("R1", true).await;
    let log = server.kill();
    assert_eq!(refusal(&call.await.unwrap().unwrap_err()), None, "nothing definite was said");
    assert_eq!(events(&log, "R1")[0], "claimed");
    world.keeps_secrets(&log);

    let server = world.start().await;
    // Nobody asks for it: the server itself looks.
    let row = world.at_rest("R1").await;
    assert_eq!((row.state, row.epoch), (State::Settled, 1));
    for _ in 0..2 {
        succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Query, true);
    }
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
    let log = server.kill();
    assert_eq!(events(&log, "R1"), ["in_doubt", "settled"]);
    world.keeps_secrets(&log);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_lost_is_judged_and_then_executed_once() {
    let world = World::on_a_file().await;
    world.spoil(false, 0, Answer::Hang);
    let server = world.start().await;
    let address = server.grpc;
    let call = tokio::spawn(async move { refund(address, "R1").await });
    world.reached("R1", false).await;
    let first = world.row("R1").await.unwrap();
    server.kill();
    assert!(call.await.unwrap().is_err());

    let server = world.start().await;
    refused(&refund(server.grpc, "R1").await, UNKNOWN);
    assert_eq!(world.sent("R1"), 1, "sent again before anything was known");
    let told = until("a definite answer", async || {
        let told = refund(server.grpc, "R1").await;
        let Err(status) = &told else { return Some(told) };
        match refusal(status).expect("an answer of this server's") {
            (_, reason, _) if reason == UNKNOWN.1 => {}
            _ => refused(&told, NOT_APPLIED),
        }
        assert_eq!(world.executed("R1"), 0, "said before it was sent again");
        None
    })
    .await;
    succeeded(&told, RefundEvidence::Reply, false);
    assert_eq!((world.sent("R1"), world.executed("R1")), (2, 1));
    let second = world.row("R1").await.unwrap();
    assert_eq!((second.state, second.epoch), (State::Settled, 2));
    assert!(second.claimed_at >= first.lease_until + 200, "sent again within the settle window");
    let log = server.kill();
    assert_eq!(events(&log, "R1"), ["in_doubt", "not_applied", "claimed", "settled"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_server_on_the_file_says_so_and_ends() {
    let world = World::on_a_file().await;
    let server = world.start().await;
    let second = crate::process::run(world.env(), &["serve"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8(second.stderr).unwrap();
    assert!(
        said.contains("ledger.db") && said.contains("another process serves from it"),
        "{said}"
    );
    // The first one has not noticed.
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
}
