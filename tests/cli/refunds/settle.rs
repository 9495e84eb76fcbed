//! `refunds settle`: what a person decides, and when not.

use sunmi_trade::ledger::State;
use sunmi_trade::sandbox::book::Course;

use super::world::{LONG_AGO, NOW, World, field};

const WHO: [&str; 4] = ["--by", "Zoë", "--reason", "statement of 1 May"];

fn args<'a>(number: &'a str, epoch: &'a str, how: &[&'a str]) -> Vec<&'a str> {
    [&["settle", number, "--epoch", epoch], how, &WHO].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn not_applied_is_refused_before_the_window_is_over_unless_it_is_forced() {
    let world = World::new("window").await;
    world.lose("R1", false, NOW).await;
    let said = world.refused(&args("R1", "1", &["--not-applied"]));
    let refusal = "sunmi-trade: R1: may still be executed until the settle window is over, at ";
    assert!(said.starts_with(refusal), "{said}");
    assert!(said.ends_with("; wait until then, or add --force"), "{said}");
    assert!(said.contains(", in 1 h 1 min;"), "{said}");
    assert_eq!(world.row("R1").await.state, State::InDoubt);

    let page = world.done(&args("R1", "1", &["--not-applied", "--force"]));
    assert_eq!((field(&page, "state"), field(&page, "told")), ("not_applied", "no"));
    assert_eq!((field(&page, "decided by"), field(&page, "because")), (WHO[1], WHO[3]));
    assert!(field(&page, "next").contains("The next call with this number is told so"), "{page}");
    let said = world.refused(&args("R1", "1", &["--succeeded"]));
    assert_eq!(said, "sunmi-trade: R1: is not_applied, so there is nothing to decide");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_no_force_after_the_window_nor_for_what_succeeded() {
    let world = World::new("no_force").await;
    world.lose("OLD", false, LONG_AGO).await;
    let page = world.done(&args("OLD", "1", &["--not-applied"]));
    assert_eq!(field(&page, "state"), "not_applied");
    world.lose("NEW", true, NOW).await;
    let page = world.done(&args("NEW", "1", &["--succeeded"]));
    assert_eq!((field(&page, "state"), field(&page, "evidence")), ("settled", "OPERATOR"));
    let listed = world.done(&["list"]);
    assert!(listed.lines().all(|line| line.ends_with("  decided")), "{listed}");
    let ran = world.run(&args("NEW", "1", &["--succeeded", "--force"]));
    assert_eq!(ran.status, Some(64), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_decided_is_the_epoch_that_was_looked_at() {
    let world = World::new("epoch").await;
    world.lose("R1", false, LONG_AGO).await;
    world.done(&args("R1", "1", &["--not-applied"]));
    world.refund("R1", NOW).await.expect_err("told that it was not applied");
    world.lose("R1", true, LONG_AGO).await;
    let said = world.refused(&args("R1", "1", &["--not-applied"]));
    let refusal = "sunmi-trade: R1: is at epoch 2, not at 1: it was sent again since, so look at \
                   it again with `refunds show`";
    assert_eq!(said, refusal);
    assert_eq!(world.row("R1").await.state, State::InDoubt);
    let page = world.done(&args("R1", "2", &["--succeeded"]));
    assert_eq!(field(&page, "state"), "settled");

    let ran = world.run(&[&["settle", "R1", "--succeeded"], &WHO[..]].concat());
    assert_eq!(ran.status, Some(64), "{ran:?}");
    assert!(ran.stderr.contains("--epoch <E>"), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_decided_once_its_lease_is_over_and_not_before() {
    let world = World::new("lease").await;
    world.claim("R1", NOW).await;
    for how in [&["--succeeded"][..], &["--not-applied", "--force"]] {
        let said = world.refused(&args("R1", "1", how));
        assert!(said.starts_with("sunmi-trade: R1: may still be sent until "), "{said}");
        assert!(said.ends_with("; decide after that"), "{said}");
    }
    assert_eq!(world.row("R1").await.state, State::Claimed);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_claim_whose_lease_is_over_is_put_in_doubt_and_decided() {
    let world = World::new("lease_over").await;
    world.claim("R1", LONG_AGO).await;
    let ran = world.run(&args("R1", "1", &["--not-applied"]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert_eq!(field(&ran.stdout, "state"), "not_applied");
    let at = |text: &str| ran.stderr.find(text).unwrap_or_else(|| panic!("no {text}: {ran:?}"));
    assert!(at("state=\"in_doubt\"") < at("state=\"not_applied\""), "{ran:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_sunmi_never_finishes_is_decided_as_well() {
    let world = World::new("processing").await;
    world.sandbox.with_book(|book| book.set_course(Course { seconds: 36_000, fails: false }));
    world.refund("R1", NOW).await.unwrap();
    assert_eq!(world.row("R1").await.state, State::Processing);
    let said = world.refused(&args("R1", "1", &["--not-applied"]));
    assert!(said.contains("may still be executed until the settle window is over"), "{said}");
    let page = world.done(&args("R1", "1", &["--succeeded"]));
    assert_eq!((field(&page, "state"), field(&page, "evidence")), ("settled", "OPERATOR"));
}
