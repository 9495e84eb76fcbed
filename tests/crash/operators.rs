//! What operators see of refunds in doubt, and what they decide, beside a server that goes on.

use std::process::Output;
use std::time::Duration;

use sunmi_trade::api::pb::RefundEvidence;
use sunmi_trade::clock::BootClock;
use sunmi_trade::ledger::{Claim, ClaimRequest, Ledger, Location, Looked, State};
use sunmi_trade::sandbox::faults::Answer;
use sunmi_trade::trade::{Identifier, Note, OrderRef, Refund};

use crate::calls::{
    AMOUNT, NOT_APPLIED, PAYMENT, UNKNOWN, refund, refund_beside, refused, succeeded,
};
use crate::process::{run, until};
use crate::world::{World, events};

/// `sunmi-trade refunds` with these arguments: its exit status, what it printed and what it
/// said.
fn refunds(world: &World, args: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = run(world.env(), &[&["refunds"], args].concat());
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// The same, done.
#[track_caller]
fn done(world: &World, args: &[&str]) -> (String, String) {
    let (code, printed, said) = refunds(world, args);
    assert_eq!(code, Some(0), "{said}");
    (printed, said)
}

/// What a page says under this name.
fn field<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    page.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(' ')?.trim()))
}

/// A decision about a first claim, in Zoë's name.
fn settle<'a>(number: &'a str, how: &[&'a str]) -> Vec<&'a str> {
    let who = ["--by", "Zoë", "--reason", "statement of 1 May"];
    [&["settle", number, "--epoch", "1"], how, &who].concat()
}

/// Claims a refund of this payment past the server, for as long as a lease of this ceiling goes.
async fn claim(ledger: &Ledger, refund: &Refund, ceiling: Duration) {
    let looked = Looked { absent: true, ..Looked::default() };
    let begun = BootClock::default().now();
    let id = refund.order_id.as_str();
    let claimed = ledger.claim(&ClaimRequest { refund, id, looked: &looked, ceiling, begun }).await;
    assert!(matches!(claimed, Ok(Claim::Fresh(..))), "{claimed:?}");
}

/// A refund to be claimed past the server.
fn claimable(app_id: &str, number: &str, payment: &str) -> Refund {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    Refund {
        app_id: id(app_id),
        msn: id("device"),
        amount: AMOUNT,
        original: OrderRef::OrderId(id(payment)),
        order_id: id(number),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_decide_what_cannot_be_found_out() {
    let world = World::on_a_file().await;
    world.sandbox.with_book(|book| book.set_refunds_queryable(false));
    world.spoil(true, 0, Answer::Close);
    let server = world.start().await;
    refused(&refund(server.grpc, "HAPPENED").await, UNKNOWN);
    world.spoil(false, 0, Answer::Close);
    refused(&refund_beside(server.grpc, "LOST", "HAPPENED").await, UNKNOWN);

    assert_eq!(server.metric("sunmi_refund_unknown_outcome"), 2);
    assert_eq!(server.metric("sunmi_refund_processing"), 0);
    let age = || server.metric("sunmi_refund_unresolved_oldest_age_seconds");
    let first = age();
    until("an age that grows", async || (age() > first).then_some(())).await;

    let (listed, _) = done(&world, &["list", "--state", "in_doubt"]);
    let numbers: Vec<_> = listed.lines().map(|line| line.split_whitespace().nth(4)).collect();
    assert_eq!(numbers, [Some("LOST"), Some("HAPPENED")], "{listed}");
    assert_eq!(done(&world, &["list", "--limit", "1"]).0.lines().count(), 1);
    assert_eq!(done(&world, &["list", "--state", "settled"]).0, "");
    // Asking Sunmi once more tells nothing new.
    let (page, _) = done(&world, &["resolve", "HAPPENED"]);
    assert_eq!(
        (field(&page, "state"), field(&page, "amount_minor")),
        (Some("in_doubt"), Some("10"))
    );
    assert_eq!(field(&page, "original"), Some("order_id P"));
    assert!(field(&page, "unresolved").is_some(), "{page}");

    let (page, said) = done(&world, &settle("HAPPENED", &["--succeeded"]));
    assert_eq!(
        (field(&page, "state"), field(&page, "evidence")),
        (Some("settled"), Some("OPERATOR"))
    );
    assert_eq!(events(&said, "HAPPENED"), ["settled"], "{said}");
    let (page, _) = done(&world, &["show", "HAPPENED"]);
    assert_eq!(field(&page, "decided by"), Some("Zoë"));
    assert_eq!(field(&page, "because"), Some("statement of 1 May"));
    succeeded(&refund(server.grpc, "HAPPENED").await, RefundEvidence::Operator, true);
    assert_eq!(world.sent("HAPPENED"), 1);

    let (page, _) = done(&world, &settle("LOST", &["--not-applied", "--force"]));
    assert_eq!(field(&page, "state"), Some("not_applied"));
    assert_eq!(server.metric("sunmi_refund_unknown_outcome"), 0);
    // A repeat asks before it acts.
    refused(&refund(server.grpc, "LOST").await, NOT_APPLIED);
    assert_eq!(world.sent("LOST"), 1);
    succeeded(&refund(server.grpc, "LOST").await, RefundEvidence::Reply, false);
    assert_eq!((world.sent("LOST"), world.executed("LOST")), (2, 1));
    let (page, _) = done(&world, &["show", "LOST"]);
    assert_eq!((field(&page, "state"), field(&page, "epoch")), (Some("settled"), Some("2")));
    assert_eq!(field(&page, "decided by"), Some("Zoë"), "who allowed it to be sent again");

    for (number, how) in [("HAPPENED", "--not-applied"), ("LOST", "--succeeded")] {
        let (code, printed, said) = refunds(&world, &settle(number, &[how]));
        assert_eq!((code, printed.as_str()), (Some(1), ""));
        assert!(said.contains("is settled, so there is nothing to decide"), "{said}");
    }
    let log = server.kill();
    assert_eq!(events(&log, "HAPPENED"), ["claimed", "in_doubt"]);
    assert_eq!(events(&log, "LOST"), ["claimed", "in_doubt", "claimed", "settled"]);
    world.keeps_secrets(&log);
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_use_is_told_from_what_is_not_there() {
    let world = World::on_a_file().await;
    // Nobody has served from it yet.
    let (code, _, said) = refunds(&world, &["list"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("ledger.db was not opened"), "{said}");

    let _server = world.start().await;
    let decision = settle("R1", &["--succeeded"]);
    let unknown: [&[&str]; 4] = [&["show", "R1"], &["resolve", "R1"], &["verify", "R1"], &decision];
    for args in unknown {
        let (code, printed, said) = refunds(&world, args);
        assert_eq!((code, printed.as_str()), (Some(1), ""), "{args:?}");
        assert!(said.contains("R1: no such refund in the ledger"), "{args:?}: {said}");
    }
    let wrong: [&[&str]; 10] = [
        &[],
        &["show"],
        &["list", "--state", "lost"],
        &["list", "--limit", "0"],
        &["settle", "R1", "--epoch", "1", "--succeeded"],
        &["settle", "R1", "--succeeded", "--by", "Zoë", "--reason", "no epoch"],
        &["settle", "R1", "--epoch", "1", "--by", "Zoë", "--reason", "a test"],
        &["settle", "R1", "--epoch", "1", "--succeeded", "--by", "Zoë"],
        &settle("R1", &["--succeeded", "--by", " "]),
        &settle("R1", &["--succeeded", "--not-applied"]),
    ];
    for args in wrong {
        let (code, printed, said) = refunds(&world, args);
        assert_eq!((code, printed.as_str()), (Some(64), ""), "{args:?}: {said}");
        assert!(!said.is_empty(), "{args:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_of_several_app_ids_needs_the_app_id() {
    let world = World::on_a_file().await;
    let server = world.start().await;
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    let of_another = Refund { amount: 7, ..claimable("another", "R1", PAYMENT) };
    claim(&world.ledger().await, &of_another, Duration::from_secs(60)).await;
    let (code, _, said) = refunds(&world, &["show", "R1"]);
    assert_eq!(code, Some(1));
    assert!(said.contains("--app-id"), "{said}");
    let (page, _) = done(&world, &["show", "R1", "--app-id", "another"]);
    assert_eq!((field(&page, "state"), field(&page, "amount_minor")), (Some("claimed"), Some("7")));
    // While its owner may still be sending, it is nobody's to decide.
    let args = [settle("R1", &["--not-applied", "--force"]), vec!["--app-id", "another"]].concat();
    let (code, _, said) = refunds(&world, &args);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("R1: may still be sent until "), "{said}");
    let (page, _) = done(&world, &["show", "R1", "--app-id", "sandbox"]);
    assert_eq!((field(&page, "state"), field(&page, "evidence")), (Some("settled"), Some("REPLY")));
}

#[tokio::test(flavor = "multi_thread")]
async fn to_resolve_by_hand_asks_sunmi_at_once() {
    let world = World::on_a_file().await;
    world.sandbox.with_book(|book| book.set_refunds_queryable(false));
    world.spoil(true, 0, Answer::Close);
    let server = world.start().await;
    refused(&refund(server.grpc, "R1").await, UNKNOWN);
    // No server is there to look.
    server.kill();
    world.sandbox.with_book(|book| book.set_refunds_queryable(true));
    let (page, said) = done(&world, &["resolve", "R1"]);
    assert_eq!((field(&page, "state"), field(&page, "evidence")), (Some("settled"), Some("QUERY")));
    assert_eq!(field(&page, "outcome"), Some("SUCCEEDED"));
    assert_eq!(events(&said, "R1"), ["settled"]);
    assert_eq!(field(&page, "unresolved"), None);
    world.keeps_secrets(&said);
    assert_eq!(world.row("R1").await.unwrap().state, State::Settled);
    assert_eq!((world.sent("R1"), world.executed("R1")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_stand_any_more_is_seen_in_the_servers_metrics() {
    let world = World::on_a_file().await;
    let server = world.start().await;
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    assert_eq!(done(&world, &["verify", "R1"]).0, "R1: stands: Sunmi has it as it is recorded\n");
    assert_eq!(server.metric("sunmi_refund_disputed"), 0);

    let now = sunmi_trade::clock::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let now = i64::try_from(now).unwrap();
    world.sandbox.with_book(|book| book.return_refund("R1", false, now)).unwrap();
    let (code, printed, said) = refunds(&world, &["verify", "R1"]);
    assert_eq!((code, printed.as_str()), (Some(1), ""));
    assert!(said.contains("R1: does not stand: Sunmi has it as failed"), "{said}");
    assert_eq!(server.metric("sunmi_refund_disputed"), 1);
    // It changes nothing by itself.
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, true);
    world.keeps_secrets(&said);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_of_looks_is_one_line_of_the_log() {
    let mut world = World::on_a_file().await;
    world.start().await.kill();
    // What a process left behind that died; R1 it had sent.
    let (ledger, long) = (world.ledger().await, Duration::from_secs(600));
    for (number, payment) in [("R1", PAYMENT), ("R2", "P2"), ("R3", "P3")] {
        claim(&ledger, &claimable("sandbox", number, payment), long).await;
    }
    let Location::Sqlite(path) = world.location.clone() else { panic!("no file") };
    world.set("SUNMI_TRADE__REFUND__LEDGER", "memory");
    let server = world.start().await;
    succeeded(&refund(server.grpc, "R1").await, RefundEvidence::Reply, false);
    server.kill();

    world.set("SUNMI_TRADE__REFUND__LEDGER", &format!("sqlite://{}", path.display()));
    let server = world.start().await;
    let round = "looked for what became of refunds looked_at=";
    until("a round", async || server.log().contains(round).then_some(())).await;
    let log = server.kill();
    assert!(log.contains(&format!("{round}3 still_open=2\n")), "{log}");
    assert!(!log.contains("not resolved yet"), "{log}");
}
