//! Many at once, in two processes.

use sunmi_trade::ledger::{Claim, Key, Ledger, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{Bench, CEILING, answer, bring, on_every_ledger, refund, row};

on_every_ledger! {
    of_many_claims_of_a_number_one_is_fresh
    of_many_claims_with_other_content_one_is_fresh
    of_many_claims_after_a_refusal_one_is_fresh
    evidence_wins_over_a_crowd
}

const CROWD: i64 = 50;

/// How often the crowd was told each of fresh, known and differs.
async fn crowd(ledgers: [&Ledger; 2], asked: impl Fn(i64) -> Refund) -> [usize; 3] {
    let tasks: Vec<_> = (0..CROWD)
        .map(|at| {
            let (ledger, refund) = (ledgers[usize::from(at % 2 == 0)].clone(), asked(at));
            tokio::spawn(async move { ledger.claim(&refund, CEILING).await.unwrap() })
        })
        .collect();
    let mut told = [0; 3];
    for task in tasks {
        match task.await.unwrap() {
            Claim::Fresh(_) => told[0] += 1,
            Claim::Known(row) => {
                assert_eq!(row.state, State::Claimed);
                told[1] += 1;
            }
            Claim::Differs(fields) => {
                assert_eq!(fields, ["amount_minor"]);
                told[2] += 1;
            }
            Claim::Free => panic!("a claim that claims nothing"),
        }
    }
    told
}

async fn of_many_claims_of_a_number_one_is_fresh(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    for number in ["R1", "R2", "R3"] {
        assert_eq!(crowd([&ledger, &other], |_| refund(number)).await, [1, 49, 0]);
    }
}

async fn of_many_claims_with_other_content_one_is_fresh(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    let asked = |at: i64| Refund { amount: 1 + at, ..refund("R1") };
    assert_eq!(crowd([&ledger, &other], asked).await, [1, 0, 49]);
}

async fn of_many_claims_after_a_refusal_one_is_fresh(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    bring(&ledger, &refund("R1"), State::NotApplied).await;
    for epoch in 2..5 {
        assert_eq!(crowd([&ledger, &other], |_| refund("R1")).await, [1, 49, 0]);
        assert_eq!(row(&ledger, &refund("R1")).await.epoch, epoch);
        assert!(ledger.refuse(&Key::of(&refund("R1")), epoch, "a test").await.unwrap());
    }
}

async fn evidence_wins_over_a_crowd(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    let (refund, key) = (refund("R1"), Key::of(&refund("R1")));
    bring(&ledger, &refund, State::Claimed).await;
    let tasks: Vec<_> = (0..CROWD)
        .map(|at| {
            let ledger = if at % 2 == 0 { ledger.clone() } else { other.clone() };
            let (refund, key) = (refund.clone(), key.clone());
            tokio::spawn(async move {
                let done = answer(&refund, TradeState::Succeeded);
                match at % 5 {
                    0 => ledger.settle(&refund, 1, &done).await,
                    1 => ledger.refuse(&key, 1, "a test").await,
                    2 => ledger.doubt(&key, 1).await,
                    3 => ledger.processing(&key, 1, &done).await,
                    _ => ledger.claim(&refund, CEILING).await.map(|_| false),
                }
                .unwrap()
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let row = row(&ledger, &refund).await;
    assert_eq!((row.state, row.outcome), (State::Settled, Some(TradeState::Succeeded)));
}
