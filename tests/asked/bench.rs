//! A ledger of each kind to ask, with a clock that the test sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use sunmi_trade::clock::BootClock;
use sunmi_trade::ledger::{
    Access, Claim, ClaimRequest, Clock, Doubt, Key, Ledger, Location, Looked, Row, Said, State,
};
use sunmi_trade::trade::{
    Evidence, Identifier, Note, OrderRef, Refund, RefundTrade, Refunded, TradeState,
};

use crate::postgres::Database;
use crate::scratch::Scratch;

/// What the ledgers belong to.
pub(crate) const UPSTREAM: &str = "http://sunmi.test/";

/// For how long the owner of a claim may send, and how long its lease is.
pub(crate) const CEILING: Duration = Duration::from_secs(60);
pub(crate) const LEASE: Duration = Duration::from_secs(65);

/// When the tests' clock starts, in milliseconds.
pub(crate) const START: i64 = 1_800_000_000_000;

/// What a ledger can be kept in.
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
    /// Of PostgreSQL.
    pub(crate) database: Option<Database>,
    now: Arc<AtomicI64>,
}

/// Tests a scenario on a ledger of this kind.
pub(crate) async fn on(kind: Kind, scenario: impl AsyncFnOnce(&Bench)) {
    let now = Arc::new(AtomicI64::new(START));
    let bench = |location, database| Bench { kind, location, database, now };
    match kind {
        Kind::Memory => scenario(&bench(Location::Memory, None)).await,
        Kind::Sqlite => {
            let scratch = Scratch::new();
            let path = scratch.path().join("ledger.db");
            scenario(&bench(Location::Sqlite(path), None)).await;
        }
        Kind::Postgres => {
            let Some(database) = Database::new().await else { return };
            let location = Location::parse(database.url().as_str()).expect("a location");
            scenario(&bench(location, Some(database))).await;
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
        let ledger = Ledger::open(&self.location, UPSTREAM, Access::Serve).await;
        ledger.expect("a ledger").by_clock(clock)
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
}

pub(crate) fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).expect("an identifier")
}

/// A refund of 100 of a payment of its own.
pub(crate) fn refund(number: &str) -> Refund {
    Refund {
        app_id: id("app"),
        msn: id("device"),
        amount: 100,
        original: OrderRef::OrderId(id(&format!("P-{number}"))),
        order_id: id(number),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

/// The answer to this refund when it is in this state.
pub(crate) fn answer(state: TradeState) -> Refunded {
    let trade = RefundTrade { amount: Some(100), state: Some(state), ..RefundTrade::default() };
    Refunded { trade, evidence: Evidence::Reply, replayed: false }
}

/// Claims a refund after these looks.
pub(crate) async fn claim_after(ledger: &Ledger, refund: &Refund, looked: &Looked) -> Row {
    let (id, begun) = (refund.order_id.as_str(), BootClock::default().now());
    let request = ClaimRequest { refund, id, looked, ceiling: CEILING, begun };
    match ledger.claim(&request).await.expect("a claim") {
        Claim::Fresh(_, row, _) => *row,
        other @ (Claim::Known(_)
        | Claim::Differs(_)
        | Claim::InFlight(_)
        | Claim::Changed
        | Claim::Beyond(_)) => {
            panic!("not fresh: {other:?}")
        }
    }
}

/// Claims a refund that nobody claimed before.
pub(crate) async fn claim(ledger: &Ledger, refund: &Refund) -> Row {
    claim_after(ledger, refund, &Looked::default()).await
}

/// Claims a refund and brings it into this state.
pub(crate) async fn bring(ledger: &Ledger, refund: &Refund, state: State) -> Row {
    let Row { key, epoch, .. } = claim(ledger, refund).await;
    move_to(ledger, &key, epoch, state).await;
    let row = ledger.row(&key).await.unwrap();
    assert_eq!(row.state, state);
    row
}

/// Brings a claimed refund into this state.
pub(crate) async fn move_to(ledger: &Ledger, key: &Key, epoch: i64, state: State) {
    let doubt = Doubt { why: "a test".to_owned(), ..Doubt::default() };
    match state {
        State::Claimed => {}
        State::InDoubt => {
            assert!(ledger.doubt(key, epoch, &doubt, Said::default()).await.unwrap());
        }
        State::Processing => {
            assert!(ledger.processing(key, &answer(TradeState::Processing)).await.unwrap());
        }
        State::Settled => {
            ledger.settle(key, &answer(TradeState::Succeeded)).await.unwrap();
        }
        State::NotApplied => {
            assert!(ledger.refuse(key, epoch, &doubt, true).await.unwrap());
        }
    }
}
