//! What the resolver is given to do, and what operators see of it.

use std::collections::BTreeMap;
use std::time::Duration;

use sunmi_trade::ledger::{Key, Patience, Row, State};
use sunmi_trade::metrics::Doubts;
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{
    Bench, LEASE, STATES, WINDOW, answer, bring, claim, id, on_every_ledger, refund, row,
};

on_every_ledger! {
    the_longest_overdue_come_first_and_are_held
    what_is_due_is_taken_by_one_of_many
    what_is_at_rest_is_never_due
    a_row_can_be_left_alone_for_a_while
    refunds_of_an_app_id_can_be_made_due_but_for_those_that_are_being_sent
    doubts_are_counted_and_aged
    what_needs_a_person_is_counted
    a_clock_that_went_back_hides_nothing
    rows_are_listed_by_state_and_the_latest_first
}

/// No row is due later than this from now.
const LATEST: Duration = Duration::from_secs(3600);

/// How long Sunmi may take to finish one.
const PROCESSING: Duration = Duration::from_secs(3 * 86_400);

const PATIENCE: Patience = Patience { window: WINDOW, processing: PROCESSING };

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

fn numbers(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| row.key.order_id.as_str()).collect()
}

async fn refunds_of_an_app_id_can_be_made_due_but_for_those_that_are_being_sent(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = Refund { app_id: id("other"), ..refund("R4") };
    let states = [
        (refund("R1"), State::InDoubt),
        (refund("R2"), State::Processing),
        (refund("R3"), State::Claimed),
        (other, State::InDoubt),
    ];
    for (refund, state) in states {
        bring(&ledger, &refund, state).await;
        ledger.look_again(&Key::of(&refund), 1000 * SECOND).await.unwrap();
    }
    assert_eq!(numbers(&ledger.take_due(9, 10 * SECOND, LATEST).await.unwrap()), [""; 0]);
    ledger.look_now(&refund("R1").app_id).await.unwrap();
    assert_eq!(numbers(&ledger.take_due(9, 10 * SECOND, LATEST).await.unwrap()), ["R1", "R2"]);
}

async fn the_longest_overdue_come_first_and_are_held(bench: &Bench) {
    let ledger = bench.ledger().await;
    // Numbered against their age, so that the order is not the key's.
    for number in ["R5", "R4", "R3", "R2", "R1"] {
        bring(&ledger, &refund(number), State::InDoubt).await;
        bench.pass(SECOND);
    }
    let taken = ledger.take_due(2, 10 * SECOND, LATEST).await.unwrap();
    assert_eq!(numbers(&taken), ["R5", "R4"]);
    assert_eq!(numbers(&ledger.take_due(2, 10 * SECOND, LATEST).await.unwrap()), ["R3", "R2"]);
    assert_eq!(numbers(&ledger.take_due(2, 10 * SECOND, LATEST).await.unwrap()), ["R1"]);
    assert_eq!(numbers(&ledger.take_due(2, 10 * SECOND, LATEST).await.unwrap()), [""; 0]);
    bench.pass(10 * SECOND - Duration::from_millis(1));
    assert_eq!(numbers(&ledger.take_due(9, 10 * SECOND, LATEST).await.unwrap()), [""; 0]);
    bench.pass(Duration::from_millis(1));
    // Held for equally long: then by their number.
    let taken = ledger.take_due(9, 10 * SECOND, LATEST).await.unwrap();
    assert_eq!(numbers(&taken), ["R1", "R2", "R3", "R4", "R5"]);
    assert_eq!(row(&ledger, &refund("R1")).await.looks, 2);
}

async fn what_is_due_is_taken_by_one_of_many(bench: &Bench) {
    let ledger = bench.ledger().await;
    for at in 0..40 {
        bring(&ledger, &refund(&format!("R{at}")), State::InDoubt).await;
    }
    let mut takers = Vec::new();
    for _ in 0..8 {
        let ledger = bench.another(&ledger).await;
        takers.push(tokio::spawn(async move {
            let mut taken = Vec::new();
            loop {
                let rows = ledger.take_due(3, 60 * SECOND, LATEST).await.unwrap();
                if rows.is_empty() {
                    return taken;
                }
                taken.extend(rows.into_iter().map(|row| row.key.order_id.to_string()));
            }
        }));
    }
    let mut times: BTreeMap<String, u32> = BTreeMap::new();
    for taker in takers {
        for number in taker.await.unwrap() {
            *times.entry(number).or_default() += 1;
        }
    }
    // A taker may find that others were quicker with all that it saw, and leave some.
    let rest = ledger.take_due(100, 60 * SECOND, LATEST).await.unwrap();
    for number in numbers(&rest) {
        *times.entry(number.to_owned()).or_default() += 1;
    }
    assert_eq!(times.len(), 40);
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

async fn what_is_at_rest_is_never_due(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in STATES {
        bring(&ledger, &refund(state.name()), state).await;
    }
    let taken = ledger.take_due(9, LEASE, LATEST).await.unwrap();
    assert_eq!(numbers(&taken), ["in_doubt", "processing"]);
    bench.pass(LEASE);
    // Now the claim's lease is over, too.
    let taken = ledger.take_due(9, SECOND, LATEST).await.unwrap();
    assert_eq!(numbers(&taken), ["claimed", "in_doubt", "processing"]);
    bench.pass(1000 * LEASE);
    assert_eq!(ledger.take_due(9, SECOND, LATEST).await.unwrap().len(), 3);
}

async fn a_row_can_be_left_alone_for_a_while(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    bring(&ledger, &refund, State::InDoubt).await;
    assert_eq!(ledger.take_due(1, 60 * SECOND, LATEST).await.unwrap().len(), 1);
    ledger.look_again(&Key::of(&refund), 2 * SECOND).await.unwrap();
    bench.pass(SECOND);
    assert!(ledger.take_due(1, 60 * SECOND, LATEST).await.unwrap().is_empty());
    bench.pass(SECOND);
    assert_eq!(ledger.take_due(1, 60 * SECOND, LATEST).await.unwrap().len(), 1);
    // What becomes doubtful again is looked at again at once.
    let accepted = answer(&refund, TradeState::Processing);
    assert!(ledger.processing(&Key::of(&refund), &accepted).await.unwrap());
    assert_eq!(ledger.take_due(1, 60 * SECOND, LATEST).await.unwrap().len(), 1);
}

async fn doubts_are_counted_and_aged(bench: &Bench) {
    let ledger = bench.ledger().await;
    let doubts = async || ledger.doubts(PATIENCE).await.unwrap();
    assert_eq!(doubts().await, Doubts::default());
    claim(&ledger, &refund("claimed")).await;
    bring(&ledger, &refund("settled"), State::Settled).await;
    bring(&ledger, &refund("not-applied"), State::NotApplied).await;
    bench.pass(SECOND);
    assert_eq!(doubts().await, Doubts::default());
    bring(&ledger, &refund("accepted"), State::Processing).await;
    bench.pass(2 * SECOND);
    bring(&ledger, &refund("R1"), State::InDoubt).await;
    bring(&ledger, &refund("R2"), State::InDoubt).await;
    let (oldest, none) = (2 * SECOND, Doubts::default());
    assert_eq!(doubts().await, Doubts { in_doubt: 2, processing: 1, oldest, ..none });
    bench.pass(LEASE - 3 * SECOND);
    // The claim's owner is gone: it counts, though nobody has put it in doubt.
    let none = Doubts::default();
    assert_eq!(doubts().await, Doubts { in_doubt: 3, processing: 1, oldest: LEASE, ..none });
}

async fn what_needs_a_person_is_counted(bench: &Bench) {
    let ledger = bench.ledger().await;
    let persons = async || ledger.doubts(PATIENCE).await.unwrap().persons;
    for state in STATES {
        bring(&ledger, &refund(state.name()), state).await;
    }
    assert_eq!(persons().await, 0);
    // For so long the resolver may still find out, also one that began meanwhile.
    bench.pass(LEASE + 2 * WINDOW - MILLISECOND);
    assert_eq!(persons().await, 0);
    bench.pass(MILLISECOND);
    // Nobody has put the claim in doubt, and its window is over all the same.
    assert_eq!(persons().await, 2);
    bench.pass(PROCESSING - LEASE - 2 * WINDOW - MILLISECOND);
    assert_eq!(persons().await, 2);
    bench.pass(MILLISECOND);
    assert_eq!(persons().await, 3);
    // Before that, where it is known that nothing else can settle it.
    for state in [State::InDoubt, State::Processing] {
        let row = bring(&ledger, &refund(&format!("new-{}", state.name())), state).await;
        assert!(ledger.needs_person(&row.key, 1).await.unwrap());
    }
    assert_eq!(persons().await, 5);
}

async fn a_clock_that_went_back_hides_nothing(bench: &Bench) {
    let ledger = bench.ledger().await;
    claim(&ledger, &refund("claimed")).await;
    bring(&ledger, &refund("R1"), State::InDoubt).await;
    bring(&ledger, &refund("R2"), State::Processing).await;
    assert_eq!(ledger.doubts(PATIENCE).await.unwrap().oldest, SECOND, "at once");
    let due = async || ledger.take_due(9, LEASE, LATEST).await.unwrap();
    assert_eq!(due().await.len(), 2, "both are held for as long as the claim's lease");
    bench.step_back(LATEST - LEASE);
    assert!(due().await.is_empty(), "due at the latest possible time");
    bench.step_back(MILLISECOND);
    assert_eq!(due().await.len(), 3, "due later than possible");
    assert!(due().await.is_empty(), "held from now on");
    let doubts = ledger.doubts(PATIENCE).await.unwrap();
    assert_eq!((doubts.in_doubt, doubts.processing, doubts.oldest), (1, 1, SECOND));
    // Its owner is known to be gone by a clock that did not go back.
    let row = row(&ledger, &refund("claimed")).await;
    assert!(!row.lease_is_over());
    assert!(ledger.expire(&row.key, row.epoch).await.unwrap());
    assert_eq!(ledger.doubts(PATIENCE).await.unwrap().in_doubt, 2);
}

async fn rows_are_listed_by_state_and_the_latest_first(bench: &Bench) {
    let ledger = bench.ledger().await;
    for (number, state) in [("R3", State::InDoubt), ("R1", State::Settled), ("R2", State::InDoubt)]
    {
        bring(&ledger, &refund(number), state).await;
        bench.pass(SECOND);
    }
    assert_eq!(numbers(&ledger.list(None, 9).await.unwrap()), ["R2", "R1", "R3"]);
    assert_eq!(numbers(&ledger.list(None, 2).await.unwrap()), ["R2", "R1"]);
    assert_eq!(numbers(&ledger.list(Some(State::InDoubt), 9).await.unwrap()), ["R2", "R3"]);
    assert!(ledger.list(Some(State::Claimed), 9).await.unwrap().is_empty());
}
