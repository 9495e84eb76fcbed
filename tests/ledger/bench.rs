//! A ledger of each kind to test on, with a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sunmi_trade::ledger::{Access, Claim, Clock, Key, Ledger, Location, Row, State};
use sunmi_trade::trade::{
    Evidence, Identifier, OrderRef, Refund, RefundTrade, Refunded, TradeState,
};

use crate::postgres::Database;
use crate::scratch::Scratch;

/// The upstream that the ledgers belong to.
pub(crate) const UPSTREAM: &str = "http://sunmi.test/";

/// What the tests' claims are made with, and what the ledger adds for the lease.
pub(crate) const CEILING: Duration = Duration::from_secs(60);
pub(crate) const LEASE: Duration = Duration::from_secs(65);

/// The settle window of the tests.
pub(crate) const WINDOW: Duration = Duration::from_secs(3600);

/// When the tests' clock starts, in milliseconds.
pub(crate) const START: i64 = 1_800_000_000_000;

/// The three kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
    Postgres,
}

/// Where a ledger is, and the time there.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) kind: Kind,
    pub(crate) location: Location,
    now: Arc<AtomicI64>,
}

/// Tests a scenario on a ledger of this kind.
pub(crate) async fn on(kind: Kind, scenario: impl AsyncFnOnce(&Bench)) {
    let now = Arc::new(AtomicI64::new(START));
    let bench = |location| Bench { kind, location, now };
    match kind {
        Kind::Memory => scenario(&bench(Location::Memory)).await,
        Kind::Sqlite => {
            let scratch = Scratch::new();
            let path = scratch.path().join("ledger.db");
            scenario(&bench(Location::Sqlite(path))).await;
        }
        Kind::Postgres => {
            let Some(database) = Database::new().await else { return };
            let location = Location::parse(database.url().as_str()).expect("a location");
            scenario(&bench(location)).await;
        }
    }
}

/// Tests each of these scenarios on each kind of ledger.
macro_rules! on_every_ledger {
    ($($scenario:ident)*) => {$(
        mod $scenario {
            use crate::bench::{Kind, on};

            #[tokio::test]
            async fn in_memory() {
                on(Kind::Memory, super::$scenario).await;
            }

            #[tokio::test]
            async fn in_a_file() {
                on(Kind::Sqlite, super::$scenario).await;
            }

            #[tokio::test]
            async fn in_postgres() {
                on(Kind::Postgres, super::$scenario).await;
            }
        }
    )*};
}
pub(crate) use on_every_ledger;

impl Bench {
    /// The ledger, by the test's clock.
    pub(crate) async fn ledger(&self) -> Ledger {
        let now = Arc::clone(&self.now);
        let clock = Clock::Given(Arc::new(move || now.load(Ordering::SeqCst)));
        self.by_its_own_clock().await.by_clock(clock)
    }

    /// The ledger, by the database's clock.
    pub(crate) async fn by_its_own_clock(&self) -> Ledger {
        Ledger::open(&self.location, UPSTREAM, Access::Serve).await.expect("a ledger")
    }

    /// Another process's hold on this ledger; where only one process may have it, a clone.
    pub(crate) async fn another(&self, ledger: &Ledger) -> Ledger {
        match self.kind {
            Kind::Memory | Kind::Sqlite => ledger.clone(),
            Kind::Postgres => self.ledger().await,
        }
    }

    /// So much time passes.
    pub(crate) fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// What time it is.
    pub(crate) fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }
}

pub(crate) fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).expect("an identifier")
}

/// A refund of 100 of the payment P.
pub(crate) fn refund(number: &str) -> Refund {
    Refund {
        app_id: id("app"),
        msn: id("device"),
        amount: 100,
        original: OrderRef::OrderId(id("P")),
        order_id: id(number),
        business_id: id("business"),
        caller: None,
    }
}

/// The answer to this refund when it is in this state.
pub(crate) fn answer(refund: &Refund, state: TradeState) -> Refunded {
    let trade = RefundTrade {
        amount: Some(refund.amount),
        state: Some(state),
        platform_id: Some(format!("platform-{}", refund.order_id)),
        ..RefundTrade::default()
    };
    Refunded { trade, evidence: Evidence::Reply, replayed: false }
}

/// Claims a refund that is there to be claimed; its epoch.
pub(crate) async fn claim(ledger: &Ledger, refund: &Refund) -> i64 {
    match ledger.claim(refund, CEILING).await.expect("a claim") {
        Claim::Fresh(permit) => permit.epoch(),
        other @ (Claim::Known(_) | Claim::Differs(_) | Claim::Free) => {
            panic!("not fresh: {other:?}")
        }
    }
}

pub(crate) async fn row(ledger: &Ledger, refund: &Refund) -> Row {
    ledger.row(&Key::of(refund)).await.expect("a row")
}

/// Brings a refund that was never claimed into this state.
pub(crate) async fn bring(ledger: &Ledger, refund: &Refund, state: State) -> Row {
    let (key, epoch) = (Key::of(refund), claim(ledger, refund).await);
    let moved = match state {
        State::Claimed => Ok(true),
        State::InDoubt => ledger.doubt(&key, epoch).await,
        State::Processing => {
            let accepted = answer(refund, TradeState::Processing);
            ledger.processing(&key, epoch, &accepted).await
        }
        State::Settled => {
            let done = answer(refund, TradeState::Succeeded);
            ledger.settle(refund, epoch, &done).await
        }
        State::NotApplied => ledger.refuse(&key, epoch, "a test").await,
    };
    assert!(moved.expect("a ledger that works"), "{state:?}");
    let row = row(ledger, refund).await;
    assert_eq!(row.state, state);
    row
}

/// All states.
pub(crate) const STATES: [State; 5] =
    [State::Claimed, State::InDoubt, State::Processing, State::Settled, State::NotApplied];
