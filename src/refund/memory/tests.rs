use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::clock::BootClock;
use crate::trade::TradeState;

const LAG: Duration = Duration::from_secs(5);

/// A clock that a test sets, in seconds.
fn clock() -> (BootClock, impl Fn(u64) -> BootTime) {
    let seconds = Arc::new(AtomicU64::new(0));
    let now = Arc::clone(&seconds);
    let clock =
        BootClock::given(Arc::new(move || Duration::from_secs(now.load(Ordering::Relaxed))));
    let at = clock.clone();
    (clock, move |second| {
        seconds.store(second, Ordering::Relaxed);
        at.now()
    })
}

fn in_doubt() -> Row {
    Row { state: State::InDoubt, ..Row::example() }
}

#[test]
fn an_age_counts_from_the_first_sight_of_this_state_claim_and_lease() {
    let (_, at) = clock();
    let (memory, row) = (Memory::default(), in_doubt());
    assert_eq!(memory.age(&row, at(10)), Duration::ZERO);
    assert_eq!(memory.age(&row, at(70)), Duration::from_secs(60));
    for other in [
        Row { state: State::Processing, ..in_doubt() },
        Row { epoch: 2, ..in_doubt() },
        Row { lease_until: 7, ..in_doubt() },
    ] {
        assert_eq!(memory.age(&other, at(80)), Duration::ZERO);
        assert_eq!(memory.age(&row, at(90)), Duration::ZERO);
    }
    assert_eq!(memory.age(&row, at(95)), Duration::from_secs(5));
    memory.forget(&row.key);
    assert_eq!(memory.age(&row, at(99)), Duration::ZERO);
}

#[test]
fn those_who_follow_a_refund_share_looks_that_come_less_and_less_often() {
    let (_, at) = clock();
    let (memory, row) = (Memory::default(), in_doubt());
    let mut looks = Vec::new();
    for second in 0..12 {
        let now = at(second);
        if memory.may_look(&row, now) {
            looks.push(second);
        }
        assert!(!memory.may_look(&row, now), "two look at once");
    }
    assert_eq!(looks, [0, 1, 2, 3, 4, 6, 8, 10]);
}

#[test]
fn an_answer_is_borne_out_by_a_look_a_lag_ago_and_by_none_since_that_was_not() {
    let (_, at) = clock();
    let (memory, row) = (Memory::default(), in_doubt());
    assert!(!memory.was_borne_out(&row, LAG, at(0)));
    memory.note_look(&row, true, at(10));
    memory.note_look(&row, true, at(14));
    assert!(!memory.was_borne_out(&row, LAG, at(14)));
    assert!(memory.was_borne_out(&row, LAG, at(15)));
    memory.note_look(&row, false, at(15));
    assert!(!memory.was_borne_out(&row, LAG, at(30)));
    memory.note_look(&row, true, at(30));
    let anew = Row { epoch: 2, ..in_doubt() };
    assert!(!memory.was_borne_out(&anew, LAG, at(40)));
}

#[test]
fn another_refund_counts_as_succeeded_a_lag_after_it_was_seen_so_in_that_claim() {
    let (_, at) = clock();
    let (memory, row) = (Memory::default(), in_doubt());
    let mut other =
        Row { state: State::Settled, outcome: Some(TradeState::Succeeded), ..Row::example() };
    other.key.order_id = crate::trade::Identifier::parse("R2".to_owned()).unwrap();
    memory.note_succeeded(&row, &[other.clone()], at(10));
    memory.note_succeeded(&row, &[other.clone()], at(14));
    assert!(!memory.succeeded_before(&row, &other, LAG, at(14)));
    assert!(memory.succeeded_before(&row, &other, LAG, at(15)));
    let again = Row { epoch: 2, ..other };
    assert!(!memory.succeeded_before(&row, &again, LAG, at(15)));
}

#[test]
fn a_refund_is_due_by_this_process_own_clock_once() {
    let (_, at) = clock();
    let (memory, row) = (Memory::default(), Row { looks: 3, ..in_doubt() });
    memory.set_due(&row, at(20), at(10));
    assert_eq!(memory.take_overdue(at(19)), []);
    assert_eq!(memory.take_overdue(at(20)), [(row.key.clone(), 3)]);
    assert_eq!(memory.take_overdue(at(21)), []);
    memory.forget_unused(Duration::from_secs(60), at(70));
    assert!(memory.all().is_empty());
}
