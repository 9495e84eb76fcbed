//! What all parts of a run share: its time, the ledger and its clock, and the trace.

use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use sunmi_trade::ledger::{Access, Ledger, Location, Row};
use tokio::runtime::Builder;
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::options::Options;
use crate::rng::Rng;

/// The time of day at the start, in milliseconds.
const EPOCH: i64 = 1_700_000_000_000;

/// What comes in step comes at multiples of this.
const STEP: Duration = Duration::from_millis(100);

/// All ledgers of a run: time stands still while a statement of one is under way.
type Ledgers = Arc<Mutex<Vec<Ledger>>>;

#[derive(Debug)]
pub struct World {
    pub options: Options,
    /// Also printed as it happens, when a seed is replayed.
    aloud: bool,
    start: Instant,
    faulty: AtomicBool,
    /// How far the database's clock has jumped, in milliseconds.
    jumped: AtomicI64,
    /// The last one is in force.
    ledgers: Ledgers,
    /// Raised when the ledger is exchanged for another: then all processes die.
    pub restored: tokio::sync::watch::Sender<u32>,
    trace: Mutex<Vec<String>>,
}

impl World {
    fn new(options: Options, aloud: bool, ledgers: Ledgers) -> Self {
        Self {
            options,
            aloud,
            start: Instant::now(),
            faulty: AtomicBool::new(true),
            jumped: AtomicI64::new(0),
            ledgers,
            restored: tokio::sync::watch::Sender::new(0),
            trace: Mutex::default(),
        }
    }

    /// Since the start, by the clock of every replica.
    pub fn now(&self) -> Duration {
        self.start.elapsed()
    }

    /// Lets so much time pass. Where writes share commits, what then happens does so in step with what
    /// happens elsewhere: only what comes at once shares one.
    pub async fn pass(&self, time: Duration) {
        tokio::time::sleep(time).await;
        if self.options.in_file {
            let beyond = Duration::from_millis((self.now().as_millis() % STEP.as_millis()) as u64);
            tokio::time::sleep(STEP - beyond).await;
        }
    }

    /// The database's clock, in milliseconds.
    pub fn db_now(&self) -> i64 {
        let passed = self.now().as_millis() as f64 * (1.0 + self.options.drift);
        EPOCH + passed as i64 + self.jumped.load(Ordering::Relaxed)
    }

    /// Sunmi's clock, in milliseconds.
    pub fn sunmi_now(&self) -> i64 {
        EPOCH + self.now().as_millis() as i64
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

    /// The ledger that is in force.
    pub fn ledger(&self) -> Ledger {
        self.ledgers.lock().unwrap().last().unwrap().clone()
    }

    /// Puts another ledger in force: an older state of the same.
    pub fn restore(&self, ledger: Ledger) {
        self.ledgers.lock().unwrap().push(ledger);
        self.tell(format_args!("the ledger is restored without its last commits"));
        self.restored.send_modify(|times| *times += 1);
    }

    /// Whether the ledger lost commits.
    pub fn was_restored(&self) -> bool {
        *self.restored.borrow() > 0
    }

    /// All rows, by the ledger's clock as it is.
    pub async fn rows(self: &Arc<Self>) -> Vec<Row> {
        let world = Arc::clone(self);
        let clock = sunmi_trade::ledger::Clock::Given(Arc::new(move || world.db_now()));
        let ledger = self.ledger().by_clock(clock);
        loop {
            // It fails while another's statement takes long.
            if let Ok(rows) = ledger.list(None, i64::MAX).await {
                return rows;
            }
        }
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
pub fn run<T, F>(options: Options, aloud: bool, work: impl FnOnce(Arc<World>) -> F) -> T
where
    F: Future<Output = T>,
{
    let ledgers = Ledgers::default();
    let awake = Arc::new(Notify::new());
    let runtime = Builder::new_current_thread()
        .enable_time()
        .on_thread_park({
            let (ledgers, awake) = (Arc::clone(&ledgers), Arc::clone(&awake));
            move || {
                if !ledgers.lock().unwrap().iter().all(Ledger::is_idle) {
                    std::thread::yield_now();
                    awake.notify_one();
                }
            }
        })
        .build()
        .unwrap();
    let scratch = crate::acts::Scratch::new(options.in_file || options.restored);
    runtime.block_on(async {
        tokio::spawn(async move {
            loop {
                awake.notified().await;
            }
        });
        let location = scratch.path().map_or(Location::Memory, Location::Sqlite);
        let ledger = Ledger::open(&location, "simulation", Access::Serve).await.unwrap();
        ledgers.lock().unwrap().push(ledger);
        tokio::time::pause();
        let world = Arc::new(World::new(options, aloud, ledgers));
        if world.options.restored {
            tokio::spawn(crate::acts::restore(Arc::clone(&world), scratch.clone()));
        }
        work(world).await
    })
}
