//! Clocks that step, machines that sleep, and restarts: with the ledger's clock and this process's
//! own in the test's hands.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use sunmi_trade::clock::BootClock;
use sunmi_trade::config::{self, Upstream as Configured};
use sunmi_trade::deadline::Deadline;
use sunmi_trade::ledger::{Access, Clock, Key, Ledger, Location, State};
use sunmi_trade::refund::{Begun, Refunds};
use sunmi_trade::sunmi::Client;
use sunmi_trade::trade::{Identifier, OrderRef, Refund};
use tokio_util::task::TaskTracker;

use super::world::World;
use crate::calls::{self, code};
use crate::failure::IN_DOUBT;
use crate::measures::{measure, until};
use crate::server::{BRIEF, refund, refund_within, settings, with};
use crate::upstream::{QUERY, REFUND, Upstream};

const HOUR: u64 = 3_600_000;

/// Execution d: the ledger's clock steps ahead by two hours, twice as long as the window.
#[tokio::test]
async fn a_step_ahead_of_the_ledgers_clock_judges_nothing() {
    let world = World::start(&[]).await;
    world.spoil(false, sunmi_trade::sandbox::faults::Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    world.step(2 * HOUR as i64).await;
    world.looks("R1", 2).await;
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!((failure.verdict(), world.sends("R1")), (IN_DOUBT, 1));
}

/// Execution d: it steps back by two hours.
#[tokio::test]
async fn after_a_step_back_of_the_ledgers_clock_refunds_are_looked_for_and_have_an_age() {
    let world = World::start(&[]).await;
    world.sandbox.with_book(|book| book.set_refunds_queryable(false));
    world.spoil(true, sunmi_trade::sandbox::faults::Answer::Reset);
    let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    world.step(-2 * HOUR as i64).await;
    assert!(measure(&world.server, "sunmi_refund_unresolved_oldest_age_seconds").await > 0);
    // It is found from now on, with no call under way.
    world.sandbox.with_book(|book| book.set_refunds_queryable(true));
    until(&world.server, "sunmi_refund_unknown_outcome", |refunds| refunds == 0).await;
    assert!(refund(&world.server, calls::refund("R1")).await.unwrap().replayed);
}

/// Callers that keep to it ask often at first, and seldom of what will take long.
#[tokio::test]
async fn the_wait_that_is_asked_for_grows_with_the_age_of_the_doubt() {
    let world = World::start(&[]).await;
    world.hide("R1");
    world.spoil(false, sunmi_trade::sandbox::faults::Answer::Reset);
    for (age, least, most) in [(0, 1, 2), (40, 10, 14), (3000, 60, 60)] {
        world.step(age * 1000).await;
        let failure = refund_within(&world.server, calls::refund("R1"), BRIEF).await.unwrap_err();
        assert_eq!(failure.verdict(), IN_DOUBT);
        let wait = failure.retry_delay.unwrap();
        let range = Duration::from_secs(least)..=Duration::from_secs(most);
        assert!(range.contains(&wait), "{wait:?} at {age} s");
    }
    assert_eq!(world.sends("R1"), 1);
}

/// A process whose clocks are in the test's hands; both in milliseconds.
#[derive(Clone)]
struct Process {
    refunds: Refunds,
    ledger: Ledger,
    database: Arc<AtomicI64>,
    own: Arc<AtomicU64>,
}

impl Process {
    async fn start(upstream: &Upstream) -> Self {
        let ledger = Ledger::open(&Location::Memory, "test", Access::Serve).await.unwrap();
        Self::on(upstream, ledger, Arc::new(AtomicI64::new(1_000_000_000)))
    }

    /// Another one on the same ledger: it has seen nothing yet.
    fn restarted(&self, upstream: &Upstream) -> Self {
        Self::on(upstream, self.ledger.clone(), Arc::clone(&self.database))
    }

    fn on(upstream: &Upstream, ledger: Ledger, database: Arc<AtomicI64>) -> Self {
        let env = [("SUNMI_TRADE__REFUND__SETTLE_WINDOW", "1h")];
        let config = config::load(&with(settings(upstream.address), &env), false).unwrap();
        let Configured::Environment { base_url, .. } = &config.upstream else { unreachable!() };
        let client =
            Client::new(&config.client(base_url.clone()), config.credentials.clone()).unwrap();
        let own = Arc::new(AtomicU64::new(HOUR));
        let (now, boot) = (Arc::clone(&database), Arc::clone(&own));
        let ledger = ledger.by_clock(Clock::Given(Arc::new(move || now.load(Ordering::SeqCst))));
        let clock =
            BootClock::given(Arc::new(move || Duration::from_millis(boot.load(Ordering::SeqCst))));
        let rules = config.refund.clone();
        let refunds = Refunds::new(Arc::new(client), ledger.clone(), TaskTracker::new(), rules);
        Self { refunds: refunds.by_clock(clock), ledger, database, own }
    }

    fn pass(&self, by: u64) {
        self.database.fetch_add(by as i64, Ordering::SeqCst);
        self.own.fetch_add(by, Ordering::SeqCst);
    }

    /// Makes the refund `R1` of `P1`, and says whether it was made.
    async fn refund(&self) -> bool {
        let deadline = Deadline::after(BRIEF);
        self.refunds.refund(r1(), deadline, &Begun::default(), ()).await.is_ok()
    }

    async fn state(&self) -> State {
        self.ledger.row(&Key::of(&r1())).await.unwrap().state
    }
}

fn r1() -> Refund {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    Refund {
        app_id: id(crate::server::APP_ID),
        app_id_named: true,
        msn: id("M1"),
        amount: 100,
        original: OrderRef::OrderId(id("P1")),
        order_id: id("R1"),
        business_id: id("B1"),
        acknowledged: Box::default(),
        note: sunmi_trade::trade::Note::default(),
        caller: None,
        day_bound: None,
    }
}

/// A refund that was not executed, in doubt, of a payment whose total shows that.
async fn in_doubt() -> (Upstream, Process) {
    let upstream = Upstream::start().await;
    let payment = serde_json::json!({
        "amount": "10000", "orderType": "0", "state": "3", "refunded": "0"
    });
    upstream.finds("P1", calls::success(&payment)).always(QUERY, calls::not_found());
    upstream.next(REFUND, code("S03", "")).always(REFUND, calls::refunded());
    let process = Process::start(&upstream).await;
    assert!(!process.refund().await);
    assert_eq!(process.state().await, State::InDoubt);
    (upstream, process)
}

/// The window is over only when both clocks say so: what one of them says alone, by a step or by
/// a restart, is not enough.
#[tokio::test]
async fn the_window_is_over_by_both_clocks_or_not_at_all() {
    let (upstream, process) = in_doubt().await;
    process.database.fetch_add(2 * HOUR as i64, Ordering::SeqCst);
    process.refunds.work_off().await;
    assert_eq!(process.state().await, State::InDoubt);
    process.own.fetch_add(HOUR - 1000, Ordering::SeqCst);
    process.refunds.work_off().await;
    assert_eq!(process.state().await, State::InDoubt);
    assert!(!process.refund().await);
    process.pass(2 * HOUR);
    process.refunds.work_off().await;
    assert_eq!((process.state().await, upstream.sends()), (State::NotApplied, 1));
}

/// Of the drafts: ten minutes of patience after a restart are not enough where the clock had
/// jumped before it. A new process waits for the whole window.
#[tokio::test]
async fn after_a_restart_the_whole_window_is_waited_for_anew() {
    let (upstream, process) = in_doubt().await;
    process.database.fetch_add(2 * HOUR as i64, Ordering::SeqCst);
    let process = process.restarted(&upstream);
    for _ in 0..5 {
        process.refunds.work_off().await;
        process.pass(HOUR / 6);
    }
    process.refunds.work_off().await;
    assert_eq!((process.state().await, upstream.sends()), (State::InDoubt, 1));
    process.pass(2 * HOUR);
    process.refunds.work_off().await;
    assert_eq!(process.state().await, State::NotApplied);
}

/// Execution c: the machine is suspended at any one moment of a refund, for longer than a lease.
/// The clock that counts that says so when it wakes: what was claimed before is not sent.
#[tokio::test]
async fn an_owner_that_wakes_from_a_suspended_machine_does_not_send() {
    let mut unsent = 0;
    for moment in 1..40 {
        let upstream = Upstream::start().await;
        upstream.always(QUERY, calls::not_found()).always(REFUND, calls::refunded());
        let process = Process::start(&upstream).await;
        let reads = Arc::new(AtomicU64::new(0));
        let own = Arc::clone(&reads);
        let clock = BootClock::given(Arc::new(move || {
            let slept = own.fetch_add(1, Ordering::SeqCst) >= moment;
            Duration::from_secs(3600 + if slept { 120 } else { 0 })
        }));
        let refunds = process.refunds.clone().by_clock(clock);
        let made = refunds.refund(r1(), Deadline::after(BRIEF), &Begun::default(), ()).await;
        let row = process.ledger.read(&Key::of(&r1())).await.unwrap();
        let state = row.map(|row| row.state);
        if made.is_ok() {
            assert_eq!((upstream.sends(), state), (1, Some(State::Settled)), "{moment}");
        } else {
            unsent += 1;
            assert_eq!((upstream.sends(), state), (0, Some(State::NotApplied)), "{moment}");
        }
        if reads.load(Ordering::SeqCst) < moment {
            break;
        }
    }
    assert!(unsent > 0, "there was no moment between claim and send");
}
