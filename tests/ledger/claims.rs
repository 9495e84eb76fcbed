//! Who may send a refund.

use std::time::Duration;

use sunmi_trade::clock::BootClock;
use sunmi_trade::ledger::{Claim, Durability, Key, Looked, State};
use sunmi_trade::trade::{PaymentNames, Refund};

use crate::bench::{
    Bench, CEILING, LEASE, START, STATES, ask, because, bring, claim, claim_after, fresh, id,
    looked, on_every_ledger, refund, row, written,
};

on_every_ledger! {
    a_new_number_is_claimed_with_its_content
    a_claim_keeps_what_was_seen_before_it
    a_known_number_is_not_claimed
    what_was_not_applied_is_claimed_anew_only_after_a_caller_was_told
    a_new_claim_forgets_what_was_known_of_the_last_one_alone
    a_row_that_came_or_went_on_since_the_looks_is_a_change
    each_app_id_has_numbers_of_its_own
    a_permit_ends_with_the_ceiling
    a_refund_found_under_an_unused_number_is_a_persons
}

async fn a_new_number_is_claimed_with_its_content(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    assert!(ledger.read(&Key::of(&refund)).await.unwrap().is_none());
    let Claim::Fresh(permit, claimed, durability) = ask(&ledger, &refund).await else {
        panic!("not fresh");
    };
    assert_eq!((permit.epoch(), durability), (1, Durability::Durable));

    let row = row(&ledger, &refund).await;
    assert_eq!(written(&claimed), written(&row));
    assert_eq!((row.key.app_id.as_str(), row.key.order_id.as_str()), ("app", "R1"));
    assert_eq!((row.msn.as_str(), row.business_id.as_str()), ("device", "business"));
    assert_eq!((row.amount, &row.original), (Some(100), &refund.original));
    assert_eq!(row.content_hash, Some(refund.content_hash()));
    assert_eq!((row.state, row.epoch, row.looks), (State::Claimed, 1, 0));
    assert_eq!((row.claimed_at, row.changed_at, row.now), (START, START, START));
    assert_eq!(row.lease_until, START + i64::try_from(LEASE.as_millis()).unwrap());
    assert!(row.outcome.is_none() && row.answer.is_none() && row.decided.is_none());
    assert!(row.doubt.is_none() && row.disputed.is_none() && !row.told && !row.person);
}

async fn a_claim_keeps_what_was_seen_before_it(bench: &Bench) {
    let ledger = bench.ledger().await;
    let names = PaymentNames {
        platform_id: Some("X".to_owned()),
        order_id: Some("P-R1".to_owned()),
        mis_id: Some("M".to_owned()),
    };
    let seen = Looked { absent: true, names: names.clone(), ..Looked::default() };
    let claimed = fresh(claim_after(&ledger, &refund("R1"), &seen).await);
    assert_eq!(claimed.evidence.names, names);
    assert!(claimed.evidence.free && claimed.evidence.absent && !claimed.evidence.accepted);

    let not_shown = Looked { absent: false, ..Looked::default() };
    let claimed = fresh(claim_after(&ledger, &refund("R2"), &not_shown).await);
    assert!(!claimed.evidence.free && !claimed.evidence.absent);
}

async fn a_known_number_is_not_claimed(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES.into_iter().filter(|state| *state != State::NotApplied) {
        let refund = refund(state.name());
        let before = bring(&ledger, &refund, state).await;
        bench.pass(Duration::from_secs(1));
        let Claim::Known(known) = ask(&ledger, &refund).await else {
            panic!("{state:?} is claimed");
        };
        assert_eq!((known.state, known.epoch), (state, 1));
        assert_eq!(written(&row(&ledger, &refund).await), written(&before));
    }
}

async fn what_was_not_applied_is_claimed_anew_only_after_a_caller_was_told(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (refund, key) = (refund("R1"), Key::of(&refund("R1")));
    let epoch = claim(&ledger, &refund).await;
    assert!(ledger.refuse(&key, epoch, &because("a test"), false).await.unwrap());
    let before = row(&ledger, &refund).await;
    assert!(!before.told);
    assert!(matches!(ask(&ledger, &refund).await, Claim::Changed));
    assert_eq!(written(&row(&ledger, &refund).await), written(&before));

    assert!(ledger.tell(&key, epoch).await.unwrap());
    assert!(ledger.tell(&key, epoch).await.unwrap(), "another is told, too");
    assert!(row(&ledger, &refund).await.told);
    assert_eq!(claim(&ledger, &refund).await, 2);
    assert!(!ledger.tell(&key, epoch).await.unwrap(), "it is claimed by now");
    assert!(!row(&ledger, &refund).await.told);
}

async fn a_new_claim_forgets_what_was_known_of_the_last_one_alone(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let first = bring(&ledger, &refund, State::NotApplied).await;
    assert!(first.evidence.free && first.doubt.is_some());
    bench.pass(Duration::from_secs(1));
    // This time the look at the number brought nothing.
    let seen = Looked { absent: false, ..looked(&ledger, &refund).await };
    let second = fresh(claim_after(&ledger, &refund, &seen).await);
    assert_eq!((second.epoch, &second.doubt, second.told), (2, &None, false));
    assert!(second.evidence.free, "it was free before its first send, and stays so");
    assert!(!second.evidence.absent);
    assert!(second.change > first.change && second.claim_order > first.claim_order);
    assert_eq!((second.claimed_at, second.changed_at), (bench.now(), bench.now()));
    assert_eq!(second.lease_until, bench.now() + i64::try_from(LEASE.as_millis()).unwrap());
}

async fn a_row_that_came_or_went_on_since_the_looks_is_a_change(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let unseen = looked(&ledger, &refund).await;
    bring(&ledger, &refund, State::NotApplied).await;
    assert!(matches!(claim_after(&ledger, &refund, &unseen).await, Claim::Changed), "it came");
    let seen = looked(&ledger, &refund).await;
    bring(&ledger, &refund, State::NotApplied).await;
    assert!(matches!(claim_after(&ledger, &refund, &seen).await, Claim::Changed), "it went on");
    let gone = Looked { epoch: 1, ..looked(&ledger, &crate::bench::refund("R2")).await };
    let never = claim_after(&ledger, &crate::bench::refund("R2"), &gone).await;
    assert!(matches!(never, Claim::Changed), "it was never there");
}

async fn each_app_id_has_numbers_of_its_own(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (ours, theirs) = (refund("R1"), Refund { app_id: id("zzz"), ..refund("R1") });
    assert_eq!(claim(&ledger, &ours).await, 1);
    bring(&ledger, &theirs, State::InDoubt).await;
    assert_eq!(row(&ledger, &ours).await.state, State::Claimed);

    let rows = ledger.of_number("R1").await.unwrap();
    let states: Vec<_> = rows.iter().map(|row| (row.key.app_id.as_str(), row.state)).collect();
    assert_eq!(states, [("app", State::Claimed), ("zzz", State::InDoubt)]);
    assert!(ledger.of_number("R2").await.unwrap().is_empty());
}

async fn a_permit_ends_with_the_ceiling(bench: &Bench) {
    let ledger = bench.ledger().await;
    let Claim::Fresh(permit, _, _) = ask(&ledger, &refund("R1")).await else {
        panic!("not fresh");
    };
    let left = permit.send_until().saturating_since(BootClock::default().now());
    assert!(left <= CEILING, "the owner's time is longer than the ceiling: {left:?}");
    assert!(left > CEILING / 2, "{left:?}");
}

async fn a_refund_found_under_an_unused_number_is_a_persons(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let seen = looked(&ledger, &refund).await;
    assert!(ledger.record_found(&refund, &seen, "found").await.unwrap());
    let found = row(&ledger, &refund).await;
    assert_eq!((found.state, found.epoch, found.person), (State::InDoubt, 1, true));
    assert_eq!(found.doubt, Some(because("found")));
    assert!(!found.evidence.free && !found.evidence.absent, "it was not free");
    assert!(found.lease_is_over(), "nobody may send it");
    assert!(matches!(ask(&ledger, &refund).await, Claim::Known(_)));
    // Whoever comes second finds the row.
    assert!(!ledger.record_found(&refund, &seen, "again").await.unwrap());
    assert_eq!(written(&row(&ledger, &refund).await), written(&found));
}
