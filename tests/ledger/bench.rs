//! A ledger of each kind to test on, with a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection};
use sunmi_trade::clock::BootClock;
use sunmi_trade::ledger::{
    Access, Claim, ClaimRequest, Clock, Doubt, Key, Ledger, LedgerError, Location, Looked, Row,
    Said, Settled, State,
};
use sunmi_trade::trade::{
    Evidence, Identifier, Note, OrderRef, Payment, PaymentNames, Refund, RefundTrade, Refunded,
    TradeState,
};
use uuid::Uuid;

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
        self.by_its_own_clock().await.by_clock(self.clock())
    }

    /// The ledger, by the database's clock.
    pub(crate) async fn by_its_own_clock(&self) -> Ledger {
        Ledger::open(&self.location, UPSTREAM, Access::Serve).await.expect("a ledger")
    }

    /// Another process's hold on this ledger: of a file, the command line's; where only one
    /// process can have it, a clone.
    pub(crate) async fn another(&self, ledger: &Ledger) -> Ledger {
        let access = match self.kind {
            Kind::Memory => return ledger.clone(),
            Kind::Sqlite => Access::Visit,
            Kind::Postgres => Access::Serve,
        };
        let another = Ledger::open(&self.location, UPSTREAM, access).await.expect("a ledger");
        another.by_clock(self.clock())
    }

    /// The test's clock.
    pub(crate) fn clock(&self) -> Clock {
        let now = Arc::clone(&self.now);
        Clock::Given(Arc::new(move || now.load(Ordering::SeqCst)))
    }

    /// A connection to the database beside the ledger; there is none to a process's memory.
    pub(crate) async fn beside(&self) -> AnyConnection {
        install_default_drivers();
        let url = match &self.location {
            Location::Memory => panic!("nobody else sees this process's memory"),
            Location::Sqlite(path) => format!("sqlite://{}?mode=rwc", path.display()),
            Location::Postgres(url) => url.expose_secret().to_owned(),
        };
        AnyConnection::connect(&url).await.expect("a connection")
    }

    /// So much time passes.
    pub(crate) fn pass(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// The clock is set back by so much.
    pub(crate) fn step_back(&self, time: Duration) {
        self.now.fetch_sub(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// What time it is.
    pub(crate) fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }
}

pub(crate) fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).expect("an identifier")
}

/// A refund of 100 of a payment of its own.
pub(crate) fn refund(number: &str) -> Refund {
    refund_of(&format!("P-{number}"), number)
}

/// A refund of 100 of this payment.
pub(crate) fn refund_of(payment: &str, number: &str) -> Refund {
    Refund {
        app_id: id("app"),
        msn: id("device"),
        amount: 100,
        original: OrderRef::OrderId(id(payment)),
        order_id: id(number),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

/// The same, whose caller knows of these.
pub(crate) fn acknowledging(refund: Refund, numbers: &[&str]) -> Refund {
    Refund { acknowledged: numbers.iter().map(|number| id(number)).collect(), ..refund }
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

/// A doubt for this reason.
pub(crate) fn because(why: &str) -> Doubt {
    Doubt { why: why.to_owned(), ..Doubt::default() }
}

/// The payment of a refund, when a look found these names of it.
pub(crate) fn payment(refund: &Refund, names: &PaymentNames) -> Payment {
    Payment { app_id: refund.app_id.clone(), asked: refund.original.clone(), found: names.clone() }
}

/// What is seen before a claim, where Sunmi has neither the number nor the payment.
pub(crate) async fn looked(ledger: &Ledger, refund: &Refund) -> Looked {
    looked_by(ledger, refund, PaymentNames::default()).await
}

/// The same, where a look found these names of the payment.
pub(crate) async fn looked_by(ledger: &Ledger, refund: &Refund, names: PaymentNames) -> Looked {
    let row = ledger.read(&Key::of(refund)).await.expect("a ledger that works");
    let rows = ledger.of_payment(&payment(refund, &names)).await.expect("rows");
    Looked {
        epoch: row.map_or(0, |row| row.epoch),
        rows: rows.iter().map(|row| (row.key.clone(), row.change)).collect(),
        absent: true,
        names,
        ..Looked::default()
    }
}

/// Tries to claim a refund after these looks.
pub(crate) async fn claim_after(ledger: &Ledger, refund: &Refund, looked: &Looked) -> Claim {
    claim_as(ledger, refund, looked, &Uuid::new_v4().simple().to_string()).await
}

/// The same by a claim that is known by this.
pub(crate) async fn claim_as(ledger: &Ledger, refund: &Refund, looked: &Looked, id: &str) -> Claim {
    try_claim_as(ledger, refund, looked, id).await.expect("a ledger that works")
}

/// The same where the ledger may fail.
pub(crate) async fn try_claim_as(
    ledger: &Ledger,
    refund: &Refund,
    looked: &Looked,
    id: &str,
) -> Result<Claim, LedgerError> {
    let begun = BootClock::default().now();
    let request = ClaimRequest { refund, id, looked, ceiling: CEILING, begun };
    ledger.claim(&request).await
}

/// Looks and tries to claim a refund.
pub(crate) async fn ask(ledger: &Ledger, refund: &Refund) -> Claim {
    claim_after(ledger, refund, &looked(ledger, refund).await).await
}

/// The row of a claim that must be fresh.
pub(crate) fn fresh(claim: Claim) -> Row {
    match claim {
        Claim::Fresh(permit, row, _) => {
            assert_eq!((permit.epoch(), row.state), (row.epoch, State::Claimed));
            *row
        }
        other @ (Claim::Known(_)
        | Claim::Differs(_)
        | Claim::InFlight(_)
        | Claim::Changed
        | Claim::Beyond(_)) => {
            panic!("not fresh: {other:?}")
        }
    }
}

/// Claims a refund that is there to be claimed; its epoch.
pub(crate) async fn claim(ledger: &Ledger, refund: &Refund) -> i64 {
    fresh(ask(ledger, refund).await).epoch
}

pub(crate) async fn row(ledger: &Ledger, refund: &Refund) -> Row {
    ledger.row(&Key::of(refund)).await.expect("a row")
}

/// Brings a refund that is there to be claimed into this state; if not applied, told.
pub(crate) async fn bring(ledger: &Ledger, refund: &Refund, state: State) -> Row {
    let epoch = claim(ledger, refund).await;
    move_on(ledger, refund, epoch, state).await
}

/// Brings a refund that is claimed into this state; if not applied, told.
pub(crate) async fn move_on(ledger: &Ledger, refund: &Refund, epoch: i64, state: State) -> Row {
    let key = Key::of(refund);
    let moved = match state {
        State::Claimed => Ok(true),
        State::InDoubt => ledger.doubt(&key, epoch, &because("a test"), Said::default()).await,
        State::Processing => ledger.processing(&key, &answer(refund, TradeState::Processing)).await,
        State::Settled => {
            let done = answer(refund, TradeState::Succeeded);
            ledger.settle(&key, &done).await.map(|settled| settled == Settled::Written)
        }
        State::NotApplied => ledger.refuse(&key, epoch, &because("a test"), true).await,
    };
    assert!(moved.expect("a ledger that works"), "{state:?}");
    let row = row(ledger, refund).await;
    assert_eq!(row.state, state);
    row
}

/// What must be the same if nothing was written.
pub(crate) fn written(row: &Row) -> String {
    format!("{:?}", Row { now: 0, ..row.clone() })
}

/// All states.
pub(crate) const STATES: [State; 5] =
    [State::Claimed, State::InDoubt, State::Processing, State::Settled, State::NotApplied];
