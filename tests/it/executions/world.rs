//! A server on the sandbox, with a ledger in a file that a test may look into and change.

use std::time::Duration;

use sqlx::{Connection, Row as _, SqliteConnection};
use sunmi_trade::api::pb;
use sunmi_trade::config::{self, Sources};
use sunmi_trade::sandbox::book::{Endpoint, PastRefund};
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::sandbox::http::Sandbox;
use tokio::net::TcpListener;
use tokio::time::Instant;

use crate::calls;
use crate::scratch::Scratch;
use crate::server::{GUARD, Server, query, settings, with};

/// A server, its Sunmi and its ledger. The payment `P1` of 10,000 fen is there, `P2` too.
pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) server: Server,
    sources: Sources,
    folder: Scratch,
}

/// The end of the settle window is the end of the lease, and no lag is reckoned with.
pub(super) const HASTY: [(&str, &str); 2] =
    [("SUNMI_TRADE__REFUND__SETTLE_WINDOW", "1ms"), ("SUNMI_TRADE__REFUND__LAG", "0s")];

impl World {
    /// With these settings beside the usual ones.
    pub(super) async fn start(env: &[(&str, &str)]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let folder = Scratch::new();
        let ledger = format!("sqlite://{}", folder.path().join("ledger.db").display());
        let sources = with(settings(listener.local_addr().unwrap()), env);
        let sources = with(sources, &[("SUNMI_TRADE__REFUND__LEDGER", &ledger)]);
        let config = config::load(&sources, false).expect("settings in order");
        let sandbox = Sandbox::new(config.credentials.iter());
        tokio::spawn(sandbox.clone().serve(listener));
        sandbox.with_book(|book| book.add_payment("P1", 10_000, 0));
        sandbox.with_book(|book| book.add_payment("P2", 10_000, 0));
        let server = Server::start_with(config).await;
        // Once it answers, its ledger is there.
        query(&server, calls::query("P1")).await.unwrap();
        Self { sandbox, server, sources, folder }
    }

    /// Stops the server and starts another one on the same ledger, with these settings, too.
    /// Between the two this is done to the ledger.
    pub(super) async fn restart(self, sql: &str, env: &[(&str, &str)]) -> Self {
        let Self { sandbox, mut server, sources, folder } = self;
        server.stop();
        server.stopped().await;
        execute(&folder, sql).await;
        let sources = with(sources, env);
        let server = Server::start(&sources).await;
        Self { sandbox, server, sources, folder }
    }

    /// Does this to the ledger, beside the server.
    pub(super) async fn sql(&self, sql: &str) {
        execute(&self.folder, sql).await;
    }

    /// The only value that this gives, as text.
    pub(super) async fn read(&self, sql: &str) -> String {
        let mut ledger = open(&self.folder).await;
        let sql = sqlx::AssertSqlSafe(sql.to_owned());
        let row = sqlx::query(sql).fetch_one(&mut ledger).await.unwrap();
        row.try_get::<Option<String>, _>(0).unwrap().unwrap_or_default()
    }

    /// Where the ledger is.
    pub(super) fn ledger_path(&self) -> std::path::PathBuf {
        self.folder.path().join("ledger.db")
    }

    /// The name of the upstream that the ledger belongs to.
    pub(super) fn upstream(&self) -> String {
        let config = config::load(&self.sources, false).expect("settings in order");
        config.upstream_name().to_owned()
    }

    /// The state of a refund in the ledger.
    pub(super) async fn state(&self, number: &str) -> String {
        self.read(&format!("SELECT state FROM refunds WHERE order_id = '{number}'")).await
    }

    /// Waits until a refund has this state in the ledger.
    pub(super) async fn becomes(&self, number: &str, state: &str) {
        let give_up = Instant::now() + GUARD;
        while self.state(number).await != state {
            assert!(Instant::now() < give_up, "{number} does not become {state}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Lets so many milliseconds pass by the ledger's clock alone.
    pub(super) async fn step(&self, millis: i64) {
        self.sql(&stepped(millis)).await;
    }

    /// Waits until Sunmi was asked so often from now on what this number is.
    pub(super) async fn looks(&self, number: &str, times: usize) {
        let count = || self.queries(number);
        let (give_up, before) = (Instant::now() + GUARD, count());
        while count() < before + times {
            assert!(Instant::now() < give_up, "{number} is not looked for");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn queries(&self, number: &str) -> usize {
        let calls = self.sandbox.calls();
        let is_it = |it: &&sunmi_trade::sandbox::http::Call| {
            it.endpoint == Endpoint::Query && it.form.get("orderId").is_some_and(|id| id == number)
        };
        calls.iter().filter(is_it).count()
    }

    /// How often a refund was sent under this number.
    pub(super) fn sends(&self, number: &str) -> usize {
        let calls = self.sandbox.calls();
        calls
            .iter()
            .filter(|it| it.endpoint == Endpoint::Refund && it.form["orderId"] == number)
            .count()
    }

    /// How often it was executed.
    pub(super) fn executions(&self, number: &str) -> usize {
        let executions = self.sandbox.with_book(|book| book.executions().to_vec());
        executions.iter().filter(|it| it.order_id == number).count()
    }

    /// A refund that was made before anybody here kept a ledger.
    pub(super) fn past(&self, number: &str, state: &str) {
        let past = PastRefund {
            order_id: number.to_owned(),
            original: "P1".to_owned(),
            amount: 100,
            state: state.to_owned(),
            age_ms: 86_400_000,
            app_id: None,
        };
        self.sandbox.with_book(|book| book.enter_refund(past, 0)).unwrap();
    }

    /// The next refund is answered so, executed or not.
    pub(super) fn spoil(&self, execute: bool, answer: Answer) {
        self.sandbox.spoil(Fault { execute, ..refund_fault(answer) });
    }

    /// Nothing is ever found under this number.
    pub(super) fn hide(&self, number: &str) {
        let not_found = Answer::Code("E19".to_owned());
        self.sandbox.spoil(Fault {
            endpoint: Some(Endpoint::Query),
            order_id: Some(number.to_owned()),
            times: u32::MAX,
            ..Fault::of(not_found)
        });
    }
}

/// The fault of the next refund alone.
pub(super) fn refund_fault(answer: Answer) -> Fault {
    Fault { endpoint: Some(Endpoint::Refund), ..Fault::of(answer) }
}

/// What lets so many milliseconds pass by the ledger's clock alone.
pub(super) fn stepped(millis: i64) -> String {
    format!(
        "UPDATE refunds SET lease_until = lease_until - {millis}, look_at = look_at - {millis}, \
         claimed_at = claimed_at - {millis}, changed_at = changed_at - {millis}"
    )
}

/// A refund of 100 fen of this payment.
pub(super) fn of_payment(payment: &str, number: &str) -> pb::RefundRequest {
    let original = pb::refund_request::Original::OriOrderId(payment.to_owned());
    pb::RefundRequest { original: Some(original), ..calls::refund(number) }
}

async fn open(folder: &Scratch) -> SqliteConnection {
    let url = format!("sqlite://{}?mode=rw", folder.path().join("ledger.db").display());
    SqliteConnection::connect(&url).await.unwrap()
}

async fn execute(folder: &Scratch, sql: &str) {
    let sql = sqlx::AssertSqlSafe(sql.to_owned());
    sqlx::raw_sql(sql).execute(&mut open(folder).await).await.unwrap();
}
