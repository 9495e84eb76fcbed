//! What a refund costs: commits, counted where the database keeps them.

use std::sync::Arc;
use std::time::Duration;

use sqlx::{Connection, PgConnection};
use sunmi_trade::config::{self, Sources};
use sunmi_trade::deadline::Deadline;
use sunmi_trade::error::{Error, Fault as Reason};
use sunmi_trade::ledger::{Ledger, Location};
use sunmi_trade::refund::{Begun, Refunds};
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::sandbox::http::Sandbox;
use sunmi_trade::sunmi::Client;
use sunmi_trade::trade::{Refund, Refunded};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;

use crate::bench::{Bench, Kind, id, on, refund_of};
use crate::postgres::Database;

/// Refunds from this ledger, at a sandbox.
async fn refunds(ledger: Ledger) -> (Refunds, Sandbox) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let base_url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let config = config::load(&Sources::default(), true).unwrap();
    let sandbox = Sandbox::new(config.credentials.iter());
    sandbox.with_book(|book| book.add_payment("P", 1_000, 0));
    tokio::spawn(sandbox.clone().serve(listener));
    let client = Client::new(&config.client(base_url), config.credentials).unwrap();
    (Refunds::new(Arc::new(client), ledger, TaskTracker::new(), config.refund), sandbox)
}

fn asked(number: &str) -> Refund {
    Refund { app_id: id("sandbox"), ..refund_of("P", number) }
}

async fn make(refunds: &Refunds, refund: Refund) -> Result<Refunded, Error> {
    let deadline = Deadline::after(Duration::from_secs(30));
    refunds.refund(refund, deadline, &Begun::default(), ()).await.map(|answer| answer.value)
}

/// A refund costs two commits, one that is known already none; `count` counts them.
async fn costs(ledger: Ledger, count: impl AsyncFn() -> u64) {
    let (refunds, sandbox) = refunds(ledger).await;
    let since = async |before: u64| count().await - before;

    let before = count().await;
    assert!(!make(&refunds, asked("R1")).await.unwrap().replayed);
    assert_eq!(since(before).await, 2, "of a refund that succeeds");

    let before = count().await;
    assert!(make(&refunds, asked("R1")).await.unwrap().replayed);
    assert_eq!(since(before).await, 0, "of one that is repeated");

    let before = count().await;
    let reused = make(&refunds, Refund { amount: 7, ..asked("R1") }).await.unwrap_err();
    assert_eq!(reused.fault(), Reason::RefundOrderIdReused);
    assert_eq!(since(before).await, 0, "of one that is another");

    let before = count().await;
    let refused = make(&refunds, Refund { amount: 5_000, ..asked("R2") }).await.unwrap_err();
    assert_eq!(refused.fault(), Reason::RefundAmountWrong);
    assert_eq!(since(before).await, 2, "of one that is refused");

    sandbox.spoil(Fault {
        endpoint: Some(Endpoint::Refund),
        execute: true,
        ..Fault::of(Answer::Close)
    });
    let before = count().await;
    assert!(make(&refunds, asked("R3")).await.is_ok());
    assert_eq!(since(before).await, 3, "of one that is found out afterwards");
}

#[tokio::test]
async fn a_refund_costs_two_commits_to_a_file() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let Location::Sqlite(path) = &bench.location else { panic!("no file") };
        let mut log = path.clone().into_os_string();
        log.push("-wal");
        costs(bench.by_its_own_clock().await, async || commits_in(&std::fs::read(&log).unwrap()))
            .await;
    })
    .await;
}

/// The commits in a write-ahead log (sqlite.org/walformat.html): its frames that say how
/// large the database is after them, and are of this log's salt, not of an older one's.
pub(crate) fn commits_in(log: &[u8]) -> u64 {
    const HEADER: usize = 32;
    const FRAME_HEADER: usize = 24;
    let number = |at: usize| u32::from_be_bytes(log[at..at + 4].try_into().unwrap());
    let page = usize::try_from(number(8)).unwrap();
    let salt = (number(16), number(20));
    let frames = (HEADER..log.len()).step_by(FRAME_HEADER + page);
    let commit = |at: &usize| number(at + 4) != 0 && (number(at + 8), number(at + 12)) == salt;
    frames.filter(commit).count().try_into().unwrap()
}

#[tokio::test]
async fn a_refund_costs_two_commits_to_postgres() {
    let Some(database) = Database::new().await else { return };
    let location = Location::parse(database.url().as_str()).unwrap();
    let access = sunmi_trade::ledger::Access::Serve;
    let ledger = Ledger::open(&location, crate::bench::UPSTREAM, access).await.unwrap();
    // Every transaction that writes into either table leaves its number.
    let count = "
        CREATE TABLE seen (transaction xid8 PRIMARY KEY);
        CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO seen VALUES (pg_current_xact_id()) ON CONFLICT DO NOTHING;
            RETURN NULL;
        END $$;
        CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON refunds
            FOR EACH ROW EXECUTE FUNCTION see();
        CREATE TRIGGER see AFTER INSERT OR UPDATE OR DELETE ON ledger_facts
            FOR EACH ROW EXECUTE FUNCTION see();";
    let url = database.url();
    let connect = async || PgConnection::connect(url.as_str()).await.unwrap();
    sqlx::raw_sql(count).execute(&mut connect().await).await.unwrap();
    costs(ledger, async || {
        let seen: i64 = sqlx::query_scalar("SELECT count(*) FROM seen")
            .fetch_one(&mut connect().await)
            .await
            .unwrap();
        u64::try_from(seen).unwrap()
    })
    .await;
}
