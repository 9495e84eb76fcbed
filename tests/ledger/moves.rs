//! Of which claim a move is, and what it keeps.

use std::time::Duration;

use sunmi_trade::ledger::{Decision, Doubt, Key, Pending, Row, Said, Settled, State};
use sunmi_trade::trade::TradeState;

use crate::bench::{
    Bench, LEASE, STATES, WINDOW, answer, because, bring, claim, claim_as, fresh, looked, move_on,
    on_every_ledger, refund, row, written,
};

on_every_ledger! {
    a_stale_owner_changes_nothing
    evidence_of_an_old_claim_wins
    to_give_a_claim_back_touches_no_other_claim
    a_doubt_is_kept_with_what_sunmi_said
    what_sunmi_ever_accepted_stays_so
    what_was_reopened_is_sent_by_nobody
    a_person_is_needed_once
    a_change_is_told_to_who_waits_for_it
}

async fn a_stale_owner_changes_nothing(bench: &Bench) {
    let ledger = bench.ledger().await;
    // What a claim of epoch 1 saw, and the row in each state under epoch 2.
    for state in STATES {
        let refund = refund(state.name());
        let key = Key::of(&refund);
        let seen = looked(&ledger, &refund).await;
        fresh(claim_as(&ledger, &refund, &seen, "the first").await);
        let first = move_on(&ledger, &refund, 1, State::NotApplied).await;
        assert_eq!(claim(&ledger, &refund).await, 2);
        move_on(&ledger, &refund, 2, state).await;
        bench.pass(LEASE + WINDOW);
        let before = row(&ledger, &refund).await;
        let (why, failed) = (because("late"), answer(&refund, TradeState::Failed));
        let decision = Decision { by: "somebody".to_owned(), reason: "late".to_owned() };
        let done = answer(&refund, TradeState::Succeeded);
        for seen_in in STATES {
            let stale = Row { state: seen_in, ..first.clone() };
            assert!(!ledger.judge_not_applied(&stale, WINDOW).await.unwrap());
            assert!(!ledger.decide(&stale, None, &decision).await.unwrap());
            assert!(!ledger.decide(&stale, Some(&done), &decision).await.unwrap());
        }
        assert!(!ledger.doubt(&key, 1, &why, Said::default()).await.unwrap());
        assert!(!ledger.expire(&key, 1).await.unwrap());
        assert!(!ledger.refuse(&key, 1, &why, true).await.unwrap());
        assert!(!ledger.fail(&first, &failed).await.unwrap());
        assert!(!ledger.reopen(&refund, 1, &why).await.unwrap());
        assert!(!ledger.tell(&key, 1).await.unwrap());
        assert!(!ledger.needs_person(&key, 1).await.unwrap());
        assert!(!ledger.give_back(&key, "the first", "late").await.unwrap());
        // Not even that it contradicts what another claim came to.
        assert_eq!(written(&row(&ledger, &refund).await), written(&before), "{state:?}");
    }
}

async fn evidence_of_an_old_claim_wins(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES.into_iter().filter(|state| *state != State::Settled) {
        let refund = refund(state.name());
        let key = Key::of(&refund);
        bring(&ledger, &refund, State::NotApplied).await;
        bring(&ledger, &refund, state).await;
        let accepted = answer(&refund, TradeState::Processing);
        let moved = ledger.processing(&key, &accepted).await.unwrap();
        assert_eq!(moved, state != State::Processing, "over {state:?}");
        let done = answer(&refund, TradeState::Succeeded);
        assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Written, "over {state:?}");
        let row = row(&ledger, &refund).await;
        assert_eq!((row.state, row.outcome), (State::Settled, Some(TradeState::Succeeded)));
        assert_eq!((row.answer, row.epoch), (Some(done.clone()), 2));
        assert!(row.evidence.accepted);
        // The owner of the second claim hears of it.
        assert!(!ledger.refuse(&key, 2, &because("a test"), true).await.unwrap());
        assert_eq!(ledger.settle(&key, &done).await.unwrap(), Settled::Already);
    }
}

async fn to_give_a_claim_back_touches_no_other_claim(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let key = Key::of(&refund);
    assert!(!ledger.give_back(&key, "a", "never claimed").await.unwrap());
    let seen = looked(&ledger, &refund).await;
    fresh(claim_as(&ledger, &refund, &seen, "a").await);
    let before = row(&ledger, &refund).await;
    assert!(!ledger.give_back(&key, "b", "another's").await.unwrap());
    assert_eq!(written(&row(&ledger, &refund).await), written(&before));
    assert!(ledger.give_back(&key, "a", "unsent").await.unwrap());
    let given_back = row(&ledger, &refund).await;
    assert_eq!((given_back.state, given_back.told), (State::NotApplied, true));
    assert_eq!(given_back.doubt, Some(because("unsent")));

    let seen = looked(&ledger, &refund).await;
    fresh(claim_as(&ledger, &refund, &seen, "c").await);
    let before = row(&ledger, &refund).await;
    // The first is tried again behind the back of its caller.
    assert!(!ledger.give_back(&key, "a", "unsent").await.unwrap());
    assert_eq!(written(&row(&ledger, &refund).await), written(&before));
    // A row that no claim of this edition made has no id.
    let found = crate::bench::refund("R2");
    let seen = looked(&ledger, &found).await;
    assert!(ledger.record_found(&found, &seen, "found").await.unwrap());
    assert!(!ledger.give_back(&Key::of(&found), "", "no claim").await.unwrap());
}

async fn a_doubt_is_kept_with_what_sunmi_said(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let (key, epoch) = (Key::of(&refund), claim(&ledger, &refund).await);
    let pending = Pending::Refusal { reason: "AMOUNT".to_owned(), explained: true };
    let doubt = Doubt {
        why: "a refusal of the trade".to_owned(),
        code: Some("E22".to_owned()),
        message: Some("余额不足 '; \"--".to_owned()),
        http_status: Some(400),
        pending: Some(pending),
    };
    assert!(ledger.doubt(&key, epoch, &doubt, Said::default()).await.unwrap());
    let kept = row(&ledger, &refund).await;
    assert_eq!((kept.doubt.as_ref(), &kept.answer), (Some(&doubt), &None));
    // Its owner left, and it stays known why it is in doubt.
    assert!(!ledger.expire(&key, epoch).await.unwrap());

    let failed = answer(&refund, TradeState::Failed);
    let failure = Doubt { pending: Some(Pending::Failure), ..because("it failed, it says") };
    let said = Said { answer: Some(&failed), accepted: true };
    assert!(ledger.doubt(&key, epoch, &failure, said).await.unwrap());
    let kept = row(&ledger, &refund).await;
    assert_eq!((kept.doubt, kept.answer), (Some(failure), Some(failed)));
    assert!(kept.evidence.accepted);
    assert!(ledger.refuse(&key, epoch, &doubt, false).await.unwrap());
    let kept = row(&ledger, &refund).await;
    assert_eq!((kept.doubt, kept.answer), (Some(doubt), None));
}

async fn what_sunmi_ever_accepted_stays_so(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let (key, epoch) = (Key::of(&refund), claim(&ledger, &refund).await);
    let accepted = Said { answer: None, accepted: true };
    assert!(ledger.doubt(&key, epoch, &because("one"), accepted).await.unwrap());
    assert!(ledger.doubt(&key, epoch, &because("two"), Said::default()).await.unwrap());
    let in_doubt = row(&ledger, &refund).await;
    assert!(in_doubt.evidence.accepted);
    bench.pass(LEASE + WINDOW);
    assert!(!ledger.judge_not_applied(&in_doubt, WINDOW).await.unwrap(), "never");
    let decision = Decision { by: "somebody".to_owned(), reason: "a test".to_owned() };
    assert!(ledger.decide(&in_doubt, None, &decision).await.unwrap());
    assert!(ledger.tell(&key, epoch).await.unwrap());
    claim(&ledger, &refund).await;
    assert!(row(&ledger, &refund).await.evidence.accepted, "over a new claim, too");
}

async fn what_was_reopened_is_sent_by_nobody(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    bring(&ledger, &refund, State::NotApplied).await;
    bench.pass(LEASE + WINDOW);
    assert!(ledger.reopen(&refund, 1, &because("found")).await.unwrap());
    let open = row(&ledger, &refund).await;
    assert_eq!((open.state, open.lease_until), (State::InDoubt, bench.now()));
    assert_eq!(open.doubt, Some(because("found")));
    // What was found counts anew: the window is not over because the first claim's was.
    assert!(!ledger.judge_not_applied(&open, WINDOW).await.unwrap());
    assert!(matches!(
        crate::bench::ask(&ledger, &refund).await,
        sunmi_trade::ledger::Claim::Known(_)
    ));
    bench.pass(WINDOW);
    assert!(ledger.judge_not_applied(&open, WINDOW).await.unwrap());
    assert!(!row(&ledger, &refund).await.told, "the next caller is told once more");
}

async fn a_person_is_needed_once(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES {
        let refund = refund(state.name());
        let before = bring(&ledger, &refund, state).await;
        let open = matches!(state, State::InDoubt | State::Processing);
        assert_eq!(ledger.needs_person(&before.key, 1).await.unwrap(), open, "{state:?}");
        assert!(!ledger.needs_person(&before.key, 1).await.unwrap(), "{state:?}, twice");
        let after = row(&ledger, &refund).await;
        assert_eq!((after.person, after.change), (open, before.change), "{state:?}");
        if open {
            // At rest, it needs nobody any more.
            let settled = move_on(&ledger, &refund, 1, State::Settled).await;
            assert!(!settled.person);
        }
    }
    for number in ["judged", "given-back"] {
        let refund = refund(number);
        let seen = looked(&ledger, &refund).await;
        fresh(claim_as(&ledger, &refund, &seen, number).await);
        let in_doubt = move_on(&ledger, &refund, 1, State::InDoubt).await;
        assert!(ledger.needs_person(&in_doubt.key, 1).await.unwrap());
        bench.pass(LEASE + WINDOW);
        let moved = match number {
            "judged" => ledger.judge_not_applied(&in_doubt, WINDOW).await,
            _ => ledger.give_back(&in_doubt.key, number, "a test").await,
        };
        assert!(moved.unwrap(), "{number}");
        assert!(!row(&ledger, &refund).await.person, "{number}");
    }
}

async fn a_change_is_told_to_who_waits_for_it(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (ours, theirs) = (refund("R1"), refund("R2"));
    claim(&ledger, &ours).await;
    let clone = ledger.clone();
    let mut changes = ledger.changes(&Key::of(&ours));
    let told = tokio::spawn(async move { changes.next().await });
    claim(&clone, &theirs).await;
    move_on(&clone, &ours, 1, State::InDoubt).await;
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("told").unwrap();
    // What changes nothing, and what changes another row, is not told.
    let mut changes = ledger.changes(&Key::of(&ours));
    assert!(!clone.expire(&Key::of(&ours), 1).await.unwrap());
    move_on(&clone, &theirs, 1, State::InDoubt).await;
    let nothing = tokio::time::timeout(Duration::from_millis(50), changes.next()).await;
    assert!(nothing.is_err(), "told of nothing");
}
