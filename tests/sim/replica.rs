//! A replica: a process that serves and resolves, dies, and is started again.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use sunmi_trade::clock::BootClock;
use sunmi_trade::ledger::{Clock, Ledger};
use sunmi_trade::refund::Refunds;
use sunmi_trade::retry::Policy;
use sunmi_trade::sandbox::credential;
use sunmi_trade::sunmi::{Client, ClientConfig, Credentials, WireConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::rng::Rng;
use crate::upstream::{Line, Upstream};
use crate::world::World;

/// The life of one process.
///
/// All that a refund's task does to the world it does by statements of the ledger and by
/// calls to Sunmi, and both come past here. A process dies at one of them: each of its tasks
/// ends, by unwinding, where it next comes past. To die while a statement or a call is under
/// way is the same to the world as to die before it, or right after it.
#[derive(Debug)]
pub struct Life {
    pub name: String,
    world: Arc<World>,
    rng: Mutex<Rng>,
    dead: AtomicBool,
    died: CancellationToken,
    /// Whether time is to pass during its next statement.
    stalls: AtomicBool,
}

impl Life {
    pub fn is_over(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    pub async fn over(&self) {
        self.died.cancelled().await;
    }

    /// A refund is about to be claimed here. Long may pass between its claim and its send.
    pub fn before_claim(&self) {
        let stalls = self.rng.lock().unwrap().chance(self.world.options.pause);
        self.stalls.store(stalls, Ordering::Relaxed);
    }

    fn end(&self, why: &str) {
        if !self.dead.swap(true, Ordering::Relaxed) {
            self.world.tell(format_args!("{}: dies {why}", self.name));
            self.died.cancel();
        }
    }

    /// A task comes past: it goes on, unless the process is dead.
    pub fn passes(&self, with_refund: bool, place: &str) {
        let options = &self.world.options;
        let probability = match with_refund {
            true => options.death_at_refund,
            false => options.death_at_statement,
        };
        if self.world.is_faulty() && self.rng.lock().unwrap().chance(probability) {
            self.end(place);
        }
        if self.is_over() {
            // Without the panic hook, which would print.
            panic::resume_unwind(Box::new("the process is dead"));
        }
    }

    /// The database's clock, asked at the start of each statement. Time may pass before the
    /// statement, or between its moment and its answer.
    fn clock(&self) -> i64 {
        self.passes(false, "before a statement");
        let before = self.world.db_now();
        let rng = &mut self.rng.lock().unwrap();
        let stalls = self.stalls.swap(false, Ordering::Relaxed);
        let pauses = stalls || rng.chance(self.world.options.pause);
        if !self.world.is_faulty() || !pauses {
            return before;
        }
        let pause =
            if stalls || rng.chance(0.3) { rng.ms(8_000..60_000) } else { rng.ms(10..8_000) };
        // Its first poll moves the clock; what it would then wait for is not needed.
        let _ = tokio::time::advance(pause).now_or_never();
        self.world.tell(format_args!("{}: a statement takes {pause:?}", self.name));
        if rng.chance(0.5) { before } else { self.world.db_now() }
    }
}

/// A process that runs.
#[derive(Clone, Debug)]
pub struct Process {
    pub life: Arc<Life>,
    pub refunds: Refunds,
}

/// One place of several, at which one process runs after another.
#[derive(Debug)]
pub struct Replica {
    world: Arc<World>,
    upstream: Arc<Upstream>,
    ledger: Ledger,
    place: usize,
    running: Mutex<Option<Process>>,
}

impl Replica {
    pub fn new(
        upstream: &Arc<Upstream>,
        world: &Arc<World>,
        ledger: &Ledger,
        place: usize,
    ) -> Self {
        Self {
            world: Arc::clone(world),
            upstream: Arc::clone(upstream),
            ledger: ledger.clone(),
            place,
            running: Mutex::default(),
        }
    }

    /// The process that runs here now.
    pub fn process(&self) -> Option<Process> {
        self.running.lock().unwrap().clone().filter(|process| !process.life.is_over())
    }

    /// Runs one process after another.
    pub async fn run(self: Arc<Self>) {
        for incarnation in 0.. {
            let process = self.start(incarnation);
            *self.running.lock().unwrap() = Some(process.clone());
            let resolver = tokio::spawn(resolve(process.clone(), Arc::clone(&self.world)));
            process.life.over().await;
            resolver.abort();
            let mut rng = self.world.rng(("restart", self.place, incarnation));
            let wait = if rng.chance(0.5) { rng.ms(50..1_000) } else { rng.ms(1_000..20_000) };
            tokio::time::sleep(wait).await;
        }
    }

    fn start(&self, incarnation: usize) -> Process {
        let name = format!("replica {}.{incarnation}", self.place);
        self.world.tell(format_args!("{name}: starts"));
        let life = Arc::new(Life {
            name,
            world: Arc::clone(&self.world),
            rng: Mutex::new(self.world.rng(("life", self.place, incarnation))),
            dead: AtomicBool::new(false),
            died: CancellationToken::new(),
            stalls: AtomicBool::new(false),
        });
        let line = Line { upstream: Arc::clone(&self.upstream), life: Arc::clone(&life) };
        let credentials = Credentials::new(vec![credential()], None);
        let client = Client::over(Box::new(line), &self.client_config(), credentials);
        let clock = {
            let life = Arc::clone(&life);
            Clock::Given(Arc::new(move || life.clock()))
        };
        let ledger = self.ledger.clone().by_clock(clock);
        let rules = self.world.options.rules();
        let refunds = Refunds::new(Arc::new(client), ledger, TaskTracker::new(), rules);
        let boot = Arc::clone(&self.world);
        let refunds = refunds.by_clock(BootClock::given(Arc::new(move || boot.now())));
        Process { life, refunds }
    }

    fn client_config(&self) -> ClientConfig {
        ClientConfig {
            // Not used: the simulation has a transport of its own.
            wire: WireConfig {
                base_url: "http://sunmi.invalid".parse().unwrap(),
                connect_timeout: Duration::from_secs(1),
                attempt_timeout: Duration::from_secs(2),
                proxy: None,
            },
            // The product draws its jitter from no seed, so there is nothing to jitter.
            retry: Policy {
                max_attempts: self.world.options.attempts,
                base: Duration::ZERO,
                cap: Duration::ZERO,
            },
            max_in_flight: self.world.options.places,
        }
    }
}

/// What a process does beside serving.
async fn resolve(process: Process, world: Arc<World>) {
    if world.options.real_resolver {
        return process.refunds.resolve_until(CancellationToken::new()).await;
    }
    let mut rng = world.rng(("resolver", &process.life.name));
    loop {
        process.refunds.work_off().await;
        // Rounds cost the simulation most of its time.
        let pause = if world.is_faulty() { rng.ms(1_000..6_000) } else { rng.ms(15_000..25_000) };
        tokio::time::sleep(pause).await;
    }
}
