//! Which move a row allows, from which state and of which claim.

use std::time::Duration;

use sunmi_trade::ledger::{Decision, Key, Ledger, Row, State};
use sunmi_trade::trade::{OrderRef, Refund, TradeState};

use crate::bench::{
    Bench, LEASE, STATES, WINDOW, answer, bring, claim, id, on_every_ledger, refund, row,
};

on_every_ledger! {
    each_move_leads_from_its_states_alone
    a_stale_owner_changes_nothing
    evidence_of_an_old_claim_wins_with_what_was_executed
    a_failure_is_written_over_its_own_claim_alone
    what_is_settled_stays_as_it_is
    a_lease_is_over_when_it_is_over
    a_change_is_told_to_who_waits_for_it
    a_failed_refund_is_settled_as_failed
}

#[derive(Clone, Copy, Debug)]
enum Move {
    Doubt,
    Expire,
    Refuse,
    Processing,
    Settle,
    Judge,
}

impl Move {
    const ALL: [Self; 6] =
        [Self::Doubt, Self::Expire, Self::Refuse, Self::Processing, Self::Settle, Self::Judge];

    /// Tries it over the row as it was seen.
    async fn make(self, ledger: &Ledger, refund: &Refund, seen: &Row) -> bool {
        let (key, epoch) = (&seen.key, seen.epoch);
        let moved = match self {
            Self::Doubt => ledger.doubt(key, epoch).await,
            Self::Expire => ledger.expire(key, epoch).await,
            Self::Refuse => ledger.refuse(key, epoch, "a test").await,
            Self::Processing => {
                ledger.processing(key, epoch, &answer(refund, TradeState::Processing)).await
            }
            Self::Settle => {
                ledger.settle(refund, epoch, &answer(refund, TradeState::Succeeded)).await
            }
            Self::Judge => ledger.judge_not_applied(seen, WINDOW).await,
        };
        moved.expect("a ledger that works")
    }

    /// Where it leads from this state, if anywhere.
    fn leads(self, from: State) -> Option<State> {
        match (self, from) {
            (Self::Doubt | Self::Expire, State::Claimed) => Some(State::InDoubt),
            (Self::Refuse, State::Claimed) | (Self::Judge, State::InDoubt) => {
                Some(State::NotApplied)
            }
            (Self::Processing, State::Claimed | State::InDoubt) => Some(State::Processing),
            (Self::Settle, from) if from != State::Settled => Some(State::Settled),
            _ => None,
        }
    }
}

/// What must be the same if nothing was changed.
fn written(row: &Row) -> String {
    format!("{:?}", Row { now: 0, ..row.clone() })
}

async fn each_move_leads_from_its_states_alone(bench: &Bench) {
    let ledger = bench.ledger().await;
    for (at, (from, step)) in
        STATES.into_iter().flat_map(|from| Move::ALL.map(|step| (from, step))).enumerate()
    {
        // Each of a payment of its own, so that none is in the way of another's judgement.
        let original = OrderRef::OrderId(id(&format!("P{at}")));
        let refund = Refund { original, ..refund(&format!("R{at}")) };
        bring(&ledger, &refund, from).await;
        bench.pass(LEASE + WINDOW);
        let seen = row(&ledger, &refund).await;
        let moved = step.make(&ledger, &refund, &seen).await;
        let after = row(&ledger, &refund).await;
        assert_eq!(moved, step.leads(from).is_some(), "{step:?} from {from:?}");
        match step.leads(from) {
            Some(to) => assert_eq!((after.state, after.changed_at), (to, bench.now())),
            None => assert_eq!(written(&after), written(&seen), "{step:?} from {from:?}"),
        }
    }
}

async fn a_stale_owner_changes_nothing(bench: &Bench) {
    let ledger = bench.ledger().await;
    // What a claim of epoch 1 saw, and the row in each state under epoch 2.
    for state in [State::Claimed, State::InDoubt] {
        let refund = refund(state.name());
        let original = OrderRef::OrderId(id(state.name()));
        let refund = Refund { original, ..refund };
        let stale = Row { state, ..bring(&ledger, &refund, State::NotApplied).await };
        let epoch = claim(&ledger, &refund).await;
        assert_eq!(epoch, 2);
        if state == State::InDoubt {
            assert!(ledger.doubt(&Key::of(&refund), epoch).await.unwrap());
        }
        bench.pass(LEASE + WINDOW);
        let before = row(&ledger, &refund).await;
        for step in [Move::Doubt, Move::Expire, Move::Refuse, Move::Processing, Move::Judge] {
            assert!(!step.make(&ledger, &refund, &stale).await, "{step:?} of a stale owner");
        }
        let decision = Decision { by: "somebody".to_owned(), reason: "late".to_owned() };
        assert!(!ledger.decide(&stale, None, &decision).await.unwrap());
        assert_eq!(written(&row(&ledger, &refund).await), written(&before));
    }
}

async fn evidence_of_an_old_claim_wins_with_what_was_executed(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES.into_iter().filter(|state| *state != State::Settled) {
        let first = refund(state.name());
        bring(&ledger, &first, State::NotApplied).await;
        let second = Refund { amount: 55, original: OrderRef::MisId(id("M")), ..first.clone() };
        let key = Key::of(&second);
        let epoch = claim(&ledger, &second).await;
        match state {
            State::InDoubt => assert!(ledger.doubt(&key, epoch).await.unwrap()),
            State::Processing => {
                let accepted = answer(&second, TradeState::Processing);
                assert!(ledger.processing(&key, epoch, &accepted).await.unwrap());
            }
            State::NotApplied => assert!(ledger.refuse(&key, epoch, "a test").await.unwrap()),
            State::Claimed | State::Settled => {}
        }
        let done = answer(&first, TradeState::Succeeded);
        assert!(ledger.settle(&first, 1, &done).await.unwrap(), "over {state:?}");
        let row = row(&ledger, &first).await;
        assert_eq!((row.state, row.outcome), (State::Settled, Some(TradeState::Succeeded)));
        assert_eq!((row.amount, &row.original), (Some(100), &first.original));
        assert_eq!((row.answer, row.epoch), (Some(done), 2));
        // The owner of the second claim hears of it.
        assert!(!ledger.refuse(&key, epoch, "a test").await.unwrap());
    }
}

async fn a_failure_is_written_over_its_own_claim_alone(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES.into_iter().filter(|state| *state != State::Settled) {
        let refund = refund(state.name());
        bring(&ledger, &refund, State::NotApplied).await;
        bring(&ledger, &refund, state).await;
        let failed = answer(&refund, TradeState::Failed);
        let before = row(&ledger, &refund).await;
        assert_eq!(before.epoch, 2, "{state:?}");
        assert!(!ledger.settle(&refund, 1, &failed).await.unwrap(), "over {state:?}");
        assert_eq!(written(&row(&ledger, &refund).await), written(&before));
        assert!(ledger.settle(&refund, 2, &failed).await.unwrap(), "over {state:?}");
        assert_eq!(row(&ledger, &refund).await.outcome, Some(TradeState::Failed));
    }
}

async fn what_is_settled_stays_as_it_is(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let before = bring(&ledger, &refund, State::Settled).await;
    bench.pass(Duration::from_secs(1));
    let other = Refund { amount: 1, ..refund.clone() };
    assert!(!ledger.settle(&other, 1, &answer(&other, TradeState::Failed)).await.unwrap());
    let decision = Decision { by: "somebody".to_owned(), reason: "a test".to_owned() };
    let seen_in_doubt = Row { state: State::InDoubt, ..before.clone() };
    assert!(!ledger.decide(&seen_in_doubt, None, &decision).await.unwrap());
    assert_eq!(written(&row(&ledger, &refund).await), written(&before));
}

async fn a_lease_is_over_when_it_is_over(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (refund, millisecond) = (refund("R1"), Duration::from_millis(1));
    let (key, epoch) = (Key::of(&refund), claim(&ledger, &refund).await);
    bench.pass(LEASE - millisecond);
    assert!(!row(&ledger, &refund).await.lease_is_over());
    assert!(!ledger.expire(&key, epoch).await.unwrap());
    assert_eq!(row(&ledger, &refund).await.state, State::Claimed);
    bench.pass(millisecond);
    assert!(row(&ledger, &refund).await.lease_is_over());
    assert!(ledger.expire(&key, epoch).await.unwrap());
    assert!(row(&ledger, &refund).await.is_open());
    // Its owner may have been slow, but not to tell what happened.
    let done = answer(&refund, TradeState::Succeeded);
    assert!(ledger.settle(&refund, epoch, &done).await.unwrap());
}

async fn a_change_is_told_to_who_waits_for_it(bench: &Bench) {
    let ledger = bench.ledger().await;
    let (ours, theirs) = (refund("R1"), refund("R2"));
    claim(&ledger, &ours).await;
    let clone = ledger.clone();
    let mut changes = ledger.changes(&Key::of(&ours));
    let told = tokio::spawn(async move { changes.next().await });
    claim(&clone, &theirs).await;
    assert!(clone.doubt(&Key::of(&ours), 1).await.unwrap());
    tokio::time::timeout(Duration::from_secs(30), told).await.expect("told").unwrap();
    // What changes nothing, and what changes another row, is not told.
    let mut changes = ledger.changes(&Key::of(&ours));
    assert!(!clone.doubt(&Key::of(&ours), 1).await.unwrap());
    assert!(clone.doubt(&Key::of(&theirs), 1).await.unwrap());
    let nothing = tokio::time::timeout(Duration::from_millis(50), changes.next()).await;
    assert!(nothing.is_err(), "told of nothing");
}

async fn a_failed_refund_is_settled_as_failed(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    let epoch = claim(&ledger, &refund).await;
    let failed = answer(&refund, TradeState::Failed);
    assert!(ledger.settle(&refund, epoch, &failed).await.unwrap());
    let row = row(&ledger, &refund).await;
    assert_eq!((row.state, row.outcome), (State::Settled, Some(TradeState::Failed)));
    assert_eq!(row.answer, Some(failed));
}
