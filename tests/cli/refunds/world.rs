//! A sandbox, and a ledger in a file with refunds that were made by the library.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use sunmi_trade::config::{self, Config, Sources};
use sunmi_trade::deadline::Deadline;
use sunmi_trade::error::Error;
use sunmi_trade::ledger::{Access, ClaimRequest, Clock, Key, Ledger, Looked, Row};
use sunmi_trade::refund::{Begun, Refunds};
use sunmi_trade::sandbox;
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::sandbox::http::Sandbox;
use sunmi_trade::sunmi::Client;
use sunmi_trade::trade::{Identifier, Note, OrderRef, Refund, Refunded};
use tokio::net::TcpListener;
use tokio_util::task::TaskTracker;
use url::Url;

use crate::{Ran, run};

/// What is refunded.
const PAYMENT: &str = "P";
/// How much, each time.
pub(super) const AMOUNT: i64 = 10;

/// How long ago a refund is made.
pub(super) const NOW: Duration = Duration::ZERO;
/// Longer ago than any lease and settle window.
pub(super) const LONG_AGO: Duration = Duration::from_secs(3 * 3600);

pub(super) struct World {
    pub(super) sandbox: Sandbox,
    pub(super) ledger_path: std::path::PathBuf,
    base_url: Url,
    env: BTreeMap<String, String>,
}

impl World {
    /// One with a ledger of its own, of this name, and nothing in it.
    pub(super) async fn new(name: &str) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let base_url = format!("http://{}/", listener.local_addr().unwrap());
        let sandbox = Sandbox::new([&sandbox::credential()]);
        sandbox.with_book(|book| book.add_payment(PAYMENT, 1000, 0));
        tokio::spawn(sandbox.clone().serve(listener));
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("refunds").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let ledger_path = folder.join("ledger.db");
        let env = [
            ("SUNMI_TRADE_APP_ID", "sandbox".to_owned()),
            ("SUNMI_TRADE_APP_KEY", "sandbox-key".to_owned()),
            ("SUNMI_TRADE__UPSTREAM__ENVIRONMENT", "custom".to_owned()),
            ("SUNMI_TRADE__UPSTREAM__BASE_URL", base_url.clone()),
            ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "500ms".to_owned()),
            ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "2s".to_owned()),
            ("SUNMI_TRADE__REFUND__LEDGER", format!("sqlite://{}", ledger_path.display())),
            ("SUNMI_TRADE__REFUND__LAG", "50ms".to_owned()),
            ("SUNMI_TRADE__REFUND__MIN_LEFT", "50ms".to_owned()),
        ];
        let env = env.map(|(name, value)| (name.to_owned(), value)).into();
        Self { sandbox, ledger_path, base_url: base_url.parse().unwrap(), env }
    }

    /// Sets a variable, or takes it away.
    pub(super) fn set(&mut self, name: &str, value: Option<&str>) {
        match value {
            Some(value) => drop(self.env.insert(name.to_owned(), value.to_owned())),
            None => drop(self.env.remove(name)),
        }
    }

    fn config(&self) -> Config {
        let sources = Sources { env: self.env.clone(), ..Sources::default() };
        config::load(&sources, false).unwrap()
    }

    /// The ledger, by a clock that is so late.
    async fn ledger(&self, access: Access, late: Duration) -> Ledger {
        let config = self.config();
        let ledger = Ledger::open(&config.ledger, config.upstream_name(), access).await;
        ledger.unwrap().by_clock(Clock::Given(Arc::new(move || now() - millis(late))))
    }

    /// Makes a refund so long ago, for as long as a call may take.
    pub(super) async fn refund(&self, number: &str, ago: Duration) -> Result<Refunded, Error> {
        self.refund_of(refund(number), ago).await
    }

    pub(super) async fn refund_of(&self, refund: Refund, ago: Duration) -> Result<Refunded, Error> {
        let config = self.config();
        let client = Client::new(&config.client(self.base_url.clone()), config.credentials);
        let (ledger, tasks) = (self.ledger(Access::Serve, ago).await, TaskTracker::new());
        let refunds =
            Refunds::new(Arc::new(client.unwrap()), ledger.clone(), tasks.clone(), config.refund);
        let deadline = Deadline::after(Duration::from_secs(1));
        let told = refunds.refund(refund, deadline, &Begun::default(), ()).await;
        tasks.close();
        tasks.wait().await;
        ledger.close().await;
        told.map(|answer| answer.value)
    }

    /// Makes one whose answer is lost, and which queries do not find.
    pub(super) async fn lose(&self, number: &str, executed: bool, ago: Duration) {
        self.sandbox.with_book(|book| book.set_refunds_queryable(false));
        self.spoil(executed, Answer::Close);
        self.refund(number, ago).await.expect_err("nobody knows");
        self.sandbox.with_book(|book| book.set_refunds_queryable(true));
    }

    /// Claims a refund so long ago, and goes no further.
    pub(super) async fn claim(&self, number: &str, ago: Duration) {
        let ledger = self.ledger(Access::Serve, ago).await;
        let looked = Looked { absent: true, ..Looked::default() };
        let ceiling = Duration::from_secs(60);
        let request = ClaimRequest {
            refund: &refund(number),
            id: number,
            looked: &looked,
            ceiling,
            begun: sunmi_trade::clock::BootClock::default().now(),
        };
        ledger.claim(&request).await.unwrap();
        ledger.close().await;
    }

    /// Spoils the answer of the next refund.
    pub(super) fn spoil(&self, execute: bool, answer: Answer) {
        let endpoint = Some(Endpoint::Refund);
        self.sandbox.spoil(Fault { endpoint, execute, ..Fault::of(answer) });
    }

    /// What the ledger has under this number.
    pub(super) async fn row(&self, number: &str) -> Row {
        let ledger = self.ledger(Access::Visit, NOW).await;
        let row = ledger.row(&Key::of(&refund(number))).await.unwrap();
        ledger.close().await;
        row
    }

    /// `sunmi-trade refunds` with these arguments.
    pub(super) fn run(&self, args: &[&str]) -> Ran {
        let env: Vec<(&str, &str)> = self.env.iter().map(|(k, v)| (&**k, &**v)).collect();
        run(&[&["refunds"], args].concat(), &env)
    }

    /// What it prints, done; it may log what it does.
    #[track_caller]
    pub(super) fn done(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.status, Some(0), "{ran:?}");
        ran.stdout
    }

    /// The last line of what it says, which it does not do.
    #[track_caller]
    pub(super) fn refused(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!((ran.status, ran.stdout.as_str()), (Some(1), ""), "{ran:?}");
        ran.stderr.lines().last().expect("a reason").to_owned()
    }
}

/// A refund under this number.
pub(super) fn refund(number: &str) -> Refund {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    Refund {
        app_id: id("sandbox"),
        msn: id("device"),
        amount: AMOUNT,
        original: OrderRef::OrderId(id(PAYMENT)),
        order_id: id(number),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: Some("shop".into()),
        day_bound: None,
        note: Note::default(),
    }
}

/// What a page says under this name.
#[track_caller]
pub(super) fn field<'a>(page: &'a str, name: &str) -> &'a str {
    let value = page.lines().find_map(|line| line.strip_prefix(&format!("{name:<16} ")));
    value.unwrap_or_else(|| panic!("no {name} in\n{page}"))
}

/// The time, in Unix milliseconds.
pub(super) fn now() -> i64 {
    millis(sunmi_trade::clock::now().duration_since(UNIX_EPOCH).unwrap())
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap()
}
