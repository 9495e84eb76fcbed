//! What people decide, and what is left of a refund after years.

use std::time::Duration;

use sunmi_trade::ledger::{Claim, Decision, Key, Settled, State};
use sunmi_trade::trade::{Evidence, Refund, RefundTrade, Refunded, TradeState};

use crate::bench::{Bench, answer, ask, bring, claim, on_every_ledger, refund, row, written};

on_every_ledger! {
    a_decision_is_kept_with_who_and_why
    a_decision_is_made_over_what_was_seen
    only_what_is_open_is_decided
    retention_keeps_the_number_and_the_outcome
    retention_forgets_who_asked_and_keeps_who_decided
    retention_keeps_how_an_outcome_is_known
    retention_leaves_alone_what_is_young_or_open
}

const DAY: Duration = Duration::from_secs(86_400);

fn decision() -> Decision {
    Decision { by: "Zoë; '\"--".to_owned(), reason: "statement of 1 May,\n第二行".to_owned() }
}

async fn a_decision_is_kept_with_who_and_why(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in [State::InDoubt, State::Processing] {
        let happened = refund(&format!("{}-happened", state.name()));
        let seen = bring(&ledger, &happened, state).await;
        let evidence = Evidence::Operator;
        let told = Refunded { evidence, ..answer(&happened, TradeState::Succeeded) };
        assert!(ledger.decide(&seen, Some(&told), &decision()).await.unwrap());
        let decided = row(&ledger, &happened).await;
        assert_eq!((decided.state, decided.outcome), (State::Settled, Some(TradeState::Succeeded)));
        assert_eq!((decided.answer, decided.decided), (Some(told), Some(decision())));

        let did_not = refund(&format!("{}-did-not", state.name()));
        let seen = bring(&ledger, &did_not, state).await;
        assert!(ledger.decide(&seen, None, &decision()).await.unwrap());
        let decided = row(&ledger, &did_not).await;
        assert_eq!((decided.state, decided.outcome), (State::NotApplied, None));
        assert_eq!((decided.answer, decided.decided), (None, Some(decision())));
        // The person is no caller: the next one is told before a later one may send.
        assert!(!decided.told && matches!(ask(&ledger, &did_not).await, Claim::Changed));
        assert!(ledger.tell(&Key::of(&did_not), 1).await.unwrap());
        assert_eq!(claim(&ledger, &did_not).await, 2);
        // Whoever asks later why it was sent again finds who allowed it.
        assert_eq!(row(&ledger, &did_not).await.decided, Some(decision()));
    }
}

async fn a_decision_is_made_over_what_was_seen(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let key = Key::of(&refund);
    let seen = bring(&ledger, &refund, State::InDoubt).await;
    let accepted = answer(&refund, TradeState::Processing);
    assert!(ledger.processing(&key, &accepted).await.unwrap());
    assert!(!ledger.decide(&seen, None, &decision()).await.unwrap(), "another state");
    let seen = row(&ledger, &refund).await;
    assert_eq!((seen.state, &seen.decided), (State::Processing, &None));
    let first = Decision { by: "first".to_owned(), ..decision() };
    assert!(ledger.decide(&seen, None, &first).await.unwrap());
    assert!(!ledger.decide(&seen, None, &decision()).await.unwrap(), "decided already");
    assert_eq!(row(&ledger, &refund).await.decided, Some(first));
    // Evidence outdoes people.
    let done = answer(&refund, TradeState::Succeeded);
    assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Written);
}

async fn only_what_is_open_is_decided(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in [State::Claimed, State::Settled, State::NotApplied] {
        let refund = refund(state.name());
        let seen = bring(&ledger, &refund, state).await;
        let done = answer(&refund, TradeState::Succeeded);
        for answer in [Some(&done), None] {
            assert!(!ledger.decide(&seen, answer, &decision()).await.unwrap(), "{state:?}");
        }
        assert_eq!(written(&row(&ledger, &refund).await), written(&seen));
    }
}

async fn retention_keeps_the_number_and_the_outcome(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (done, not_done) = (refund("done"), refund("not-done"));
    let before = bring(&ledger, &done, State::Settled).await;
    bring(&ledger, &not_done, State::NotApplied).await;
    bench.pass(DAY);
    assert_eq!(ledger.purge(DAY).await.unwrap(), 2);
    assert_eq!(ledger.purge(DAY).await.unwrap(), 0, "once");

    let emptied = row(&ledger, &done).await;
    assert_eq!((emptied.state, emptied.outcome), (State::Settled, Some(TradeState::Succeeded)));
    let trade = RefundTrade::default();
    let left = Refunded { trade, evidence: Evidence::Reply, replayed: false };
    assert_eq!((emptied.amount, emptied.answer.as_ref()), (None, Some(&left)));
    assert_eq!((emptied.msn.as_str(), emptied.business_id.as_str()), ("", ""));
    assert_eq!((emptied.content_hash, emptied.original), (before.content_hash, before.original));
    let Claim::Known(known) = ask(&ledger, &done).await else {
        panic!("an old number is executed again");
    };
    assert_eq!((known.state, known.outcome), (State::Settled, Some(TradeState::Succeeded)));
    assert_eq!(claim(&ledger, &not_done).await, 2);
    assert_eq!(row(&ledger, &not_done).await.amount, Some(100));
}

async fn retention_forgets_who_asked_and_keeps_who_decided(bench: &Bench) {
    let ledger = bench.ledger().await;
    let asked = Refund { caller: Some("till".into()), ..refund("R1") };
    let seen = bring(&ledger, &asked, State::InDoubt).await;
    assert!(ledger.decide(&seen, None, &decision()).await.unwrap());
    let before = row(&ledger, &asked).await;
    assert_eq!(before.caller.as_deref(), Some("till"));
    bench.pass(DAY);
    assert_eq!(ledger.purge(DAY).await.unwrap(), 1);
    let left = row(&ledger, &asked).await;
    assert_eq!((left.amount, &left.caller), (None, &None));
    assert_eq!((&left.original, &left.decided), (&asked.original, &Some(decision())));
    assert_eq!((left.claimed_at, left.changed_at), (before.claimed_at, before.changed_at));
}

async fn retention_keeps_how_an_outcome_is_known(bench: &Bench) {
    let ledger = bench.ledger().await;
    let all = [Evidence::Reply, Evidence::Query, Evidence::Operator];
    let number = |evidence| refund(&format!("{evidence:?}"));
    for evidence in all {
        let refund = number(evidence);
        claim(&ledger, &refund).await;
        let mut told = Refunded { evidence, ..answer(&refund, TradeState::Succeeded) };
        // What Sunmi wrote is not taken for the ledger's own words.
        for other in all {
            let text = format!(r#"x,"evidence":"{other:?}"}}"#);
            told.trade.unrecognized.insert(format!("z{other:?}"), text.clone());
            told.trade.result_message = Some(text);
        }
        let settled = ledger.settle(&Key::of(&refund), &told).await.unwrap();
        assert_eq!(settled, Settled::Written);
    }
    bring(&ledger, &refund("not-done"), State::NotApplied).await;
    bench.pass(DAY);
    assert_eq!(ledger.purge(DAY).await.unwrap(), 4);
    for evidence in all {
        let left = Refunded { trade: RefundTrade::default(), evidence, replayed: false };
        assert_eq!(row(&ledger, &number(evidence)).await.answer, Some(left));
    }
    assert_eq!(row(&ledger, &refund("not-done")).await.answer, None);
}

async fn retention_leaves_alone_what_is_young_or_open(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in [State::Claimed, State::InDoubt, State::Processing] {
        bring(&ledger, &refund(state.name()), state).await;
    }
    bench.pass(Duration::from_millis(1));
    bring(&ledger, &refund("young"), State::Settled).await;
    bench.pass(DAY - Duration::from_millis(1));
    assert_eq!(ledger.purge(DAY).await.unwrap(), 0);
    for row in ledger.list(None, 10).await.unwrap() {
        assert_eq!(row.amount, Some(100), "{:?}", row.state);
    }
}
