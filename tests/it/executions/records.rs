//! Records that cannot be written, and those that are written over others.

use sunmi_trade::api::pb::TradeState;
use sunmi_trade::ledger::{Access, Decision, Key, Ledger, Location};
use sunmi_trade::sandbox::book::Course;
use sunmi_trade::sandbox::faults::Answer;

use super::world::{HASTY, World};
use crate::calls;
use crate::failure::IN_DOUBT;
use crate::server::{BRIEF, refund, refund_within};

/// What keeps a row from ever having this state.
fn forbid(state: &str) -> String {
    format!(
        "CREATE TRIGGER forbidden BEFORE UPDATE ON refunds WHEN NEW.state = '{state}' \
         BEGIN SELECT RAISE(ABORT, 'not now'); END"
    )
}

/// Execution j: that Sunmi accepted it is told, cannot be recorded, and is not to be had again.
#[tokio::test]
async fn an_acceptance_that_could_not_be_recorded_is_recorded_later() {
    let world = World::start(&[]).await;
    world.hide("R1");
    world.sandbox.with_book(|book| book.set_course(Course { seconds: 3600, fails: false }));
    world.sql(&forbid("processing")).await;
    let accepted = refund(&world.server, calls::refund("R1")).await.unwrap();
    assert_eq!(accepted.state(), TradeState::Created);
    assert_eq!(world.state("R1").await, "claimed");
    world.sql("DROP TRIGGER forbidden").await;
    world.becomes("R1", "processing").await;
    assert_eq!(world.sends("R1"), 1);
}

/// The same of a success.
#[tokio::test]
async fn a_success_that_could_not_be_recorded_is_recorded_later() {
    let world = World::start(&[]).await;
    world.hide("R1");
    world.sql(&forbid("settled")).await;
    let made = refund(&world.server, calls::refund("R1")).await.unwrap();
    assert_eq!(made.state(), TradeState::Succeeded);
    world.sql("DROP TRIGGER forbidden").await;
    world.becomes("R1", "settled").await;
    assert!(refund(&world.server, calls::refund("R1")).await.unwrap().replayed);
    assert_eq!(world.sends("R1"), 1);
}

/// Execution f: a person decides over a row that has gone on to another epoch since it was shown.
#[tokio::test]
async fn a_person_decides_over_nothing_but_what_was_shown() {
    let world = World::start(&HASTY).await;
    world.spoil(false, Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    let location = Location::Sqlite(world.ledger_path());
    let ledger = Ledger::open(&location, &world.upstream(), Access::Visit).await.unwrap();
    let id = |text: &str| sunmi_trade::trade::Identifier::parse(text.to_owned()).unwrap();
    let shown =
        ledger.row(&Key { app_id: id(crate::server::APP_ID), order_id: id("R1") }).await.unwrap();
    world.step(60_000).await;
    world.becomes("R1", "not_applied").await;
    refund(&world.server, calls::refund("R1")).await.unwrap_err();
    world.hide("R1");
    world.spoil(true, Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    let decision = Decision { by: "somebody".to_owned(), reason: "as shown".to_owned() };
    assert!(!ledger.decide(&shown, None, &decision).await.unwrap());
    assert_eq!((world.state("R1").await.as_str(), world.sends("R1")), ("in_doubt", 2));
    assert_eq!(world.executions("R1"), 1);
}
