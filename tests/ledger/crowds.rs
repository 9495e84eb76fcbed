//! Many at once, in two processes.

use sunmi_trade::ledger::{Claim, Key, Ledger, Said, State};
use sunmi_trade::trade::{OrderRef, PaymentNames, Refund, TradeState};

use crate::bench::{
    Bench, acknowledging, answer, ask, because, bring, claim_after, id, looked_by, move_on,
    on_every_ledger, payment, refund, refund_of, row,
};

on_every_ledger! {
    of_many_claims_of_a_number_one_is_fresh
    of_many_claims_with_other_content_one_is_fresh
    of_many_claims_after_a_refusal_one_is_fresh
    of_many_refunds_of_a_payment_by_different_names_one_is_open
    of_many_that_know_of_each_other_none_overlooks_one
    evidence_wins_over_a_crowd
}

const CROWD: usize = 50;

/// How often the crowd was told each of fresh, known and differs.
async fn crowd(ledgers: [&Ledger; 2], asked: impl Fn(usize) -> Refund) -> [usize; 3] {
    let tasks: Vec<_> = (0..CROWD)
        .map(|at| {
            let (ledger, refund) = (ledgers[at % 2].clone(), asked(at));
            tokio::spawn(async move {
                loop {
                    match ask(&ledger, &refund).await {
                        Claim::Changed => {}
                        claim @ (Claim::Fresh(..)
                        | Claim::Known(_)
                        | Claim::Differs(_)
                        | Claim::InFlight(_)
                        | Claim::Beyond(_)) => return claim,
                    }
                }
            })
        })
        .collect();
    let mut told = [0; 3];
    for task in tasks {
        match task.await.unwrap() {
            Claim::Fresh(..) => told[0] += 1,
            Claim::Known(row) => {
                assert_eq!(row.state, State::Claimed);
                told[1] += 1;
            }
            Claim::Differs(fields) => {
                assert_eq!(fields, ["amount_minor"]);
                told[2] += 1;
            }
            other @ (Claim::InFlight(_) | Claim::Changed | Claim::Beyond(_)) => panic!("{other:?}"),
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
    let asked = |at: usize| Refund { amount: 1 + i64::try_from(at).unwrap(), ..refund("R1") };
    assert_eq!(crowd([&ledger, &other], asked).await, [1, 0, 49]);
}

async fn of_many_claims_after_a_refusal_one_is_fresh(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    bring(&ledger, &refund("R1"), State::NotApplied).await;
    for epoch in 2..5 {
        assert_eq!(crowd([&ledger, &other], |_| refund("R1")).await, [1, 49, 0]);
        assert_eq!(row(&ledger, &refund("R1")).await.epoch, epoch);
        move_on(&ledger, &refund("R1"), epoch, State::NotApplied).await;
    }
}

/// A refund of one payment, by one of its names, and what a look finds of it.
fn by_some_name(number: &str, at: usize) -> (Refund, PaymentNames) {
    let name = |text: &str| Some(text.to_owned());
    let all = PaymentNames { platform_id: name("X"), order_id: name("O"), mis_id: name("M") };
    let platform = PaymentNames { platform_id: name("X"), ..PaymentNames::default() };
    let (app_id, original, found) = match at % 5 {
        0 => ("app", OrderRef::OrderId(id("O")), all),
        1 => ("app", OrderRef::MisId(id("M")), platform),
        2 => ("app", OrderRef::PlatformId(id("X")), PaymentNames::default()),
        3 => ("other", OrderRef::PlatformId(id("X")), all),
        _ => ("third", OrderRef::OrderId(id("O")), platform),
    };
    (Refund { app_id: id(app_id), original, ..refund_of("P", number) }, found)
}

async fn of_many_refunds_of_a_payment_by_different_names_one_is_open(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    for round in 0..3 {
        let tasks: Vec<_> = (0..CROWD)
            .map(|at| {
                let (refund, found) = by_some_name(&format!("R{round}-{at}"), at);
                let ledger = [&ledger, &other][at % 2].clone();
                tokio::spawn(async move {
                    loop {
                        let seen = looked_by(&ledger, &refund, found.clone()).await;
                        match claim_after(&ledger, &refund, &seen).await {
                            Claim::Changed => {}
                            Claim::Fresh(..) => return Some(refund),
                            Claim::InFlight(_) => return None,
                            bad @ (Claim::Known(_) | Claim::Differs(_) | Claim::Beyond(_)) => {
                                panic!("{bad:?}")
                            }
                        }
                    }
                })
            })
            .collect();
        let mut fresh = Vec::new();
        for task in tasks {
            fresh.extend(task.await.unwrap());
        }
        let [winner] = &fresh[..] else { panic!("{} refunds are open at once", fresh.len()) };
        let (_, found) = by_some_name("R", 0);
        let rows = ledger.of_payment(&payment(winner, &found)).await.unwrap();
        assert_eq!(rows.iter().filter(|row| row.blocks_payment()).count(), 1);
        move_on(&other, winner, 1, State::Settled).await;
    }
}

async fn of_many_that_know_of_each_other_none_overlooks_one(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    let numbers: Vec<String> = (0..CROWD / 2).map(|at| format!("R{at}")).collect();
    let known: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let tasks: Vec<_> = known
        .iter()
        .enumerate()
        .map(|(at, number)| {
            let refund = acknowledging(refund_of("P", number), &known);
            let ledger = [&ledger, &other][at % 2].clone();
            tokio::spawn(async move {
                loop {
                    let seen = looked_by(&ledger, &refund, PaymentNames::default()).await;
                    match claim_after(&ledger, &refund, &seen).await {
                        Claim::Changed => {}
                        // How many it saw, and where it stands among them.
                        Claim::Fresh(_, row, _) => return (seen.rows.len(), row.claim_order),
                        bad @ (Claim::Known(_)
                        | Claim::Differs(_)
                        | Claim::InFlight(_)
                        | Claim::Beyond(_)) => {
                            panic!("{bad:?}")
                        }
                    }
                }
            })
        })
        .collect();
    let mut told = Vec::new();
    for task in tasks {
        told.push(task.await.unwrap());
    }
    told.sort_unstable();
    // Each saw all that were claimed before it: nobody twice as many, nobody fewer.
    let seen: Vec<usize> = told.iter().map(|(seen, _)| *seen).collect();
    assert_eq!(seen, (0..CROWD / 2).collect::<Vec<_>>());
    assert!(told.is_sorted_by(|(_, a), (_, b)| a < b), "{told:?}");
}

async fn evidence_wins_over_a_crowd(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    let (refund, key) = (refund("R1"), Key::of(&refund("R1")));
    bring(&ledger, &refund, State::Claimed).await;
    let tasks: Vec<_> = (0..CROWD)
        .map(|at| {
            let ledger = [&ledger, &other][at % 2].clone();
            let (refund, key) = (refund.clone(), key.clone());
            tokio::spawn(async move {
                let done = answer(&refund, TradeState::Succeeded);
                let why = because("a test");
                match at % 5 {
                    0 => drop(ledger.settle(&key, &done).await.unwrap()),
                    1 => drop(ledger.refuse(&key, 1, &why, true).await.unwrap()),
                    2 => drop(ledger.doubt(&key, 1, &why, Said::default()).await.unwrap()),
                    3 => drop(ledger.processing(&key, &done).await.unwrap()),
                    _ => drop(ask(&ledger, &refund).await),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let row = row(&ledger, &refund).await;
    assert_eq!((row.state, row.outcome), (State::Settled, Some(TradeState::Succeeded)));
}
