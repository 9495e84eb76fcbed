//! One unknown refund of a payment at a time, by whatever names it is asked for.

use std::time::Duration;

use sunmi_trade::ledger::{Claim, Key, Said, State};
use sunmi_trade::trade::{OrderRef, PaymentNames, Refund};

use crate::bench::{
    Bench, acknowledging, because, bring, claim_after, claim_as, fresh, id, looked, looked_by,
    move_on, on_every_ledger, refund_of, row,
};

on_every_ledger! {
    a_refund_waits_for_the_unknown_one_of_its_payment_by_every_name
    only_what_is_claimed_or_in_doubt_is_waited_for
    what_is_acknowledged_is_not_waited_for_and_all_others_are
    a_number_does_not_wait_for_itself
    what_changed_since_it_was_seen_is_looked_at_again
    a_look_is_no_change
    names_that_a_look_finds_bring_rows_that_were_not_seen
}

/// How a payment is asked for, and what a look finds: `app_id`, asked for by, found.
type Named = (&'static str, (char, &'static str), [&'static str; 3]);

/// A refund of a payment of these names: its platform's, the shop's and the register's.
fn named(number: &str, (app_id, asked, found): Named) -> (Refund, PaymentNames) {
    let original = match asked {
        ('p', name) => OrderRef::PlatformId(id(name)),
        ('o', name) => OrderRef::OrderId(id(name)),
        (_, name) => OrderRef::MisId(id(name)),
    };
    let [platform_id, order_id, mis_id] =
        found.map(|name| Some(name.to_owned()).filter(|name| !name.is_empty()));
    let refund = Refund { app_id: id(app_id), original, ..refund_of("P", number) };
    (refund, PaymentNames { platform_id, order_id, mis_id })
}

async fn a_refund_waits_for_the_unknown_one_of_its_payment_by_every_name(bench: &Bench) {
    let ledger = bench.ledger().await;
    let none = [""; 3];
    let table: [(&str, Named, Named, bool); 15] = [
        ("asked alike", ("a", ('o', "1"), none), ("a", ('o', "1"), none), true),
        ("another", ("a", ('o', "1"), none), ("a", ('o', "2"), none), false),
        ("another kind", ("a", ('o', "1"), none), ("a", ('m', "1"), none), false),
        ("found, then asked: p", ("a", ('o', "1"), ["X", "", ""]), ("a", ('p', "X"), none), true),
        ("found, then asked: m", ("a", ('o', "1"), ["", "", "M"]), ("a", ('m', "M"), none), true),
        ("found, then asked: o", ("a", ('m', "M"), ["", "1", ""]), ("a", ('o', "1"), none), true),
        ("asked, then found: p", ("a", ('p', "X"), none), ("a", ('o', "1"), ["X", "", ""]), true),
        ("asked, then found: m", ("a", ('m', "M"), none), ("a", ('o', "1"), ["", "", "M"]), true),
        ("asked, then found: o", ("a", ('o', "1"), none), ("a", ('m', "M"), ["", "1", ""]), true),
        ("found both", ("a", ('o', "1"), ["X", "", ""]), ("a", ('m', "M"), ["X", "", ""]), true),
        ("two tills", ("a", ('m', "M"), ["X", "", ""]), ("a", ('m', "M"), ["Y", "", ""]), false),
        ("perhaps two", ("a", ('m', "M"), ["X", "", ""]), ("a", ('m', "M"), none), true),
        ("app_ids, p", ("a", ('p', "X"), none), ("b", ('p', "X"), none), true),
        ("app_ids, p found", ("a", ('o', "1"), ["X", "", ""]), ("b", ('p', "X"), none), true),
        ("app_ids, o", ("a", ('o', "1"), none), ("b", ('o', "1"), none), false),
    ];
    for (at, (what, first, second, waits)) in table.into_iter().enumerate() {
        // Each with names of its own.
        let own = |(app_id, (kind, asked), found): Named| -> Named {
            let name = |name: &str| match name {
                "" => "",
                name => Box::leak(format!("{name}-{at}").into_boxed_str()),
            };
            (app_id, (kind, name(asked)), found.map(name))
        };
        let (first, found) = named(&format!("R{at}"), own(first));
        let seen = looked_by(&ledger, &first, found).await;
        fresh(claim_after(&ledger, &first, &seen).await);
        let (second, found) = named(&format!("S{at}"), own(second));
        let seen = looked_by(&ledger, &second, found).await;
        match claim_after(&ledger, &second, &seen).await {
            Claim::InFlight(open) => assert!(waits && open == Key::of(&first), "{what}: {open:?}"),
            Claim::Fresh(..) => assert!(!waits, "{what}: it did not wait"),
            other @ (Claim::Known(_) | Claim::Differs(_) | Claim::Changed | Claim::Beyond(_)) => {
                panic!("{what}: {other:?}")
            }
        }
    }
}

async fn only_what_is_claimed_or_in_doubt_is_waited_for(bench: &Bench) {
    let ledger = bench.ledger().await;
    for (state, waits) in [
        (State::Claimed, true),
        (State::InDoubt, true),
        (State::Processing, false),
        (State::Settled, false),
        (State::NotApplied, false),
    ] {
        let payment = state.name();
        bring(&ledger, &refund_of(payment, &format!("{payment}-1")), state).await;
        let second = refund_of(payment, &format!("{payment}-2"));
        let claim = claim_after(&ledger, &second, &looked(&ledger, &second).await).await;
        assert_eq!(matches!(claim, Claim::InFlight(_)), waits, "{state:?}: {claim:?}");
        assert_eq!(matches!(claim, Claim::Fresh(..)), !waits, "{state:?}: {claim:?}");
    }
}

async fn what_is_acknowledged_is_not_waited_for_and_all_others_are(bench: &Bench) {
    let ledger = bench.ledger().await;
    bring(&ledger, &refund_of("P", "R1"), State::InDoubt).await;
    let second = acknowledging(refund_of("P", "R2"), &["R0", "R1"]);
    bring(&ledger, &second, State::InDoubt).await;
    for (known, open) in [(&[][..], None), (&["R1"], Some("R2")), (&["R2"], Some("R1"))] {
        let third = acknowledging(refund_of("P", "R3"), known);
        let claim = claim_after(&ledger, &third, &looked(&ledger, &third).await).await;
        let Claim::InFlight(key) = claim else { panic!("{known:?}: {claim:?}") };
        assert!(open.is_none_or(|open| key.order_id.as_str() == open), "{known:?}: {key:?}");
    }
    let third = acknowledging(refund_of("P", "R3"), &["R1", "R2"]);
    fresh(claim_after(&ledger, &third, &looked(&ledger, &third).await).await);
}

async fn a_number_does_not_wait_for_itself(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund_of("P", "R1");
    bring(&ledger, &refund, State::InDoubt).await;
    let claim = claim_after(&ledger, &refund, &looked(&ledger, &refund).await).await;
    assert!(matches!(claim, Claim::Known(_)), "{claim:?}");
}

async fn what_changed_since_it_was_seen_is_looked_at_again(bench: &Bench) {
    let ledger = bench.ledger().await;
    let states =
        [State::Claimed, State::InDoubt, State::Processing, State::Settled, State::NotApplied];
    // From each state into each that it can go to.
    for (from, to) in states.iter().flat_map(|from| states.map(|to| (*from, to))) {
        let leads = match from {
            State::Claimed => to != State::Claimed,
            State::InDoubt => !matches!(to, State::Claimed),
            State::Processing => to == State::Settled,
            State::NotApplied => matches!(to, State::Claimed | State::Settled | State::Processing),
            State::Settled => false,
        };
        if !leads {
            continue;
        }
        let payment = format!("{}-{}", from.name(), to.name());
        let first = refund_of(&payment, &format!("{payment}-1"));
        bring(&ledger, &first, from).await;
        let second =
            acknowledging(refund_of(&payment, &format!("{payment}-2")), &[first.order_id.as_str()]);
        let seen = looked(&ledger, &second).await;
        match (from, to) {
            (State::NotApplied, State::Claimed) => drop(bring(&ledger, &first, to).await),
            _ => drop(move_on(&ledger, &first, 1, to).await),
        }
        let claim = claim_after(&ledger, &second, &seen).await;
        assert!(matches!(claim, Claim::Changed), "{from:?} to {to:?}: {claim:?}");
        let seen = looked(&ledger, &second).await;
        fresh(claim_after(&ledger, &second, &seen).await);
    }
    // One that was not there at all.
    let second = acknowledging(refund_of("new", "new-2"), &["new-1"]);
    let seen = looked(&ledger, &second).await;
    bring(&ledger, &refund_of("new", "new-1"), State::Settled).await;
    assert!(matches!(claim_after(&ledger, &second, &seen).await, Claim::Changed));
}

async fn a_look_is_no_change(bench: &Bench) {
    let ledger = bench.ledger().await;
    let first = refund_of("P", "R1");
    let before = bring(&ledger, &first, State::Processing).await;
    let second = refund_of("P", "R2");
    let seen = looked(&ledger, &second).await;
    let (minute, hour) = (Duration::from_secs(60), Duration::from_secs(3600));
    assert_eq!(ledger.take_due(9, minute, hour).await.unwrap().len(), 1);
    ledger.look_again(&before.key, minute).await.unwrap();
    let after = row(&ledger, &first).await;
    assert_eq!((after.looks, after.change), (1, before.change));
    fresh(claim_after(&ledger, &second, &seen).await);
}

async fn names_that_a_look_finds_bring_rows_that_were_not_seen(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (first, found) = named("R1", ("a", ('o', "1"), ["X", "", ""]));
    let seen = looked_by(&ledger, &first, found.clone()).await;
    fresh(claim_as(&ledger, &first, &seen, "a claim").await);
    let (second, _) = named("R2", ("b", ('m', "M"), [""; 3]));
    // The ledger was read by what the request names; then the look found the rest.
    let unseen = sunmi_trade::ledger::Looked { names: found, ..looked(&ledger, &second).await };
    assert!(unseen.rows.is_empty());
    assert!(matches!(claim_after(&ledger, &second, &unseen).await, Claim::InFlight(_)));
    let key = Key::of(&first);
    assert!(ledger.doubt(&key, 1, &because("a test"), Said::default()).await.unwrap());
    assert!(ledger.give_back(&key, "a claim", "a test").await.unwrap());
    assert!(matches!(claim_after(&ledger, &second, &unseen).await, Claim::Changed));
}
