//! What all parts of a run share: its time, the database's clock, and the trace.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use sunmi_trade::ledger::{Access, Ledger, Location};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::options::Options;
use crate::rng::Rng;

/// The database's time at the start, in milliseconds.
const EPOCH: i64 = 1_700_000_000_000;

#[derive(Debug)]
pub struct World {
    pub options: Options,
    /// Also printed as it happens, when a seed is replayed.
    aloud: bool,
    start: Instant,
    faulty: AtomicBool,
    /// How far the database's clock has jumped, in milliseconds.
    jumped: AtomicI64,
    trace: Mutex<Vec<String>>,
}

impl World {
    fn new(options: Options, aloud: bool) -> Self {
        Self {
            options,
            aloud,
            start: Instant::now(),
            faulty: AtomicBool::new(true),
            jumped: AtomicI64::new(0),
            trace: Mutex::default(),
        }
    }

    /// Since the start, by the clock of every replica.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// The database's clock, in milliseconds.
    pub fn db_now(&self) -> i64 {
        let passed = self.now().as_millis() as f64 * (1.0 + self.options.drift);
        EPOCH + passed as i64 + self.jumped.load(Ordering::Relaxed)
    }

    pub fn jump(&self, ms: i64) {
        self.jumped.fetch_add(ms, Ordering::Relaxed);
        self.tell(format_args!("the database's clock jumps by {ms} ms"));
    }

    /// Whether things still go wrong.
    pub fn is_faulty(&self) -> bool {
        self.faulty.load(Ordering::Relaxed)
    }

    pub fn end_faults(&self) {
        self.faulty.store(false, Ordering::Relaxed);
        self.tell(format_args!("the faults stop"));
    }

    pub fn rng(&self, purpose: impl std::hash::Hash) -> Rng {
        Rng::of(self.options.seed, purpose)
    }

    pub fn tell(&self, what: fmt::Arguments<'_>) {
        let line = format!("{:>8} {what}", self.now().as_millis());
        if self.aloud {
            eprintln!("{line}");
        }
        self.trace.lock().unwrap().push(line);
    }

    pub fn trace(&self) -> Vec<String> {
        self.trace.lock().unwrap().clone()
    }
}

/// Runs `work` in a world of its own, whose time passes only while nothing else happens.
///
/// Tokio's paused time moves on by itself whenever no task can run. That would also be while
/// a statement is under way, for SQLite works in a thread of its own, of which Tokio does not
/// know. So while one is, a task that does nothing is woken each time the thread would park:
/// it never does, and time stands still until the statement's answer is there.
pub fn run<T, F>(options: Options, aloud: bool, work: impl FnOnce(Arc<World>, Ledger) -> F) -> T
where
    F: Future<Output = T>,
{
    let opened = Arc::new(OnceLock::<Ledger>::new());
    let awake = Arc::new(Notify::new());
    let runtime = Builder::new_current_thread()
        .enable_time()
        .on_thread_park({
            let (opened, awake) = (Arc::clone(&opened), Arc::clone(&awake));
            move || {
                if opened.get().is_some_and(|ledger| !ledger.is_idle()) {
                    std::thread::yield_now();
                    awake.notify_one();
                }
            }
        })
        .build()
        .unwrap();
    runtime.block_on(async {
        tokio::spawn(async move {
            loop {
                awake.notified().await;
            }
        });
        let ledger = Ledger::open(&Location::Memory, "simulation", Access::Serve).await.unwrap();
        opened.set(ledger.clone()).unwrap();
        tokio::time::pause();
        work(Arc::new(World::new(options, aloud)), ledger).await
    })
}

/// Moves the database's clock: a little, at any time, ahead and back.
pub async fn disturb_clock(world: Arc<World>) {
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
