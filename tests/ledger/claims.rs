//! Who may send a refund.

use std::time::Duration;

use sunmi_trade::clock::BootClock;
use sunmi_trade::ledger::{Claim, Key, State};
use sunmi_trade::trade::{OrderRef, Refund};

use crate::bench::{
    Bench, CEILING, LEASE, START, STATES, bring, claim, id, on_every_ledger, refund, row,
};

on_every_ledger! {
    a_new_number_is_claimed_with_its_content
    a_known_number_is_not_claimed
    other_content_is_named_field_by_field
    what_was_not_applied_may_be_claimed_with_other_content
    each_app_id_has_numbers_of_its_own
    to_recall_claims_nothing
    a_permit_ends_with_the_ceiling
}

async fn a_new_number_is_claimed_with_its_content(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    assert!(ledger.read(&Key::of(&refund)).await.unwrap().is_none());
    assert_eq!(claim(&ledger, &refund).await, 1);

    let row = row(&ledger, &refund).await;
    assert_eq!((row.key.app_id.as_str(), row.key.order_id.as_str()), ("app", "R1"));
    assert_eq!((row.msn.as_str(), row.business_id.as_str()), ("device", "business"));
    assert_eq!((row.amount, &row.original), (Some(100), &refund.original));
    assert_eq!((row.state, row.epoch, row.looks), (State::Claimed, 1, 0));
    assert_eq!((row.claimed_at, row.changed_at, row.now), (START, START, START));
    assert_eq!(row.lease_until, START + i64::try_from(LEASE.as_millis()).unwrap());
    assert!(row.outcome.is_none() && row.answer.is_none() && row.decided.is_none());
}

async fn a_known_number_is_not_claimed(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES.into_iter().filter(|state| *state != State::NotApplied) {
        let refund = refund(state.name());
        let before = bring(&ledger, &refund, state).await;
        bench.pass(Duration::from_secs(1));
        let Claim::Known(known) = ledger.claim(&refund, CEILING).await.unwrap() else {
            panic!("{state:?} is claimed");
        };
        assert_eq!((known.state, known.epoch), (state, 1));
        let after = row(&ledger, &refund).await;
        assert_eq!((after.changed_at, after.lease_until), (before.changed_at, before.lease_until));
    }
}

async fn other_content_is_named_field_by_field(bench: &Bench) {
    let ledger = bench.ledger().await;
    let told = refund("R1");
    claim(&ledger, &told).await;
    let all_other = Refund {
        msn: id("another"),
        amount: 101,
        original: OrderRef::OrderId(id("Q")),
        business_id: id("another"),
        ..told.clone()
    };
    let table: [(Refund, &[&str]); 6] = [
        (Refund { msn: id("another"), ..told.clone() }, &["msn"]),
        (Refund { amount: 101, ..told.clone() }, &["amount_minor"]),
        (Refund { original: OrderRef::OrderId(id("Q")), ..told.clone() }, &["original"]),
        (Refund { original: OrderRef::PlatformId(id("P")), ..told.clone() }, &["original"]),
        (Refund { business_id: id("another"), ..told.clone() }, &["business_id"]),
        (all_other, &["msn", "amount_minor", "original", "business_id"]),
    ];
    for (asked, expected) in table {
        let Claim::Differs(fields) = ledger.claim(&asked, CEILING).await.unwrap() else {
            panic!("{asked:?} is the same");
        };
        assert_eq!(fields, expected);
        let Claim::Differs(fields) = ledger.recall(&asked).await.unwrap() else {
            panic!("{asked:?} is the same");
        };
        assert_eq!(fields, expected);
    }
}

async fn what_was_not_applied_may_be_claimed_with_other_content(bench: &Bench) {
    let ledger = bench.ledger().await;
    let first = refund("R1");
    bring(&ledger, &first, State::NotApplied).await;
    bench.pass(Duration::from_secs(1));

    let corrected = Refund {
        msn: id("another"),
        amount: 7,
        original: OrderRef::MisId(id("M")),
        business_id: id("other"),
        ..first.clone()
    };
    assert_eq!(claim(&ledger, &corrected).await, 2);
    let row = row(&ledger, &corrected).await;
    assert_eq!((row.state, row.epoch, row.amount), (State::Claimed, 2, Some(7)));
    assert_eq!(row.differences(&corrected), Vec::<&str>::new());
    assert_eq!((row.claimed_at, row.changed_at), (bench.now(), bench.now()));
    assert_eq!(row.lease_until, bench.now() + i64::try_from(LEASE.as_millis()).unwrap());
    let Claim::Differs(fields) = ledger.claim(&first, CEILING).await.unwrap() else {
        panic!("the first content is still known");
    };
    assert_eq!(fields.len(), 4);
}

async fn each_app_id_has_numbers_of_its_own(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (ours, theirs) = (refund("R1"), Refund { app_id: id("zzz"), ..refund("R1") });
    assert_eq!(claim(&ledger, &ours).await, 1);
    assert_eq!(claim(&ledger, &theirs).await, 1);
    assert!(ledger.doubt(&Key::of(&theirs), 1).await.unwrap());
    assert_eq!(row(&ledger, &ours).await.state, State::Claimed);

    let rows = ledger.of_number("R1").await.unwrap();
    let states: Vec<_> = rows.iter().map(|row| (row.key.app_id.as_str(), row.state)).collect();
    assert_eq!(states, [("app", State::Claimed), ("zzz", State::InDoubt)]);
    assert!(ledger.of_number("R2").await.unwrap().is_empty());
}

async fn to_recall_claims_nothing(bench: &Bench) {
    let ledger = bench.ledger().await;
    let unknown = refund("unknown");
    assert!(matches!(ledger.recall(&unknown).await.unwrap(), Claim::Free));
    assert!(ledger.read(&Key::of(&unknown)).await.unwrap().is_none());
    for state in STATES {
        let refund = refund(state.name());
        bring(&ledger, &refund, state).await;
        match ledger.recall(&refund).await.unwrap() {
            Claim::Known(row) if state != State::NotApplied => assert_eq!(row.state, state),
            Claim::Free => assert_eq!(state, State::NotApplied),
            other @ (Claim::Fresh(_) | Claim::Known(_) | Claim::Differs(_)) => {
                panic!("{state:?}: {other:?}")
            }
        }
        assert_eq!(row(&ledger, &refund).await.state, state);
    }
}

async fn a_permit_ends_with_the_ceiling(bench: &Bench) {
    let ledger = bench.ledger().await;
    let Claim::Fresh(permit) = ledger.claim(&refund("R1"), CEILING).await.unwrap() else {
        panic!("not fresh");
    };
    let left = permit.send_until().saturating_since(BootClock::default().now());
    assert!(left <= CEILING, "the owner's time is longer than the ceiling: {left:?}");
    assert!(left > CEILING / 2, "{left:?}");
}
