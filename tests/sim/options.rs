//! Everything that differs from run to run, drawn from the seed.

use std::time::Duration;

use sunmi_trade::refund::Rules;

use crate::rng::Rng;

/// What the owner of a claim may take; the bounds of [`Options::latest`] rest on it.
pub const CEILING: Duration = Duration::from_secs(6);
/// How long after its lease a refund may still be executed.
pub const WINDOW: Duration = Duration::from_secs(20);
/// By how much the ledger's leases outlast the ceiling, less a little for a clock that drifts.
const LEASE_MARGIN: Duration = Duration::from_millis(4_900);

#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub replicas: usize,
    /// Payments, each with so much to refund.
    pub payments: usize,
    pub balance: i64,
    /// Refund numbers that are used.
    pub numbers: usize,
    /// The resolver as it is, instead of single rounds at random times.
    pub real_resolver: bool,
    pub faults_until: Duration,

    // Sunmi.
    pub queryable: bool,
    pub lag: Duration,
    pub attempt: Duration,
    /// How likely a refund call is spoiled, and a query.
    pub spoiled_refund: f64,
    pub spoiled_query: f64,
    /// How likely a spoiled refund is under way for long, and executed in the end.
    pub late: f64,
    /// How likely a refund takes time, and how likely one fails in the end.
    pub slow_refund: f64,
    pub failing_refund: f64,
    /// How likely Sunmi keeps what it refused, as a refund that failed.
    pub kept_refusal: f64,

    // The processes.
    /// How many refunds a process sends at once.
    pub places: usize,
    pub attempts: u32,
    /// How likely a process dies before a statement, and before and after a refund call.
    pub death_at_statement: f64,
    pub death_at_refund: f64,
    /// How likely time passes during a statement.
    pub pause: f64,

    // The database's clock.
    pub drift: f64,
    /// It jumps at random, forward so much at most in all, and back.
    pub jumps: Duration,
    /// It leaps far ahead while the owner of a claim waits for a refusal, as if that owner
    /// had been frozen for so long.
    pub leaps: bool,

    // The callers.
    pub other_content: f64,
    pub cancel: f64,
    pub repeat_at_once: f64,
}

impl Options {
    pub fn of(seed: u64) -> Self {
        let rng = &mut Rng::of(seed, "options");
        let leaps = rng.chance(0.2);
        let calm = |rng: &mut Rng, value: f64| if rng.chance(0.25) { 0.0 } else { value };
        Self {
            seed,
            replicas: if leaps { 2 } else { 1 + rng.below(3) },
            payments: rng.pick(&[1, 1, 2]),
            balance: rng.pick(&[25, 100, 1000]),
            numbers: 3 + rng.below(5),
            real_resolver: rng.chance(0.05),
            faults_until: Duration::from_secs(75),
            queryable: rng.chance(0.5),
            lag: rng.pick(&[0, 0, 3, 8, 15, 15].map(Duration::from_secs)),
            attempt: if leaps { CEILING } else { Duration::from_secs(2) },
            spoiled_refund: rng.pick(&[0.2, 0.6, 0.9]),
            spoiled_query: rng.pick(&[0.0, 0.1, 0.5]),
            late: rng.pick(&[0.0, 0.3, 0.6]),
            slow_refund: rng.pick(&[0.0, 0.0, 0.3]),
            failing_refund: rng.pick(&[0.0, 0.1, 0.4]),
            kept_refusal: rng.pick(&[0.0, 0.0, 0.3]),
            places: rng.pick(&[1, 64, 64, 64]),
            attempts: if leaps { 1 } else { 3 },
            death_at_statement: calm(rng, 0.005),
            death_at_refund: calm(rng, 0.1),
            pause: if leaps { 0.0 } else { calm(rng, 0.02) },
            drift: rng.pick(&[-0.01, 0.0, 0.01]),
            jumps: if leaps || rng.chance(0.5) { Duration::ZERO } else { rng.ms(0..2_000) },
            leaps,
            other_content: calm(rng, 0.15),
            cancel: calm(rng, 0.2),
            repeat_at_once: rng.pick(&[0.3, 0.7]),
        }
    }

    pub fn rules(&self) -> Rules {
        Rules {
            min_left: Duration::from_millis(500),
            ceiling: CEILING,
            settle_window: WINDOW,
            retention: Duration::from_secs(400 * 24 * 3600),
            lag: Duration::from_secs(5),
            processing_patience: Duration::from_secs(3 * 24 * 3600),
            look_first: true,
            refused_codes: [].into(),
        }
    }

    /// So long after it was sent a refund may still be executed, by the database's clock:
    /// later than this it would be seen after the settle window, the documented risk.
    pub fn latest(&self) -> Duration {
        (WINDOW + LEASE_MARGIN).saturating_sub(self.lag + self.jumps)
    }
}
