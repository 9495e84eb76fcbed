//! Many refunds of callers that have a bound, at once and in two processes.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::Row as _;
use sunmi_trade::ledger::{Claim, Ledger, Row, State};
use sunmi_trade::trade::{Refund, TradeState};
use tokio::task::JoinSet;

use crate::bench::{Bench, Kind, answer, ask, fresh, move_on, on, on_every_ledger, row};
use crate::days::{beyond, bounded};
use crate::rng::Rng;

on_every_ledger! {
    of_many_at_once_as_many_are_claimed_as_fit
    at_no_time_is_more_spent_than_the_bound
    on_no_day_is_more_spent_than_the_bound
}

const DAY: i64 = 24 * 60 * 60 * 1000;

/// A claim that is decided, whatever changed meanwhile.
async fn decide(ledger: &Ledger, refund: &Refund) -> Claim {
    loop {
        match ask(ledger, refund).await {
            Claim::Changed => {}
            claim @ (Claim::Fresh(..)
            | Claim::Known(_)
            | Claim::Differs(_)
            | Claim::InFlight(_)
            | Claim::Beyond(_)) => return claim,
        }
    }
}

async fn of_many_at_once_as_many_are_claimed_as_fit(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    for round in 0..3 {
        let caller = format!("till-{round}");
        let mut claims = JoinSet::new();
        for at in 0..50 {
            let asked = bounded(&format!("R{round}-{at}"), &caller, 1099);
            let ledger = [&ledger, &other][at % 2].clone();
            claims.spawn(async move { decide(&ledger, &asked).await });
        }
        let claims = claims.join_all().await;
        let (claimed, refused): (Vec<_>, Vec<_>) =
            claims.into_iter().partition(|claim| matches!(claim, Claim::Fresh(..)));
        assert_eq!(claimed.len(), 10);
        for claim in refused {
            assert_eq!(beyond(claim).amount, 1000);
        }
    }
}

/// What happens on a ledger, drawn from a seed.
#[derive(Clone)]
struct Worker {
    ledger: Ledger,
    rng: Rng,
    seed: u64,
    name: usize,
}

const CALLERS: [(&str, i64); 2] = [("till", 1000), ("shop", 700)];

impl Worker {
    async fn work(mut self, pass: impl Fn(Duration)) {
        for step in 0..30 {
            let (caller, most) = self.rng.pick(&CALLERS);
            // Some numbers are its own, and some are asked for by others as well.
            let number = match self.rng.chance(0.3) {
                true => format!("shared-{}-{}", self.seed, self.rng.below(20)),
                false => format!("R{}-{}-{step}", self.seed, self.name),
            };
            let mut asked = bounded(&number, caller, most);
            asked.amount = match number.starts_with("shared") {
                true => 100,
                false => i64::try_from(1 + self.rng.below(300)).unwrap(),
            };
            match decide(&self.ledger, &asked).await {
                Claim::Fresh(_, row, _) => self.go_on(&asked, row.epoch).await,
                Claim::Beyond(spent) => assert!(!spent.leaves(asked.amount, most), "{spent:?}"),
                Claim::Known(_) => {}
                other @ (Claim::Differs(_) | Claim::InFlight(_) | Claim::Changed) => {
                    panic!("{other:?}")
                }
            }
            pass(self.rng.ms(0..30 * 60 * 1000));
        }
    }

    /// Half of them come to nothing, so that there is always something left to fight for.
    async fn go_on(&mut self, refund: &Refund, epoch: i64) {
        let to = self.rng.pick(&[
            State::Claimed,
            State::InDoubt,
            State::Settled,
            State::Processing,
            State::NotApplied,
            State::NotApplied,
            State::NotApplied,
        ]);
        move_on(&self.ledger, refund, epoch, to).await;
        if to == State::Processing && self.rng.chance(0.7) {
            let row = row(&self.ledger, refund).await;
            let failed = answer(refund, TradeState::Failed);
            assert!(self.ledger.fail(&row, &failed).await.unwrap());
        }
    }
}

/// Lets workers do what this seed has for them.
fn workers(ledgers: [&Ledger; 2], seed: u64) -> impl Iterator<Item = Worker> {
    let ledgers = ledgers.map(Ledger::clone);
    (0..8).map(move |name| Worker {
        ledger: ledgers[name % 2].clone(),
        rng: Rng::of(seed, name),
        seed,
        name,
    })
}

async fn at_no_time_is_more_spent_than_the_bound(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    for seed in [1, 2] {
        let mut all = JoinSet::new();
        for worker in workers([&ledger, &other], seed) {
            all.spawn(worker.work(drop));
        }
        while !all.is_empty() {
            for (caller, most) in CALLERS {
                let spent = ledger.spent_today(caller).await.unwrap().amount;
                assert!(spent <= i128::from(most), "{caller} spent {spent} of {most}");
            }
            while let Some(done) = all.try_join_next() {
                done.unwrap();
            }
        }
        what_is_left_can_be_spent_to_the_last(&ledger, seed).await;
        bench.pass(Duration::from_secs(24 * 60 * 60));
    }
}

/// Nobody else is at work.
async fn what_is_left_can_be_spent_to_the_last(ledger: &Ledger, seed: u64) {
    for (caller, most) in CALLERS {
        let left = ledger.spent_today(caller).await.unwrap().left_of(most);
        let number = format!("last-{seed}-{caller}");
        let more = Refund { amount: left + 1, ..bounded(&number, caller, most) };
        assert_eq!(beyond(ask(ledger, &more).await).left_of(most), left);
        if left > 0 {
            fresh(ask(ledger, &Refund { amount: left, ..more }).await);
        }
        assert_eq!(ledger.spent_today(caller).await.unwrap().left_of(most), 0);
    }
}

async fn on_no_day_is_more_spent_than_the_bound(bench: &Bench) {
    let ledger = bench.ledger().await;
    let other = bench.another(&ledger).await;
    let worked = workers([&ledger, &other], 3).map(|worker| worker.work(|time| bench.pass(time)));
    futures_util::future::join_all(worked).await;
    let mut days: BTreeMap<(String, i64), i64> = BTreeMap::new();
    for row in ledger.list(None, 10_000).await.unwrap() {
        if may_have_moved(&row) {
            let day = (row.claimed_at + DAY / 3).div_euclid(DAY);
            *days.entry((row.caller.unwrap(), day)).or_default() += row.amount.unwrap();
        }
    }
    assert!(days.len() > 6, "it was several days: {days:?}");
    for ((caller, day), spent) in days {
        let (_, most) = CALLERS.into_iter().find(|(name, _)| *name == caller).unwrap();
        assert!(spent <= most, "{caller} spent {spent} of {most} on day {day}");
    }
}

fn may_have_moved(row: &Row) -> bool {
    row.state != State::NotApplied && row.outcome != Some(TradeState::Failed)
}

/// Else each claim of a caller that has a bound would read the whole ledger.
#[tokio::test]
async fn postgres_sums_by_the_index_of_callers() {
    on(Kind::Postgres, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        fresh(ask(&ledger, &bounded("R", "till", 1000)).await);
        let mut beside = bench.beside().await;
        // Of this caller on other days, and of another one today.
        let many = "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
            business_id, state, epoch, lease_until, claimed_at, changed_at, look_at, looks, \
            caller, change) \
            SELECT app_id, 'R' || n, msn, amount, original_kind, 'P' || n, business_id, \
            'settled', 1, 0, claimed_at - CASE WHEN n % 2 = 0 THEN 86400000 ELSE 0 END, 0, 0, 0, \
            CASE WHEN n % 2 = 0 THEN 'till' ELSE 'shop' END, n \
            FROM refunds, generate_series(1, 20000) AS n";
        sqlx::query(many).execute(&mut beside).await.unwrap();
        sqlx::query("ANALYZE refunds").execute(&mut beside).await.unwrap();
        let reads = async |beside: &mut sqlx::AnyConnection| {
            let counts = "SELECT CAST(SUM(idx_scan) AS BIGINT), CAST(SUM(idx_tup_read) AS BIGINT) \
                FROM pg_stat_user_indexes WHERE indexrelname = 'refunds_of_caller'";
            let counts = sqlx::query(counts).fetch_one(beside).await.unwrap();
            (counts.get::<i64, _>(0), counts.get::<i64, _>(1))
        };
        assert_eq!(ledger.spent_today("till").await.unwrap().amount, 100);
        // Often enough for a plan that is made for any value.
        for at in 0..8 {
            fresh(ask(&ledger, &bounded(&format!("S{at}"), "till", 1000)).await);
        }
        // What a connection counted is told when it ends.
        ledger.close().await;
        let after = loop {
            let after = reads(&mut bench.beside().await).await;
            if after.0 >= 10 {
                break after;
            }
            tokio::task::yield_now().await;
        };
        assert_eq!(after.0, 10, "once a call");
        assert!(after.1 <= 60, "what is of the day: {}", after.1);
    })
    .await;
}
