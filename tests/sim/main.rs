//! A seeded simulation of the refund path: several processes on one ledger that die, are
//! suspended and are started again, callers who repeat, hang up and mix up numbers, and a Sunmi
//! that loses, delays, refuses, repeats and executes late. Time is the run's own. Sunmi's own
//! books judge.
//!
//! `SIM_SEED=n` replays one run aloud, of the family `SIM_FAMILY=name` if that is given;
//! `SIM_RUNS=n` sets how many wild runs there are; with `SIM_KEEP_GOING=1` nothing fails,
//! and all that is wrong is listed in short.

#![allow(unreachable_pub, reason = "nothing is outside of a test binary")]
#![allow(clippy::unwrap_used, reason = "a simulation that is broken had better stop")]

mod acts;
mod callers;
mod families;
mod fate;
mod judge;
mod line;
mod mixes;
mod options;
mod plans;
mod process;
mod replica;
mod rng;
mod sent;
mod sums;
mod upstream;
mod world;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use callers::Callers;
use judge::Left;
use options::Options;
use replica::Replica;
use sums::Sum;
use upstream::Upstream;
use world::World;

const RUNS: u64 = 1_500;

/// How long the processes have, after the faults, to find out what happened.
const AFTERWARDS: Duration = Duration::from_secs(600);

/// What a run came to.
#[derive(Debug)]
pub struct Run {
    left: Left,
    trace: Vec<String>,
}

async fn live(world: Arc<World>) -> Run {
    world.tell(format_args!("{:?}", world.options));
    let upstream = Arc::new(Upstream::new(Arc::clone(&world)));
    let replica = |place| Arc::new(Replica::new(&upstream, &world, place));
    let replicas: Vec<_> = (0..world.options.replicas).map(replica).collect();
    for replica in &replicas {
        tokio::spawn(Arc::clone(replica).run());
    }
    // They are there before anybody calls.
    tokio::task::yield_now().await;
    let callers = Callers::new(&world, &replicas);
    callers.start();
    acts::start(&world, &upstream);
    tokio::time::sleep(world.options.faults_until).await;
    world.end_faults();
    settle(&world).await;
    let repeated = callers.repeat(&world.rows().await).await;
    // What the repeats sent comes to its end, too.
    tokio::time::sleep(Duration::from_secs(90)).await;
    let left = Left {
        options: world.options.clone(),
        books: upstream.books(),
        rows: world.rows().await,
        calls: callers.calls(),
        repeated,
        restored: world.was_restored(),
    };
    Run { left, trace: world.trace() }
}

/// Lets time pass until nothing is in doubt, and nothing under way, or for long enough.
async fn settle(world: &Arc<World>) {
    let end = world.now() + AFTERWARDS;
    tokio::time::sleep(options::WINDOW * 3).await;
    while world.now() < end {
        if world.rows().await.iter().all(sunmi_trade::ledger::Row::is_at_rest) {
            return;
        }
        tokio::time::sleep(Duration::from_secs(30)).await;
    }
}

fn switch(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods, reason = "a test reads its own switches")]
    std::env::var(name).ok()
}

/// What is wrong, the seed, and all that happened.
fn judge(family: &str, seed: u64, run: &Run, more: Vec<String>) -> Result<(), String> {
    let faults: Vec<String> = run.left.faults().into_iter().chain(more).collect();
    if faults.is_empty() {
        return Ok(());
    }
    let (trace, faults) = (run.trace.join("\n"), faults.join("\n"));
    Err(format!("{trace}\n\n{faults}\n\nreplay with SIM_FAMILY={family} SIM_SEED={seed}\n"))
}

/// Runs one seed and judges it.
fn check(
    family: &str,
    options: Options,
    aloud: bool,
    more: impl Fn(&Left) -> Vec<String>,
) -> (Run, Result<(), String>) {
    let seed = options.seed;
    let run = world::run(options, aloud, live);
    let more = more(&run.left);
    let verdict = judge(family, seed, &run, more);
    (run, verdict)
}

/// What is wrong, in a few words.
fn summarize(seed: u64, why: &str) {
    let faults = why.split("\n\n").nth(1).unwrap_or_default();
    for fault in faults.lines() {
        println!("seed {seed}: {}", fault.chars().take(260).collect::<String>());
    }
}

/// Runs these, each in a thread alone: how many there are changes nothing but the time taken.
fn run_all(
    family: &str,
    runs: u64,
    options: impl Fn(u64) -> Options + Sync,
    more: impl Fn(&Left) -> Vec<String> + Sync,
) -> Sum {
    let next = AtomicU64::new(0);
    let keeps_going = switch("SIM_KEEP_GOING").is_some();
    let (sum, failures) = (Mutex::new(Sum::default()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, NonZero::get) {
            scope.spawn(|| {
                while keeps_going || failures.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= runs {
                        return;
                    }
                    let (run, verdict) = check(family, options(seed), false, &more);
                    sum.lock().unwrap().add(&run);
                    if let Err(why) = verdict {
                        if keeps_going {
                            summarize(seed, &why);
                        }
                        failures.lock().unwrap().insert(seed, why);
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap();
    if let Some(why) = failures.values().next().filter(|_| !keeps_going) {
        panic!("{why}");
    }
    sum.into_inner().unwrap()
}

#[test]
fn a_refund_happens_once_and_its_outcome_is_found_out() {
    let nothing = |_: &Left| Vec::new();
    let seed = switch("SIM_SEED").map(|text| text.parse().unwrap());
    match (seed, switch("SIM_FAMILY").filter(|it| it != "wild")) {
        (Some(seed), None) => {
            let (_, verdict) = check("wild", Options::wild(seed), true, nothing);
            verdict.unwrap_or_else(|why| panic!("{why}"));
        }
        (_, Some(_)) => {}
        (None, None) => {
            let runs = switch("SIM_RUNS").map_or(RUNS, |text| text.parse().unwrap());
            let sum = run_all("wild", runs, Options::wild, nothing);
            println!("{}\n{}\n{sum:#?}", Sum::HEAD, sum.row("everything at once"));
        }
    }
}
