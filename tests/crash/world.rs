//! A sandbox, a ledger beside it, and what servers of both are started with.

use std::time::Duration;

use sunmi_trade::ledger::{Access, Key, Ledger, Location, Row};
use sunmi_trade::sandbox;
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::sandbox::http::Sandbox;
use sunmi_trade::trade::Identifier;
use tokio::net::TcpListener;

use crate::calls::PAYMENT;
use crate::postgres::Database;
use crate::process::{Env, Server, until};
use crate::scratch::Scratch;

/// All that a test's servers share.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) sandbox: Sandbox,
    pub(crate) scratch: Scratch,
    pub(crate) location: Location,
    upstream: String,
    env: Env,
}

impl World {
    /// With a ledger in a file.
    pub(crate) async fn on_a_file() -> Self {
        let scratch = Scratch::new();
        let ledger = format!("sqlite://{}", scratch.path().join("ledger.db").display());
        Self::new(scratch, &ledger).await
    }

    /// With a ledger in PostgreSQL.
    pub(crate) async fn on(database: &Database) -> Self {
        Self::new(Scratch::new(), database.url().as_str()).await
    }

    async fn new(scratch: Scratch, ledger: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let upstream = format!("http://{}/", listener.local_addr().unwrap());
        let sandbox = Sandbox::new([&sandbox::credential()]);
        sandbox.with_book(|book| book.add_payment(PAYMENT, 1_000_000, 0));
        tokio::spawn(sandbox.clone().serve(listener));
        let location = Location::parse(ledger).unwrap();
        let mut world = Self { sandbox, scratch, location, upstream, env: Vec::new() };
        let upstream = world.upstream.clone();
        for (name, value) in [
            ("SUNMI_TRADE_APP_ID", "sandbox"),
            ("SUNMI_TRADE_APP_KEY", "sandbox-key"),
            ("SUNMI_TRADE__LISTEN", "127.0.0.1:0"),
            ("SUNMI_TRADE__ADMIN_LISTEN", "127.0.0.1:0"),
            ("SUNMI_TRADE__UPSTREAM__ENVIRONMENT", "custom"),
            ("SUNMI_TRADE__UPSTREAM__BASE_URL", &upstream),
            ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "500ms"),
            ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "1s"),
            ("SUNMI_TRADE__REFUND__LEDGER", ledger),
            ("SUNMI_TRADE__REFUND__LAG", "50ms"),
            ("SUNMI_TRADE__REFUND__SETTLE_WINDOW", "200ms"),
            ("SUNMI_TRADE__REFUND__MIN_LEFT", "50ms"),
            ("SUNMI_TRADE__SHUTDOWN__DELAY", "0s"),
        ] {
            world.set(name, value);
        }
        world.give(Duration::from_secs(2));
        world
    }

    /// Sets a variable of servers that are started from now on.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(set, _)| set != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    /// Gives calls so long, refunds and a server's drain a little more, and leases 5 s more.
    pub(crate) fn give(&mut self, time: Duration) {
        for (name, more) in [
            ("DEADLINES__DEFAULT", 0),
            ("DEADLINES__MAX", 0),
            ("REFUND__CEILING", 100),
            ("SHUTDOWN__DRAIN", 200),
        ] {
            let time = time + Duration::from_millis(more);
            self.set(&format!("SUNMI_TRADE__{name}"), &format!("{}ms", time.as_millis()));
        }
    }

    /// What the program is run with.
    pub(crate) fn env(&self) -> &Env {
        &self.env
    }

    pub(crate) async fn start(&self) -> Server {
        Server::start(&self.env, &self.scratch).await
    }

    /// Spoils the next refund call at the sandbox.
    pub(crate) fn spoil(&self, execute: bool, delay_ms: u64, answer: Answer) {
        let endpoint = Some(Endpoint::Refund);
        self.sandbox.spoil(Fault { endpoint, delay_ms, execute, ..Fault::of(answer) });
    }

    /// How many refunds moved money.
    pub(crate) fn executions(&self) -> usize {
        self.sandbox.with_book(|book| book.executions().len())
    }

    /// How often a refund under this number was sent.
    pub(crate) fn sent(&self, number: &str) -> usize {
        let is_it = |call: &sandbox::http::Call| {
            call.endpoint == Endpoint::Refund
                && call.form.get("orderId").is_some_and(|it| it == number)
        };
        self.sandbox.calls().iter().filter(|call| is_it(call)).count()
    }

    /// How often it moved money.
    pub(crate) fn executed(&self, number: &str) -> usize {
        let count = |book: &mut sandbox::book::Book| {
            book.executions().iter().filter(|it| it.order_id == number).count()
        };
        self.sandbox.with_book(count)
    }

    /// Waits until a refund under this number reached the sandbox, and was executed there, if
    /// it is to be.
    pub(crate) async fn reached(&self, number: &str, executed: bool) {
        until("a refund at the sandbox", async || {
            let there = self.sent(number) == 1 && self.executed(number) == usize::from(executed);
            there.then_some(())
        })
        .await;
    }

    /// The ledger, beside whoever serves from it.
    pub(crate) async fn ledger(&self) -> Ledger {
        Ledger::open(&self.location, &self.upstream, Access::Visit).await.unwrap()
    }

    /// What the ledger has under this number.
    pub(crate) async fn row(&self, number: &str) -> Option<Row> {
        let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
        let key = Key { app_id: id(sandbox::APP_ID), order_id: id(number) };
        self.ledger().await.read(&key).await.unwrap()
    }

    /// Waits until it is at rest there, though nobody asks a server for it.
    pub(crate) async fn at_rest(&self, number: &str) -> Row {
        let ledger = self.ledger().await;
        until("a refund at rest", async || {
            let mut rows = ledger.of_number(number).await.unwrap();
            rows.pop().filter(Row::is_at_rest)
        })
        .await
    }

    /// No log tells a secret: not the key, and no signature.
    pub(crate) fn keeps_secrets(&self, log: &str) {
        assert!(!log.contains("sandbox-key"), "{log}");
        for call in self.sandbox.calls() {
            assert!(!log.contains(&call.form["sign"]), "{log}");
        }
    }
}

/// The changes of state of this refund, as a log tells them.
pub(crate) fn events(log: &str, number: &str) -> Vec<String> {
    let of = format!(" refund=\"{number}\" ");
    let state = |line: &str| Some(line.split_once("state=\"")?.1.split_once('"')?.0.to_owned());
    log.lines().filter(|line| line.contains(&of)).filter_map(state).collect()
}
