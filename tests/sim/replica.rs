//! A replica: a place at which one process after another serves and resolves.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use sunmi_trade::refund::Refunds;
use sunmi_trade::retry::Policy;
use sunmi_trade::sunmi::{Client, ClientConfig, Credentials, WireConfig};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::line::Line;
use crate::process::{Life, Process};
use crate::sent::credential;
use crate::upstream::Upstream;
use crate::world::World;

/// One place of several, at which one process runs after another.
#[derive(Debug)]
pub struct Replica {
    world: Arc<World>,
    upstream: Arc<Upstream>,
    place: usize,
    running: Mutex<Option<Process>>,
}

impl Replica {
    pub fn new(upstream: &Arc<Upstream>, world: &Arc<World>, place: usize) -> Self {
        Self {
            world: Arc::clone(world),
            upstream: Arc::clone(upstream),
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
        let mut restored = self.world.restored.subscribe();
        let exchange = self.world.rng("exchange").ms(5_000..50_000);
        let exchanged = |world: &World| world.options.exchanged && world.now() >= exchange;
        for incarnation in 0.. {
            let process = self.start(incarnation, usize::from(exchanged(&self.world)));
            *self.running.lock().unwrap() = Some(process.clone());
            let resolver = tokio::spawn(resolve(process.clone(), Arc::clone(&self.world)));
            let until = exchange.saturating_sub(self.world.now());
            let is_next = self.world.options.exchanged && !until.is_zero();
            tokio::select! {
                () = process.life.over() => {}
                _ = restored.changed() => process.life.end("with its ledger"),
                () = tokio::time::sleep(until), if is_next => process.life.end("for another key"),
            }
            resolver.abort();
            let mut rng = self.world.rng(("restart", self.place, incarnation));
            let wait = if rng.chance(0.5) { rng.ms(50..1_000) } else { rng.ms(1_000..20_000) };
            tokio::time::sleep(wait).await;
        }
    }

    fn start(&self, incarnation: usize, first: usize) -> Process {
        let options = &self.world.options;
        let life = Life::new(&self.world, self.place, incarnation);
        let keys: &[u8] = if options.keys_change { b"old\nnew" } else { b"old" };
        let credentials: Vec<_> =
            (first..first + options.app_ids).map(|it| credential(it, keys)).collect();
        let app_ids = credentials.iter().map(|it| it.app_id.clone()).collect();
        let line = Line { upstream: Arc::clone(&self.upstream), life: Arc::clone(&life) };
        let credentials = Credentials::new(credentials, None);
        let client = Client::over(Box::new(line), &self.client_config(), credentials);
        let (tasks, rules) = (TaskTracker::new(), options.rules());
        let refunds = Refunds::new(Arc::new(client), life.ledger(), tasks, rules);
        let refunds = refunds.by_clock(life.boot_clock());
        Process { life, refunds, app_ids }
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
