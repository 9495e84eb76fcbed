//! A number is bound to its content for ever.

use std::time::Duration;

use sunmi_trade::ledger::{Claim, Content, Key, State};
use sunmi_trade::trade::{OrderRef, Refund, TradeState};

use crate::bench::{
    Bench, STATES, answer, ask, because, bring, claim, claim_after, id, looked, on_every_ledger,
    refund, row, written,
};

on_every_ledger! {
    other_content_is_named_field_by_field
    a_number_is_bound_in_every_state
    what_is_no_content_may_differ
    what_was_not_applied_here_and_sent_elsewhere_since_is_not_claimed_anew
    an_emptied_row_tells_other_content_by_its_hash
    a_repeat_of_an_emptied_refusal_is_claimed_with_its_content_alone
}

const DAY: Duration = Duration::from_secs(86_400);

/// Refunds of this number with other content, and the fields that differ.
fn others(asked: &Refund) -> [(Refund, &'static [&'static str]); 6] {
    let all = Refund {
        msn: id("another"),
        amount: 101,
        original: OrderRef::OrderId(id("Q")),
        business_id: id("another"),
        ..asked.clone()
    };
    let (_, original) = asked.original.named();
    let other_kind = OrderRef::PlatformId(original.clone());
    [
        (Refund { msn: id("another"), ..asked.clone() }, &["msn"]),
        (Refund { amount: 101, ..asked.clone() }, &["amount_minor"]),
        (Refund { original: OrderRef::OrderId(id("Q")), ..asked.clone() }, &["original"]),
        (Refund { original: other_kind, ..asked.clone() }, &["original"]),
        (Refund { business_id: id("another"), ..asked.clone() }, &["business_id"]),
        (all, &["msn", "amount_minor", "original", "business_id"]),
    ]
}

async fn other_content_is_named_field_by_field(bench: &Bench) {
    let ledger = bench.ledger().await;
    let asked = refund("R1");
    claim(&ledger, &asked).await;
    for (other, expected) in others(&asked) {
        let Claim::Differs(fields) = ask(&ledger, &other).await else {
            panic!("{other:?} is the same");
        };
        assert_eq!(fields, expected);
        let row = row(&ledger, &asked).await;
        assert_eq!(row.compare(&other), Content::Differs(expected.to_vec()));
    }
}

async fn a_number_is_bound_in_every_state(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES {
        let asked = refund(state.name());
        let before = bring(&ledger, &asked, state).await;
        for (other, expected) in others(&asked) {
            let Claim::Differs(fields) = ask(&ledger, &other).await else {
                panic!("other content of what is {state:?}");
            };
            assert_eq!(fields, expected);
        }
        assert_eq!(written(&row(&ledger, &asked).await), written(&before));
    }
    // Told or not.
    let untold = refund("untold");
    let epoch = claim(&ledger, &untold).await;
    assert!(ledger.refuse(&Key::of(&untold), epoch, &because("x"), false).await.unwrap());
    let other = Refund { amount: 1, ..untold };
    assert!(matches!(ask(&ledger, &other).await, Claim::Differs(_)));
}

async fn what_is_no_content_may_differ(bench: &Bench) {
    let ledger = bench.ledger().await;
    let asked = refund("R1");
    claim(&ledger, &asked).await;
    let again = Refund {
        caller: Some("another".into()),
        app_id_named: false,
        acknowledged: [id("R7")].into(),
        ..asked
    };
    assert!(matches!(ask(&ledger, &again).await, Claim::Known(_)));
}

async fn what_was_not_applied_here_and_sent_elsewhere_since_is_not_claimed_anew(bench: &Bench) {
    let ledger = bench.ledger().await;
    let asked = Refund { app_id_named: false, ..refund("R1") };
    bring(&ledger, &asked, State::NotApplied).await;
    // Of other content it is another's, who named its app_id.
    let other = Refund { app_id: id("app-3"), amount: 1, ..refund("R1") };
    bring(&ledger, &other, State::Settled).await;
    let elsewhere = Refund { app_id: id("app-2"), ..refund("R1") };
    let before = looked(&ledger, &asked).await;
    bring(&ledger, &elsewhere, State::NotApplied).await;
    let then = looked(&ledger, &elsewhere).await;
    assert!(matches!(claim_after(&ledger, &elsewhere, &then).await, Claim::Fresh(..)));
    assert!(matches!(claim_after(&ledger, &asked, &before).await, Claim::Changed));
    ledger.settle(&Key::of(&elsewhere), &answer(&elsewhere, TradeState::Succeeded)).await.unwrap();
    assert!(matches!(claim_after(&ledger, &asked, &before).await, Claim::Changed));
    // Whoever names its app_id means that one.
    let named = Refund { app_id_named: true, ..asked };
    assert!(matches!(claim_after(&ledger, &named, &before).await, Claim::Fresh(..)));
}

async fn an_emptied_row_tells_other_content_by_its_hash(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in [State::Settled, State::NotApplied] {
        let asked = refund(state.name());
        bring(&ledger, &asked, state).await;
        bench.pass(DAY);
        assert_eq!(ledger.purge(DAY).await.unwrap(), 1);
        let emptied = row(&ledger, &asked).await;
        assert_eq!((emptied.amount, emptied.msn.as_str()), (None, ""));
        assert_eq!(emptied.compare(&asked), Content::Same);
        for (other, fields) in others(&asked) {
            // The original is kept. Which of the others differs, a hash does not tell.
            let expected = match fields.contains(&"original") {
                true => vec!["original"],
                false => vec!["msn", "amount_minor", "business_id"],
            };
            let Claim::Differs(fields) = ask(&ledger, &other).await else {
                panic!("{other:?} is the same as what was emptied");
            };
            assert_eq!(fields, expected);
        }
        assert_eq!(written(&row(&ledger, &asked).await), written(&emptied));
    }
}

async fn a_repeat_of_an_emptied_refusal_is_claimed_with_its_content_alone(bench: &Bench) {
    let ledger = bench.ledger().await;
    let asked = refund("R1");
    bring(&ledger, &asked, State::NotApplied).await;
    let before = looked(&ledger, &asked).await;
    bench.pass(DAY);
    assert_eq!(ledger.purge(DAY).await.unwrap(), 1);
    assert!(matches!(claim_after(&ledger, &asked, &before).await, Claim::Changed));
    assert_eq!(claim(&ledger, &asked).await, 2);
    let again = row(&ledger, &asked).await;
    assert_eq!((again.amount, again.msn.as_str()), (Some(100), "device"));
    assert_eq!(again.compare(&asked), Content::Same);
}
