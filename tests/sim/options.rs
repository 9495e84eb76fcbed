//! Everything that differs from run to run, drawn from the seed.

use std::time::Duration;

use sunmi_trade::refund::Rules;

use crate::fate::Chances;
use crate::rng::Rng;

/// What the owner of a claim may take; the bounds of [`Options::latest`] rest on it.
pub const CEILING: Duration = Duration::from_secs(6);
/// How long after its lease a refund may still be executed.
pub const WINDOW: Duration = Duration::from_secs(20);
/// How long Sunmi's queries and totals may trail what it did.
pub const LAG: Duration = Duration::from_secs(5);
/// By how much the ledger's leases outlast the ceiling, less a little for a clock that drifts.
const LEASE_MARGIN: Duration = Duration::from_millis(4_900);

/// Every sixth run is on a file.
const IN_FILE: u64 = 6;

#[derive(Clone, Debug)]
pub struct Options {
    pub seed: u64,
    pub replicas: usize,
    /// Payments, each with so much to refund.
    pub payments: usize,
    pub balance: i64,
    /// Refund numbers that are used.
    pub numbers: usize,
    /// Within so long the numbers are first used.
    pub hurry: Duration,
    /// The resolver as it is, instead of single rounds at random times.
    pub real_resolver: bool,
    pub faults_until: Duration,

    // Sunmi.
    pub queryable: bool,
    /// Every other number is not found all the same.
    pub half_hidden: bool,
    pub payments_queryable: bool,
    pub numbers_per_app: bool,
    /// How late queries show a refund, and a total.
    pub number_lag: Duration,
    pub total_lag: Duration,
    pub attempt: Duration,
    /// What happens to calls.
    pub calls: Chances,
    /// Keeps what it refuses as a refund that failed.
    pub keep_refused: bool,
    /// Refunds that were made under our numbers before there was a ledger.
    pub used_before: usize,
    /// How often someone refunds on the device, and a refund is returned.
    pub device_refunds: usize,
    pub returns: usize,
    /// Sunmi takes the other of two keys from some time on.
    pub keys_change: bool,

    // The processes.
    /// Who can sign. With `exchanged` one after the other, and callers leave it open.
    pub app_ids: usize,
    pub exchanged: bool,
    /// How many refunds a process sends at once.
    pub places: usize,
    pub attempts: u32,
    pub look_first: bool,
    /// How likely a process dies at a statement, and at a refund call.
    pub death_at_statement: f64,
    pub death_at_refund: f64,
    /// How likely time passes for all during a statement.
    pub pause: f64,
    /// How likely one process is suspended alone where it comes past.
    pub suspension: f64,
    /// How likely a statement fails, and how likely nobody knows whether it was committed.
    pub statement_fails: f64,
    pub commit_unknown: f64,
    /// Rows are emptied so long after they came to rest, if at all.
    pub retention: Option<Duration>,
    /// The ledger is a file, whose writes share commits. What several connections answer at once may come
    /// in another order in each run, so a replay may differ.
    pub in_file: bool,
    /// The ledger, a file, loses its last commits once.
    pub restored: bool,

    // The ledger's clock.
    pub drift: f64,
    /// It jumps at random, forward so much at most in all, and back.
    pub jumps: Duration,
    /// It steps by hours, both ways.
    pub steps: bool,

    // The callers.
    /// How likely they ask for a payment that there is not.
    pub nowhere: f64,
    pub other_content: f64,
    pub cancel: f64,
    pub repeat_at_once: f64,
    /// Some have so little time that it may be over before the answer is there.
    pub short_deadlines: f64,
    /// How likely one who is told of an open refund acknowledges it.
    pub acknowledges: f64,
    /// How many people look after what is in doubt, by the books.
    pub persons: usize,
}

impl Options {
    /// A run in which nothing goes wrong, however slow and busy it is.
    pub fn calm(seed: u64) -> Self {
        let rng = &mut Rng::of(seed, "options");
        let lag = |rng: &mut Rng| rng.pick(&[0, 0, 1_000, 3_000, 4_900].map(Duration::from_millis));
        Self {
            seed,
            replicas: 1 + rng.below(3),
            payments: rng.pick(&[1, 2, 2, 3]),
            balance: rng.pick(&[25, 100, 1000]),
            numbers: 3 + rng.below(5),
            hurry: rng.pick(&[Duration::from_secs(3), Duration::from_secs(50)]),
            real_resolver: rng.chance(0.05),
            faults_until: Duration::from_secs(75),
            queryable: true,
            half_hidden: false,
            payments_queryable: true,
            numbers_per_app: rng.chance(0.3),
            number_lag: lag(rng),
            total_lag: lag(rng),
            attempt: Duration::from_secs(2),
            calls: Chances::default(),
            keep_refused: false,
            used_before: 0,
            device_refunds: 0,
            returns: 0,
            keys_change: false,
            app_ids: 1,
            exchanged: false,
            places: 64,
            attempts: 3,
            look_first: true,
            death_at_statement: 0.0,
            death_at_refund: 0.0,
            pause: 0.0,
            suspension: 0.0,
            statement_fails: 0.0,
            commit_unknown: 0.0,
            retention: None,
            in_file: seed.is_multiple_of(IN_FILE),
            restored: false,
            drift: 0.0,
            jumps: Duration::ZERO,
            steps: false,
            nowhere: 0.0,
            other_content: 0.0,
            cancel: 0.0,
            repeat_at_once: 0.5,
            short_deadlines: 0.0,
            acknowledges: 0.0,
            persons: 0,
        }
    }

    /// A run in which everything may go wrong at once.
    pub fn wild(seed: u64) -> Self {
        let calm = Self::calm(seed);
        let rng = &mut Rng::of(seed, "wild");
        let often = |rng: &mut Rng, value: f64| if rng.chance(0.5) { 0.0 } else { value };
        let queryable = rng.chance(0.6);
        let half_hidden = queryable && rng.chance(0.25);
        let payments_queryable = rng.chance(0.85);
        let look_first = !rng.chance(0.04);
        let exchanged = rng.chance(0.1);
        let steps = rng.chance(0.2);
        Self {
            queryable,
            half_hidden,
            payments_queryable,
            hurry: rng.pick(&[
                Duration::from_secs(3),
                Duration::from_secs(50),
                Duration::from_secs(50),
            ]),
            attempt: rng.pick(&[Duration::from_secs(2), CEILING]),
            calls: Chances::wild(rng, payments_queryable && look_first),
            keep_refused: rng.chance(0.3),
            used_before: if rng.chance(0.1) { 2 } else { 0 },
            device_refunds: if rng.chance(0.15) { rng.below(4) } else { 0 },
            returns: if queryable && rng.chance(0.3) { 1 + rng.below(6) } else { 0 },
            keys_change: rng.chance(0.1),
            app_ids: if exchanged { 1 } else { rng.pick(&[1, 1, 1, 2]) },
            exchanged,
            places: rng.pick(&[1, 64, 64, 64, 64, 64, 64, 64]),
            look_first,
            death_at_statement: often(rng, 0.005),
            death_at_refund: often(rng, 0.1),
            pause: often(rng, 0.02),
            suspension: rng.pick(&[0.0, 0.0, 0.0, 0.02, 0.05]),
            statement_fails: rng.pick(&[0.0, 0.0, 0.0, 0.02, 0.1]),
            commit_unknown: rng.pick(&[0.0, 0.0, 0.0, 0.02, 0.1]),
            retention: rng.chance(0.2).then_some(Duration::from_secs(15)),
            restored: rng.chance(0.03),
            drift: rng.pick(&[-0.01, 0.0, 0.01]),
            jumps: if steps || rng.chance(0.5) { Duration::ZERO } else { rng.ms(0..2_000) },
            steps,
            nowhere: 0.04,
            other_content: often(rng, 0.15),
            cancel: often(rng, 0.2),
            repeat_at_once: rng.pick(&[0.3, 0.7]),
            short_deadlines: 0.4,
            acknowledges: rng.pick(&[0.0, 0.3]),
            persons: rng.pick(&[0, 0, 2]),
            ..calm
        }
    }

    /// Whether a query by this number finds a refund under it.
    pub fn finds(&self, number: &str) -> bool {
        let odd = number.ends_with(|digit: char| digit.to_digit(10).is_some_and(|it| it % 2 == 1));
        self.queryable && !(self.half_hidden && odd)
    }

    pub fn rules(&self) -> Rules {
        Rules {
            min_left: Duration::from_millis(500),
            ceiling: CEILING,
            lag: LAG,
            settle_window: WINDOW,
            processing_patience: Duration::from_secs(3 * 24 * 3600),
            look_first: self.look_first,
            refused_codes: [].into(),
            retention: Duration::from_secs(400 * 24 * 3600),
        }
    }

    /// So long after it was handed to the network a refund may still be executed: later than
    /// this it would be seen after the settle window, the documented risk.
    pub fn latest(&self) -> Duration {
        let shown = self.number_lag.max(self.total_lag);
        (WINDOW + LEASE_MARGIN).saturating_sub(shown + self.jumps)
    }
}
