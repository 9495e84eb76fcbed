//! What many writes at once could get wrong in a file, where they share transactions.

use futures_util::FutureExt;
use futures_util::future::join_all;
use sqlx::{AnyConnection, Row as _};
use sunmi_trade::ledger::{Claim, Key, Ledger, Location, Looked, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{
    Bench, Kind, answer, ask, claim, fresh, id, on, refund, refund_of, row, try_claim_as,
};
use crate::commits::commits_in;

const CROWD: usize = 64;

/// How many commits the file's log has.
fn commits(bench: &Bench) -> u64 {
    let Location::Sqlite(path) = &bench.location else { panic!("no file") };
    let mut log = path.clone().into_os_string();
    log.push("-wal");
    commits_in(&std::fs::read(log).unwrap())
}

/// How many rows of this number another process sees.
async fn seen(beside: &mut AnyConnection, number: &str) -> i64 {
    let count = "SELECT COUNT(*) FROM refunds WHERE order_id = $1";
    let row = sqlx::query(count).bind(number.to_owned()).fetch_one(beside).await.unwrap();
    row.get(0)
}

#[tokio::test]
async fn a_crowd_of_claims_shares_commits() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let before = commits(bench);
        let claims =
            (0..CROWD).map(async |at| fresh(ask(&ledger, &refund(&format!("R{at}"))).await));
        let rows = join_all(claims).await;
        // Each has a number of its own.
        let mut orders: Vec<i64> = rows.iter().map(|row| row.claim_order).collect();
        orders.sort_unstable();
        orders.dedup();
        assert_eq!(orders.len(), CROWD);
        let commits = commits(bench) - before;
        assert!(commits <= CROWD as u64 / 4, "{commits} commits");
    })
    .await;
}

/// A claim that is told is sent.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_told_of_a_claim_every_process_can_read() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let mut tasks = Vec::new();
        for at in 0..CROWD / 4 {
            let (ledger, mut beside) = (ledger.clone(), bench.beside().await);
            tasks.push(tokio::spawn(async move {
                for round in 0..8 {
                    let refund = refund(&format!("R{at}-{round}"));
                    fresh(ask(&ledger, &refund).await);
                    assert_eq!(seen(&mut beside, refund.order_id.as_str()).await, 1);
                    assert_eq!(row(&ledger, &refund).await.state, State::Claimed);
                    let done = answer(&refund, TradeState::Succeeded);
                    ledger.settle(&Key::of(&refund), &done).await.unwrap();
                    assert_eq!(row(&ledger, &refund).await.state, State::Settled);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    })
    .await;
}

/// Of claims that come at once, in one transaction.
#[tokio::test]
async fn a_claim_sees_those_before_it_in_its_transaction() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        for round in 0..10 {
            let before = commits(bench);
            let (number, payment) = (format!("R{round}"), format!("P{round}"));
            let of_number = (0..4).map(|_| refund(&number));
            let of_payment = (0..4).map(|at| refund_of(&payment, &format!("S{round}-{at}")));
            let asked: Vec<Refund> = of_number.chain(of_payment).collect();
            let claims = join_all(asked.iter().map(|refund| ask(&ledger, refund))).await;
            let fresh = |claims: &[Claim]| {
                claims.iter().filter(|claim| matches!(claim, Claim::Fresh(..))).count()
            };
            assert_eq!((fresh(&claims[..4]), fresh(&claims[4..])), (1, 1), "{claims:?}");
            assert!(commits(bench) - before <= 2);
        }
    })
    .await;
}

/// A refund of a caller that may spend this on a day.
fn bounded(number: &str, most: i64) -> Refund {
    Refund { caller: Some("caller".into()), day_bound: Some(most), ..refund(number) }
}

#[tokio::test]
async fn a_claim_beyond_its_bound_leaves_nothing_for_the_next_ones_of_its_transaction() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        // Too much, and little, in turns: what is too much is in nobody's way.
        let asked = |at: usize| {
            let amount = if at.is_multiple_of(2) { 5_000 } else { 10 };
            Refund { amount, ..bounded(&format!("R{at}"), 200) }
        };
        let asked: Vec<Refund> = (0..CROWD).map(asked).collect();
        let claims = join_all(asked.iter().map(|refund| ask(&ledger, refund))).await;
        let spent = |claim: &Claim| match claim {
            Claim::Fresh(_, row, _) => row.amount.unwrap(),
            Claim::Beyond(_) => 0,
            other @ (Claim::Known(_) | Claim::Differs(_) | Claim::InFlight(_) | Claim::Changed) => {
                panic!("{other:?}")
            }
        };
        assert_eq!(claims.iter().map(spent).sum::<i64>(), 200);
        assert_eq!(ledger.spent_today("caller").await.unwrap().amount, 200);
    })
    .await;
}

/// Polls a claim so many times, and gives it up.
async fn give_up(ledger: &Ledger, refund: &Refund, polls: usize) {
    let mut claim = Box::pin(ask(ledger, refund));
    for _ in 0..polls {
        if claim.as_mut().now_or_never().is_some() {
            return;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_claim_that_is_given_up_at_any_moment_spoils_no_other() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        for polls in 0..200 {
            let [gone, beyond, stays] = ["G", "B", "S"].map(|name| format!("{name}{polls}"));
            let (gone, beyond) = (refund(&gone), bounded(&beyond, 99));
            let stays = refund(&stays);
            let (_, _, epoch) = futures_util::future::join3(
                give_up(&ledger, &gone, polls),
                give_up(&ledger, &beyond, polls),
                claim(&ledger, &stays),
            )
            .await;
            assert_eq!(epoch, 1);
            // It may be recorded, wholly.
            let row = ledger.read(&Key::of(&gone)).await.unwrap();
            assert!(row.is_none_or(|row| row.state == State::Claimed && row.epoch == 1));
            assert!(ledger.read(&Key::of(&beyond)).await.unwrap().is_none());
        }
        while !ledger.is_idle() {
            tokio::task::yield_now().await;
        }
        assert_eq!(claim(&ledger, &refund("last")).await, 1);
        assert_eq!(ledger.of_number(id("last").as_str()).await.unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_under_way_when_the_ledger_is_closed_is_committed_or_refused() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let asked: Vec<Refund> = (0..CROWD).map(|at| refund(&format!("R{at}"))).collect();
        let claims: Vec<_> = asked
            .iter()
            .map(|refund| {
                let (ledger, refund) = (ledger.clone(), refund.clone());
                tokio::spawn(async move {
                    let number = refund.order_id.to_string();
                    try_claim_as(&ledger, &refund, &Looked::default(), &number).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        ledger.close().await;
        for (claim, refund) in claims.into_iter().zip(&asked) {
            let told = matches!(claim.await.unwrap(), Ok(Claim::Fresh(..)));
            let rows = seen(&mut bench.beside().await, refund.order_id.as_str()).await;
            assert_eq!(rows, i64::from(told), "{}", refund.order_id);
        }
        drop(ledger);
        bench.ledger().await;
    })
    .await;
}
