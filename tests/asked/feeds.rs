//! The feed of changes: nothing is missed, whoever writes.

use std::collections::HashMap;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use sunmi_trade::ledger::{FeedPlace, Ledger, Patience, State};
use tokio::time::Instant;

use crate::bench::{Bench, Kind, bring, claim, move_to, on, on_every_ledger, refund};
use crate::server::GUARD;

const HOUR: Duration = Duration::from_secs(3600);

on_every_ledger! {
    what_needs_a_person_by_its_age_is_told_once
    a_refund_is_told_again_after_each_change_and_looks_are_none
    from_the_end_on_only_new_changes_are_told
    writers_in_two_processes_leave_nothing_out
}

async fn read(ledger: &Ledger, place: &mut FeedPlace) -> Vec<(String, State)> {
    let mut told = Vec::new();
    loop {
        let batch = ledger.feed_after(place, 3).await.unwrap();
        let Some((_, last)) = batch.last() else { return told };
        *place = last.clone();
        told.extend(batch.into_iter().map(|(row, _)| (row.key.order_id.to_string(), row.state)));
    }
}

/// Reads until so many changes are told. Where others write to the same PostgreSQL, as other tests
/// do, that may take until they have ended.
async fn read_all(ledger: &Ledger, place: &mut FeedPlace, count: usize) -> Vec<(String, State)> {
    let mut all = Vec::new();
    let until = Instant::now() + GUARD;
    while all.len() < count && Instant::now() < until {
        all.extend(read(ledger, place).await);
        tokio::task::yield_now().await;
    }
    all
}

fn told(all: &[(&str, State)]) -> Vec<(String, State)> {
    all.iter().map(|(number, state)| ((*number).to_owned(), *state)).collect()
}

async fn a_refund_is_told_again_after_each_change_and_looks_are_none(bench: &Bench) {
    let ledger = bench.ledger().await;
    let mut place = FeedPlace::default();
    let row = claim(&ledger, &refund("R1")).await;
    bring(&ledger, &refund("R2"), State::Settled).await;
    let first = told(&[("R1", State::Claimed), ("R2", State::Settled)]);
    assert_eq!(read_all(&ledger, &mut place, 2).await, first);
    assert_eq!(read(&ledger, &mut place).await, []);
    move_to(&ledger, &row.key, 1, State::InDoubt).await;
    let doubt = told(&[("R1", State::InDoubt)]);
    assert_eq!(read_all(&ledger, &mut place, 1).await, doubt);
    ledger.look_again(&row.key, Duration::from_secs(1)).await.unwrap();
    assert_eq!(read(&ledger, &mut place).await, []);
    // What raises no change number is told all the same.
    assert!(ledger.needs_person(&row.key, 1).await.unwrap());
    assert_eq!(read_all(&ledger, &mut place, 1).await, doubt);
    ledger.dispute(&row.key, "a contradiction").await.unwrap();
    assert_eq!(read_all(&ledger, &mut place, 1).await, doubt);
    // From the beginning, each is told once, by its last change.
    let all = told(&[("R2", State::Settled), ("R1", State::InDoubt)]);
    assert_eq!(read_all(&ledger, &mut FeedPlace::default(), 2).await, all);
}

async fn what_needs_a_person_by_its_age_is_told_once(bench: &Bench) {
    let ledger = bench.ledger().await;
    let patience = Patience { window: HOUR, processing: HOUR };
    for (number, state) in [
        ("claimed", State::Claimed),
        ("doubt", State::InDoubt),
        ("processing", State::Processing),
        ("settled", State::Settled),
    ] {
        bring(&ledger, &refund(number), state).await;
    }
    let mut place = FeedPlace::default();
    assert_eq!(read_all(&ledger, &mut place, 4).await.len(), 4);
    bench.pass(HOUR - Duration::from_secs(1));
    assert_eq!(ledger.call_persons(patience).await.unwrap(), 0);
    bench.pass(Duration::from_secs(1));
    assert_eq!(ledger.call_persons(patience).await.unwrap(), 1);
    assert_eq!(read_all(&ledger, &mut place, 1).await, told(&[("processing", State::Processing)]));
    bench.pass(2 * HOUR);
    assert_eq!(ledger.call_persons(patience).await.unwrap(), 1);
    assert_eq!(read_all(&ledger, &mut place, 1).await, told(&[("doubt", State::InDoubt)]));
    assert_eq!(ledger.call_persons(patience).await.unwrap(), 0);
    assert_eq!(read(&ledger, &mut place).await, []);
}

async fn from_the_end_on_only_new_changes_are_told(bench: &Bench) {
    let ledger = bench.ledger().await;
    let row = claim(&ledger, &refund("R1")).await;
    // Where other tests write to the same PostgreSQL, it may take a while to be before the end.
    let claimed = told(&[("R1", State::Claimed)]);
    assert_eq!(read_all(&ledger, &mut FeedPlace::default(), 1).await, claimed);
    let mut place = ledger.feed_end().await.unwrap();
    assert_eq!(read(&ledger, &mut place).await, []);
    move_to(&ledger, &row.key, 1, State::Processing).await;
    let processing = told(&[("R1", State::Processing)]);
    assert_eq!(read_all(&ledger, &mut place, 1).await, processing);
    assert_eq!(ledger.feed().await.unwrap().id, ledger.feed().await.unwrap().id);
}

async fn writers_in_two_processes_leave_nothing_out(bench: &Bench) {
    let first = bench.ledger().await;
    let second = bench.another(&first).await;
    let reader = bench.another(&first).await;
    let mut writers = Vec::new();
    for writer in 0..8 {
        let ledger = if writer % 2 == 0 { first.clone() } else { second.clone() };
        writers.push(tokio::spawn(async move {
            for number in 0..25 {
                let refund = refund(&format!("R{writer}-{number}"));
                let row = bring(&ledger, &refund, State::InDoubt).await;
                if number % 2 == 0 {
                    move_to(&ledger, &row.key, 1, State::Settled).await;
                }
            }
        }));
    }
    let order = |state: State| match state {
        State::Claimed => 0,
        State::InDoubt | State::Processing => 1,
        State::Settled | State::NotApplied => 2,
    };
    let (mut place, mut seen) = (FeedPlace::default(), HashMap::<String, State>::new());
    let all = |seen: &HashMap<String, State>| {
        (0..8).all(|writer| {
            let last = |number| seen.get(&format!("R{writer}-{number}")).copied();
            (0..25).all(|number| {
                let state = if number % 2 == 0 { State::Settled } else { State::InDoubt };
                last(number) == Some(state)
            })
        })
    };
    let until = Instant::now() + GUARD;
    while !all(&seen) && Instant::now() < until {
        for (number, state) in read(&reader, &mut place).await {
            let before = seen.insert(number.clone(), state);
            assert!(before.is_none_or(|before| order(before) <= order(state)), "{number}");
        }
        tokio::task::yield_now().await;
    }
    for writer in writers {
        writer.await.unwrap();
    }
    assert!(all(&seen), "{} of 200", seen.len());
}

/// A transaction that began before others and ends after them: what it wrote is told, although
/// what they wrote could have been told long before.
#[tokio::test]
async fn what_is_committed_late_is_not_passed_over() {
    on(Kind::Postgres, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let url = bench.database.as_ref().expect("PostgreSQL").url();
        let late = claim(&ledger, &refund("late")).await;
        let early = claim(&ledger, &refund("early")).await;
        // Where other tests write to the same PostgreSQL, it may take a while to be before the end.
        assert_eq!(read_all(&ledger, &mut FeedPlace::default(), 2).await.len(), 2);
        let mut place = ledger.feed_end().await.unwrap();
        let mut other = PgConnection::connect(url.as_str()).await.unwrap();
        let mut tx = other.begin().await.unwrap();
        let write = "UPDATE refunds SET state = 'processing', change = change + 1 \
            WHERE order_id = 'late'";
        sqlx::query(write).execute(&mut *tx).await.unwrap();
        move_to(&ledger, &early.key, 1, State::Settled).await;
        let mut seen = read(&ledger, &mut place).await;
        assert!(ledger.feed_is_held_up().await.unwrap());
        tx.commit().await.unwrap();
        seen.extend(read_all(&ledger, &mut place, 2).await);
        seen.sort_by(|one, other| one.0.cmp(&other.0));
        let all = told(&[("early", State::Settled), ("late", State::Processing)]);
        assert_eq!(seen, all);
        assert_eq!(ledger.row(&late.key).await.unwrap().state, State::Processing);
    })
    .await;
}

/// A dump of PostgreSQL that is restored elsewhere has numbers of transactions that are still to
/// come there.
#[tokio::test]
async fn a_restored_ledger_begins_its_feed_anew() {
    on(Kind::Postgres, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        claim(&ledger, &refund("R1")).await;
        let id = ledger.feed().await.unwrap().id;
        let url = bench.database.as_ref().expect("PostgreSQL").url();
        let mut other = PgConnection::connect(url.as_str()).await.unwrap();
        let far = "UPDATE refunds SET feed = 4000000000000000";
        sqlx::query(far).execute(&mut other).await.unwrap();
        assert_eq!(read(&ledger, &mut FeedPlace::default()).await, []);
        let reopened = bench.ledger().await;
        assert_ne!(reopened.feed().await.unwrap().id, id);
        let all = told(&[("R1", State::Claimed)]);
        assert_eq!(read_all(&reopened, &mut FeedPlace::default(), 1).await, all);
        // And only then.
        let id = reopened.feed().await.unwrap().id;
        assert_eq!(bench.ledger().await.feed().await.unwrap().id, id);
        // Nor do numbers mean anything that another database gave, whatever they are.
        let elsewhere = "UPDATE ledger_facts SET value = '1/2/3' WHERE name = 'feed of'";
        sqlx::query(elsewhere).execute(&mut other).await.unwrap();
        let moved = bench.ledger().await;
        assert_ne!(moved.feed().await.unwrap().id, id);
        assert_eq!(read_all(&moved, &mut FeedPlace::default(), 1).await, all);
    })
    .await;
}
