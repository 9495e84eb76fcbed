//! What happens beside the calls: the ledger's clock moves, the ledger is restored, rows are
//! emptied, someone refunds on the device, refunds are returned, and people decide.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use sunmi_trade::ledger::{Access, Clock, Decision, Ledger, Location, State};
use sunmi_trade::trade::{Evidence, RefundTrade, Refunded, TradeState};

use crate::options::{CEILING, WINDOW};
use crate::upstream::Upstream;
use crate::world::World;

/// Starts all that happens beside the calls.
pub fn start(world: &Arc<World>, upstream: &Arc<Upstream>) {
    tokio::spawn(disturb_clock(Arc::clone(world)));
    tokio::spawn(step_clock(Arc::clone(world)));
    if let Some(retention) = world.options.retention {
        tokio::spawn(purge(Arc::clone(world), retention));
    }
    for person in 0..world.options.persons {
        tokio::spawn(decide(Arc::clone(world), Arc::clone(upstream), person));
    }
    tokio::spawn(refund_elsewhere(Arc::clone(world), Arc::clone(upstream)));
    tokio::spawn(return_refunds(Arc::clone(world), Arc::clone(upstream)));
    if world.options.keys_change {
        tokio::spawn(change_keys(Arc::clone(world), Arc::clone(upstream)));
    }
}

/// Moves the database's clock: a little, at any time, ahead and back.
async fn disturb_clock(world: Arc<World>) {
    let rng = &mut world.rng("clock");
    let ahead = world.options.jumps.as_millis() as i64;
    let mut left = ahead;
    while world.is_faulty() && ahead > 0 {
        tokio::time::sleep(rng.ms(5_000..30_000)).await;
        let by = rng.below(ahead as usize + 1) as i64;
        if rng.chance(0.5) {
            world.jump(-by);
        } else if by <= left {
            left -= by;
            world.jump(by);
        }
    }
}

/// Sets the database's clock by hours, ahead and back: the first answer of a time server, a
/// failover.
async fn step_clock(world: Arc<World>) {
    let rng = &mut world.rng("steps");
    while world.options.steps && world.is_faulty() {
        tokio::time::sleep(rng.ms(2_000..25_000)).await;
        let by = 1_000 * rng.pick(&[60, 3_600, 7_200]);
        world.jump(if rng.chance(0.7) { by } else { -by });
    }
}

async fn purge(world: Arc<World>, retention: Duration) {
    loop {
        tokio::time::sleep(Duration::from_secs(7)).await;
        // Purges are the processes' own, and fail as these do: nothing depends on one.
        let clock = given(&world);
        let _ = world.ledger().by_clock(clock).purge(retention).await;
    }
}

fn given(world: &Arc<World>) -> Clock {
    let world = Arc::clone(world);
    Clock::Given(Arc::new(move || world.db_now()))
}

/// A person who looks at what is in doubt past its window, at Sunmi's books, thinks, and
/// settles what was seen. Of what the books do not tell for sure, nothing is said.
async fn decide(world: Arc<World>, upstream: Arc<Upstream>, person: usize) {
    let rng = &mut world.rng(("person", person));
    // By the person's own watch.
    let mut seen = BTreeMap::new();
    loop {
        tokio::time::sleep(rng.ms(5_000..30_000)).await;
        let ledger = world.ledger().by_clock(given(&world));
        let mut due = None;
        for row in world.rows().await {
            if row.state != State::InDoubt {
                continue;
            }
            let claim = (row.key.app_id.clone(), row.key.order_id.clone(), row.epoch);
            let since = *seen.entry(claim).or_insert(world.now());
            if row.is_past(WINDOW) && world.now() - since > WINDOW + CEILING * 2 {
                due = Some(row);
            }
        }
        let Some(row) = due else { continue };
        let Some(moved) = upstream.moved(row.key.order_id.as_str()) else { continue };
        tokio::time::sleep(rng.ms(1..15_000)).await;
        let answer = moved.then(|| Refunded {
            trade: RefundTrade { state: Some(TradeState::Succeeded), ..RefundTrade::default() },
            evidence: Evidence::Operator,
            replayed: false,
        });
        let decision = Decision { by: format!("person {person}"), reason: "the books".into() };
        if ledger.decide(&row, answer.as_ref(), &decision).await.unwrap_or_default() {
            let number = row.key.order_id.as_str();
            world.tell(format_args!("person {person}: {number} moved={moved}"));
        }
    }
}

async fn refund_elsewhere(world: Arc<World>, upstream: Arc<Upstream>) {
    let rng = &mut world.rng("device");
    for _ in 0..world.options.device_refunds {
        tokio::time::sleep(rng.ms(1_000..40_000)).await;
        let payment = format!("P{}", rng.below(world.options.payments));
        upstream.refund_on_device(&payment, rng.pick(&[10, 7, 3]));
    }
}

async fn return_refunds(world: Arc<World>, upstream: Arc<Upstream>) {
    let rng = &mut world.rng("returns");
    for _ in 0..world.options.returns {
        tokio::time::sleep(rng.ms(1_000..60_000)).await;
        upstream.return_refund(&format!("R{}", rng.below(world.options.numbers)));
    }
}

async fn change_keys(world: Arc<World>, upstream: Arc<Upstream>) {
    let rng = &mut world.rng("keys");
    tokio::time::sleep(rng.ms(5_000..50_000)).await;
    upstream.take_new_keys();
}

/// Where a ledger is that is a file, if it is one.
#[derive(Clone, Debug)]
pub struct Scratch(Option<Arc<Folder>>);

#[derive(Debug)]
struct Folder(PathBuf);

impl Scratch {
    pub fn new(needed: bool) -> Self {
        Self(needed.then(|| {
            let path = std::env::temp_dir().join(format!("sim-{}", uuid::Uuid::new_v4()));
            std::fs::create_dir(&path).unwrap();
            Arc::new(Folder(path))
        }))
    }

    pub fn path(&self) -> Option<PathBuf> {
        self.0.as_ref().map(|folder| folder.0.join("ledger"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Puts an older state of the ledger in force once.
pub async fn restore(world: Arc<World>, scratch: Scratch) {
    let rng = &mut world.rng("restore");
    tokio::time::sleep(rng.ms(2_000..50_000)).await;
    let now = scratch.path().unwrap();
    while !world.ledger().is_idle() {
        tokio::task::yield_now().await;
    }
    let then = now.with_file_name("backup");
    let part = |path: &PathBuf| PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(&now, &then).unwrap();
    let _ = std::fs::copy(part(&now), part(&then));
    tokio::time::sleep(rng.ms(500..12_000)).await;
    if !world.is_faulty() {
        return;
    }
    world.restore(open_aside(then));
}

/// Opens a ledger while time stands still for all others: of the thread that works for it nobody
/// knows.
fn open_aside(path: PathBuf) -> Ledger {
    let open = async { Ledger::open(&Location::Sqlite(path), "simulation", Access::Serve).await };
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    std::thread::spawn(move || runtime().block_on(open).unwrap()).join().unwrap()
}
