//! A ledger of any content, written row by row, and the command line on it. Sunmi is not asked.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sqlx::any::AnyArguments;
use sqlx::query::Query;
use sqlx::{Any, AnyConnection, Connection};
use sunmi_trade::ledger::{Access, Ledger, Location};

use crate::postgres::Database;
use crate::{Ran, run};

pub(super) struct Books {
    url: String,
    /// For files of the test's.
    pub(super) folder: PathBuf,
}

/// A row; whatever a test does not say is of no matter to it.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) app_id: &'static str,
    pub(super) order_id: String,
    pub(super) amount: Option<i64>,
    pub(super) original: &'static str,
    pub(super) business_id: &'static str,
    pub(super) caller: Option<&'static str>,
    pub(super) operator: Option<&'static str>,
    pub(super) reason: Option<&'static str>,
    pub(super) state: &'static str,
    pub(super) outcome: Option<&'static str>,
    pub(super) claimed_at: i64,
    pub(super) changed_at: i64,
    pub(super) lease_until: i64,
    /// The platform's number and the time, in seconds, of Sunmi's answer.
    pub(super) answer: Option<(&'static str, i64)>,
}

/// Of app, 100, claimed then, succeeded.
pub(super) fn succeeded(order_id: &str, claimed_at: i64) -> Entry {
    Entry {
        app_id: "app",
        order_id: order_id.to_owned(),
        amount: Some(100),
        original: "P1",
        business_id: "B1",
        caller: Some("till"),
        operator: None,
        reason: None,
        state: "settled",
        outcome: Some("SUCCEEDED"),
        claimed_at,
        changed_at: claimed_at + 1000,
        lease_until: claimed_at + 65_000,
        answer: None,
    }
}

/// The same in another state.
pub(super) fn in_state(order_id: &str, claimed_at: i64, state: &'static str) -> Entry {
    Entry { state, outcome: None, ..succeeded(order_id, claimed_at) }
}

/// Milliseconds of an RFC 3339 time.
pub(super) fn at(time: &str) -> i64 {
    time.parse::<jiff::Timestamp>().unwrap().as_millisecond()
}

impl Books {
    /// One in a file, of this name, and nothing in it.
    pub(super) async fn new(name: &str) -> Self {
        let folder = Self::folder(name);
        let url = format!("sqlite://{}", folder.join("ledger.db").display());
        Self::open(url, folder).await
    }

    /// One in PostgreSQL, if there is one.
    pub(super) async fn in_postgres(name: &str) -> Option<Self> {
        let url = Database::new().await?.url();
        Some(Self::open(url.to_string(), Self::folder(name)).await)
    }

    fn folder(name: &str) -> PathBuf {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("books").join(name);
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    async fn open(url: String, folder: PathBuf) -> Self {
        let location = Location::parse(&url).unwrap();
        Ledger::open(&location, "test", Access::Serve).await.unwrap().close().await;
        Self { url, folder }
    }

    /// A connection of its own, beside all others.
    pub(super) async fn connection(&self) -> AnyConnection {
        AnyConnection::connect(&self.url).await.unwrap()
    }

    pub(super) async fn put(&self, entries: impl IntoIterator<Item = Entry>) {
        let mut connection = self.connection().await;
        for entry in entries {
            insert(&entry).execute(&mut connection).await.unwrap();
        }
    }

    /// So many that succeeded, a second after each other from then on: N1, N2 and so on.
    pub(super) async fn fill(&self, count: i64, since: i64) {
        let sql = "WITH RECURSIVE numbers (n) AS \
             (SELECT CAST(1 AS BIGINT) UNION ALL SELECT n + 1 FROM numbers WHERE n < $1) \
             INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
             business_id, state, epoch, lease_until, outcome, claimed_at, changed_at, look_at, \
             looks, content_hash, caller) \
             SELECT 'app', 'N' || n, 'device', n, 'order_id', 'P' || n, 'B1', 'settled', 1, $2, \
             'SUCCEEDED', $2 + n * 1000, $2 + n * 1000, $2, 0, 'hash', 'till' FROM numbers";
        let mut connection = self.connection().await;
        sqlx::query(sql).bind(count).bind(since).execute(&mut connection).await.unwrap();
    }

    pub(super) async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&mut self.connection().await).await.unwrap();
    }

    /// What the program has to be told.
    pub(super) fn env(&self) -> [(&str, &str); 5] {
        [
            ("RUST_LOG", "warn"),
            ("SUNMI_TRADE__UPSTREAM__ENVIRONMENT", "custom"),
            ("SUNMI_TRADE__UPSTREAM__BASE_URL", "http://127.0.0.1:1/"),
            ("SUNMI_TRADE__UPSTREAM__NAME", "test"),
            ("SUNMI_TRADE__REFUND__LEDGER", &self.url),
        ]
    }

    /// `sunmi-trade refunds` with these arguments.
    pub(super) fn run(&self, args: &[&str]) -> Ran {
        run(&[&["refunds"], args].concat(), &self.env())
    }

    /// What it prints.
    #[track_caller]
    pub(super) fn printed(&self, args: &[&str]) -> String {
        self.run(args).printed()
    }

    /// The JSON objects that it prints, one a line.
    #[track_caller]
    pub(super) fn objects(&self, args: &[&str]) -> Vec<Value> {
        objects(&self.printed(args))
    }

    /// A file of the test's.
    pub(super) fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        let path = self.folder.join(name);
        std::fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

pub(super) fn objects(lines: &str) -> Vec<Value> {
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

fn insert(entry: &Entry) -> Query<'static, Any, AnyArguments> {
    let text = |text: Option<&str>| text.map(str::to_owned);
    let answer = entry.answer.map(|(platform_id, pay_time)| {
        let trade = json!({"platform_id": platform_id, "pay_time": pay_time, "state": "Succeeded"});
        json!({"trade": trade, "evidence": "Reply"}).to_string()
    });
    sqlx::query(
        "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, business_id, \
         state, epoch, lease_until, outcome, answer, claimed_at, changed_at, look_at, looks, \
         content_hash, caller, asked_by, asked_why) \
         VALUES ($1, $2, 'device', $3, 'order_id', $4, $5, $6, 1, $7, $8, $9, $10, $11, $10, 0, \
         'hash', $12, $13, $14)",
    )
    .bind(entry.app_id.to_owned())
    .bind(entry.order_id.clone())
    .bind(entry.amount)
    .bind(entry.original.to_owned())
    .bind(entry.business_id.to_owned())
    .bind(entry.state.to_owned())
    .bind(entry.lease_until)
    .bind(text(entry.outcome))
    .bind(answer)
    .bind(entry.claimed_at)
    .bind(entry.changed_at)
    .bind(text(entry.caller))
    .bind(text(entry.operator))
    .bind(text(entry.reason))
}
