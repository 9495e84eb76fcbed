//! The life of one process: where it dies, is suspended, and where its ledger fails.

use std::panic;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use sunmi_trade::clock::BootClock;
use sunmi_trade::error::BoxError;
use sunmi_trade::ledger::{Clock, Ledger, Moment, Trouble};
use sunmi_trade::refund::Refunds;
use sunmi_trade::trade::Identifier;
use tokio_util::sync::CancellationToken;

use crate::rng::Rng;
use crate::world::World;

/// The life of one process.
///
/// All that a refund's task does to the world it does by statements of the ledger and by
/// calls to Sunmi, and both come past here. A process dies at one of them: each of its tasks
/// ends, by unwinding, where it next comes past. To die while a statement or a call is under
/// way is the same to the world as to die before it, or right after it.
///
/// While a process is suspended its tasks wait where they come past; its own clock goes on.
#[derive(Debug)]
pub struct Life {
    pub name: String,
    world: Arc<World>,
    rng: Mutex<Rng>,
    dead: AtomicBool,
    died: CancellationToken,
    suspended_until: Mutex<Duration>,
    /// Whether time is to pass during its next statement.
    stalls: AtomicBool,
}

/// A process that runs.
#[derive(Clone, Debug)]
pub struct Process {
    pub life: Arc<Life>,
    pub refunds: Refunds,
    /// The `app_id`s that it can sign as.
    pub app_ids: Vec<Identifier>,
}

impl Life {
    pub fn new(world: &Arc<World>, place: usize, incarnation: usize) -> Arc<Self> {
        let name = format!("replica {place}.{incarnation}");
        world.tell(format_args!("{name}: starts"));
        Arc::new(Self {
            name,
            world: Arc::clone(world),
            rng: Mutex::new(world.rng(("life", place, incarnation))),
            dead: AtomicBool::new(false),
            died: CancellationToken::new(),
            suspended_until: Mutex::default(),
            stalls: AtomicBool::new(false),
        })
    }

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

    pub fn end(&self, why: &str) {
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

    /// A task comes past: it waits while the process is suspended.
    pub async fn hold(&self) {
        let now = self.world.now();
        if self.world.is_faulty() {
            let rng = &mut self.rng.lock().unwrap();
            let until = &mut *self.suspended_until.lock().unwrap();
            if *until <= now && rng.chance(self.world.options.suspension) {
                let time = if rng.chance(0.5) { rng.ms(10..5_000) } else { rng.ms(5_000..60_000) };
                *until = now + time;
                self.world.tell(format_args!("{}: is suspended for {time:?}", self.name));
            }
        }
        loop {
            let until = *self.suspended_until.lock().unwrap();
            match until.checked_sub(self.world.now()).filter(|left| !left.is_zero()) {
                Some(left) => tokio::time::sleep(left).await,
                None => return,
            }
        }
    }

    /// This process's clocks and its way to the ledger.
    pub fn ledger(self: &Arc<Self>) -> Ledger {
        let life = Arc::clone(self);
        let clock = Clock::Given(Arc::new(move || life.clock()));
        let life = Arc::clone(self);
        let trouble = Trouble::new(Arc::new(move |moment| {
            let life = Arc::clone(&life);
            Box::pin(async move {
                life.hold().await;
                life.statement(moment)
            })
        }));
        self.world.ledger().by_clock(clock).troubled_by(trouble)
    }

    pub fn boot_clock(self: &Arc<Self>) -> BootClock {
        let world = Arc::clone(&self.world);
        BootClock::given(Arc::new(move || world.now()))
    }

    /// Whether a statement goes on, before and after it was made.
    fn statement(&self, moment: Moment) -> Result<(), BoxError> {
        if self.is_over() {
            panic::resume_unwind(Box::new("the process is dead"));
        }
        let options = &self.world.options;
        let (probability, what) = match moment {
            Moment::Before => (options.statement_fails, "a statement fails"),
            Moment::After => (options.commit_unknown, "nobody knows whether it was committed"),
        };
        if self.world.is_faulty() && self.rng.lock().unwrap().chance(probability) {
            self.world.tell(format_args!("{}: {what}", self.name));
            return Err(what.into());
        }
        Ok(())
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
