//! `refunds resolve` and `refunds verify`: what Sunmi is asked about one refund.

use sunmi_trade::ledger::State;
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::trade::Refund;

use super::world::{LONG_AGO, NOW, World, field, now, refund};

#[tokio::test(flavor = "multi_thread")]
async fn to_resolve_records_what_is_there_and_judges_nothing_absent() {
    let world = World::new("resolve").await;
    // A refusal that had to come, and came too late for its call to look again: a server would
    // believe it at its first look.
    let endpoint = Some(Endpoint::Refund);
    world.sandbox.spoil(Fault { endpoint, delay_ms: 1200, ..Fault::of(Answer::Normal) });
    let much = Refund { amount: 5000, ..refund("MUCH") };
    world.refund_of(much, LONG_AGO).await.unwrap_err();
    let page = world.done(&["resolve", "MUCH"]);
    let pending = "REFUND_AMOUNT_WRONG: the looks before the send show that it had to come";
    assert_eq!((field(&page, "state"), field(&page, "pending")), ("in_doubt", pending));
    let why = "it is not under its number; it may yet be executed";
    assert_eq!(field(&page, "unresolved"), why);

    let world = World::new("resolve_found").await;
    world.lose("DONE", true, NOW).await;
    let page = world.done(&["resolve", "DONE"]);
    assert_eq!((field(&page, "state"), field(&page, "evidence")), ("settled", "QUERY"));
    assert!(!page.contains("unresolved"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_that_was_returned_does_not_stand_and_stays_as_it_is_recorded() {
    let world = World::new("returned").await;
    world.refund("R1", NOW).await.unwrap();
    let printed = world.done(&["verify", "R1"]);
    assert_eq!(printed, "R1: stands: Sunmi has it as it is recorded\n");

    world.sandbox.with_book(|book| book.return_refund("R1", false, now())).unwrap();
    let ran = world.run(&["verify", "R1"]);
    assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
    let why = "Sunmi has it as failed, and it is recorded as succeeded";
    assert!(ran.stderr.contains("ERROR"), "{ran:?}");
    assert!(ran.stderr.contains("Sunmi contradicts what is recorded of a refund"), "{ran:?}");
    assert!(ran.stderr.ends_with(&format!("sunmi-trade: R1: does not stand: {why}\n")), "{ran:?}");
    let row = world.row("R1").await;
    assert!(row.has_succeeded(), "{row:?}");
    assert_eq!(row.disputed.as_deref(), Some(why));
    let page = world.done(&["show", "R1"]);
    assert_eq!((field(&page, "state"), field(&page, "disputed")), ("settled", why));
    assert!(field(&page, "next").starts_with("Sunmi contradicts what is recorded"), "{page}");
    assert!(world.done(&["list"]).ends_with("  disputed\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refund_is_verified_by_the_names_of_sunmis_answer_too() {
    let world = World::new("by_names").await;
    world.refund("R1", NOW).await.unwrap();
    let endpoint = Some(Endpoint::Query);
    let order_id = Some("R1".to_owned());
    let absent = Fault { endpoint, order_id, ..Fault::of(Answer::Code("E19".to_owned())) };
    world.sandbox.spoil(absent.clone());
    let printed = world.done(&["verify", "R1"]);
    assert_eq!(printed, "R1: stands: Sunmi has it as it is recorded\n");

    world.sandbox.with_book(|book| book.return_refund("R1", false, now())).unwrap();
    world.sandbox.spoil(absent);
    let said = world.refused(&["verify", "R1"]);
    assert!(said.contains("R1: does not stand: Sunmi has it as failed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sunmi_does_not_tell_is_not_verified_and_no_difference() {
    let mut world = World::new("untold").await;
    world.refund("R1", NOW).await.unwrap();
    world.sandbox.with_book(|book| book.set_refunds_queryable(false));
    let said = world.refused(&["verify", "R1"]);
    let why = "sunmi-trade: R1: could not be verified: Sunmi does not find it, and not every \
               account finds refunds by their number";
    assert_eq!(said, why);
    assert_eq!(world.row("R1").await.disputed, None);

    world.lose("R2", true, NOW).await;
    let said = world.refused(&["verify", "R2"]);
    let why = "sunmi-trade: R2: is in_doubt, and only what is settled can be verified";
    assert_eq!(said, why);

    // A Sunmi that does not answer contradicts nothing.
    world.set("SUNMI_TRADE_APP_KEY", Some("another-key"));
    world.refused(&["verify", "R1"]);
    assert_eq!(
        (world.row("R1").await.disputed, world.row("R1").await.state),
        (None, State::Settled)
    );
}
