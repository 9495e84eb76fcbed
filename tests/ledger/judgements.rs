//! When a refund in doubt can be judged never to have happened, as far as the ledger sees to it.

use std::time::Duration;

use sunmi_trade::ledger::{Key, Said, State};

use crate::bench::{Bench, LEASE, WINDOW, because, bring, claim, on_every_ledger, refund, row};

on_every_ledger! {
    a_window_must_be_over
    what_was_accepted_is_never_judged
    what_is_judged_is_told_to_nobody_yet
}

const MILLISECOND: Duration = Duration::from_millis(1);

async fn a_window_must_be_over(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let seen = bring(&ledger, &refund, State::InDoubt).await;
    bench.pass(LEASE + WINDOW - MILLISECOND);
    assert!(!row(&ledger, &refund).await.is_past(WINDOW));
    assert!(!ledger.judge_not_applied(&seen, WINDOW).await.unwrap());
    assert_eq!(row(&ledger, &refund).await.state, State::InDoubt);
    bench.pass(MILLISECOND);
    assert!(row(&ledger, &refund).await.is_past(WINDOW));
    assert!(ledger.judge_not_applied(&seen, WINDOW).await.unwrap());
    assert_eq!(row(&ledger, &refund).await.state, State::NotApplied);
}

async fn what_was_accepted_is_never_judged(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let epoch = claim(&ledger, &refund).await;
    let said = Said { answer: None, accepted: true };
    assert!(ledger.doubt(&Key::of(&refund), epoch, &because("x"), said).await.unwrap());
    bench.pass(1000 * (LEASE + WINDOW));
    let seen = row(&ledger, &refund).await;
    assert!(!ledger.judge_not_applied(&seen, WINDOW).await.unwrap());
}

async fn what_is_judged_is_told_to_nobody_yet(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let seen = bring(&ledger, &refund, State::InDoubt).await;
    bench.pass(LEASE + WINDOW);
    assert!(ledger.judge_not_applied(&seen, WINDOW).await.unwrap());
    let judged = row(&ledger, &refund).await;
    assert!(!judged.told);
    assert_eq!(judged.doubt, seen.doubt, "why it was in doubt stays known");
    assert!(ledger.tell(&judged.key, 1).await.unwrap());
    assert_eq!(claim(&ledger, &refund).await, 2);
}
