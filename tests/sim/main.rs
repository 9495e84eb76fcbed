//! A seeded simulation of the refund path: several processes on one ledger that die and are
//! started again, callers who repeat, hang up and mix up numbers, and a Sunmi that loses,
//! delays and executes late. Time is the run's own. Sunmi's own books judge.
//!
//! `SIM_SEED=n` replays one run aloud, `SIM_RUNS=n` sets how many there are.

#![allow(unreachable_pub, reason = "nothing is outside of a test binary")]
#![allow(clippy::unwrap_used, reason = "a simulation that is broken had better stop")]

mod callers;
mod fate;
mod judge;
mod options;
mod replica;
mod rng;
mod upstream;
mod world;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sunmi_trade::error::RefundOutcome;
use sunmi_trade::ledger::{Ledger, State};

use callers::{Callers, Told};
use judge::Left;
use options::Options;
use replica::Replica;
use upstream::Upstream;
use world::World;

const RUNS: u64 = 1_500;

/// How long the processes have, after the faults, to find out what happened.
const AFTERWARDS: Duration = Duration::from_secs(600);

/// What a run came to.
struct Run {
    left: Left,
    trace: Vec<String>,
}

fn run(seed: u64, aloud: bool) -> Run {
    world::run(Options::of(seed), aloud, live)
}

async fn live(world: Arc<World>, ledger: Ledger) -> Run {
    world.tell(format_args!("{:?}", world.options));
    let upstream = Arc::new(Upstream::new(Arc::clone(&world)));
    let replica = |place| Arc::new(Replica::new(&upstream, &world, &ledger, place));
    let replicas: Vec<_> = (0..world.options.replicas).map(replica).collect();
    for replica in &replicas {
        tokio::spawn(Arc::clone(replica).run());
    }
    let callers = Callers::new(&world, &replicas);
    callers.start();
    tokio::spawn(world::disturb_clock(Arc::clone(&world)));
    tokio::time::sleep(world.options.faults_until).await;
    world.end_faults();
    settle(&world, &ledger).await;
    let repeated = callers.repeat(&ledger.list(None, i64::MAX).await.unwrap()).await;
    let (executions, orders, sent) = upstream.books();
    let left = Left {
        executions,
        orders,
        sent,
        rows: ledger.list(None, i64::MAX).await.unwrap(),
        calls: callers.calls(),
        repeated,
        queryable: world.options.queryable,
    };
    Run { left, trace: world.trace() }
}

/// Lets time pass until nothing is in doubt, and nothing under way, or for long enough.
async fn settle(world: &World, ledger: &Ledger) {
    let end = world.now() + AFTERWARDS;
    tokio::time::sleep(options::WINDOW * 3).await;
    while world.now() < end {
        let rows = ledger.list(None, i64::MAX).await.unwrap();
        if rows.iter().all(sunmi_trade::ledger::Row::is_at_rest) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
}

fn number(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods, reason = "a test reads its own switches")]
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap())
}

/// What is wrong, the seed, and all that happened.
fn judge(seed: u64, run: &Run) -> Result<(), String> {
    let faults = run.left.faults();
    if faults.is_empty() {
        return Ok(());
    }
    let (trace, faults) = (run.trace.join("\n"), faults.join("\n"));
    Err(format!("{trace}\n\n{faults}\n\nreplay with SIM_SEED={seed}\n"))
}

/// What many runs came to, in numbers.
#[derive(Debug, Default)]
#[allow(dead_code, reason = "shown")]
struct Sum {
    runs: usize,
    refunds: usize,
    executions: usize,
    sends: usize,
    calls: usize,
    told_done: usize,
    told_not_applied: usize,
    told_unknown: usize,
    settled: usize,
    not_applied: usize,
    left_to_a_person: usize,
    deaths: usize,
}

impl Sum {
    fn add(&mut self, Run { left, trace }: &Run) {
        let told = |outcome| {
            let is = |told| matches!(told, Told::Failed(_, it) if it == outcome);
            left.calls.iter().filter(|call| is(call.told)).count()
        };
        let rows = |state| left.rows.iter().filter(|row| row.state == state).count();
        self.runs += 1;
        self.refunds += left.rows.len();
        self.executions += left.executions.len();
        self.sends += left.sent.len();
        self.calls += left.calls.len();
        self.told_done +=
            left.calls.iter().filter(|it| matches!(it.told, Told::Refunded(_))).count();
        self.told_not_applied += told(RefundOutcome::NotApplied);
        self.told_unknown += told(RefundOutcome::Unknown);
        self.settled += rows(State::Settled);
        self.not_applied += rows(State::NotApplied);
        self.left_to_a_person += rows(State::InDoubt) + rows(State::Processing);
        self.deaths += trace.iter().filter(|line| line.contains(": dies ")).count();
    }
}

#[test]
fn a_refund_happens_once_and_its_outcome_is_found_out() {
    if let Some(seed) = number("SIM_SEED") {
        return judge(seed, &run(seed, true)).unwrap_or_else(|why| panic!("{why}"));
    }
    let next = AtomicU64::new(0);
    let runs = number("SIM_RUNS").unwrap_or(RUNS);
    let (sum, failures) = (Mutex::new(Sum::default()), Mutex::new(BTreeMap::new()));
    // Each run lives in a thread alone: how many there are changes nothing but the time taken.
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while failures.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= runs {
                        return;
                    }
                    let run = run(seed, false);
                    sum.lock().unwrap().add(&run);
                    if let Err(why) = judge(seed, &run) {
                        failures.lock().unwrap().insert(seed, why);
                    }
                }
            });
        }
    });
    if let Some(why) = failures.lock().unwrap().values().next() {
        panic!("{why}");
    }
    println!("{:#?}", sum.lock().unwrap());
}
