//! What is told of an answer that the ledger does not take: what happened, always; what did
//! not happen, never, for only a row that says that it was told may be claimed anew.

use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use sqlx::{Connection, SqliteConnection};
use sunmi_trade::deadline::Deadline;
use sunmi_trade::error::Fault;
use sunmi_trade::ledger::{Access, Key, Ledger, Location, State};
use sunmi_trade::refund::{Begun, Refunds, Rules};
use sunmi_trade::retry::Policy;
use sunmi_trade::sandbox::credential;
use sunmi_trade::sunmi::params::SignedForm;
use sunmi_trade::sunmi::{
    Body, Client, ClientConfig, Credentials, HttpReply, OwnConnection, SendError, Transport,
    WireConfig,
};
use sunmi_trade::trade::{Refund, TradeState};
use tokio_util::task::TaskTracker;

use crate::bench::{CEILING, UPSTREAM, WINDOW, id, refund};
use crate::scratch::Scratch;

const REFUSED: &str = r#"{"code":"R01"}"#;
const ABSENT: &str = r#"{"code":"E19"}"#;
const FAILED: &str = r#"{"code":"1","data":{"orderType":"1","state":"5"}}"#;
const SUCCEEDED: &str = r#"{"code":"1","data":{"orderType":"1","state":"3"}}"#;

/// A Sunmi that has nothing yet, and during whose answer to a refund the ledger's table goes,
/// and time passes for the server.
#[derive(Clone, Debug)]
struct Meanwhile {
    url: String,
    passes: Duration,
    answer: &'static str,
}

impl Transport for Meanwhile {
    fn post<'a>(
        &'a self,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async { Ok(answered(ABSENT)) })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async { Ok(Box::new(self.clone()) as Box<dyn OwnConnection>) })
    }
}

fn answered(text: &'static str) -> HttpReply {
    HttpReply { status: 200, retry_after: None, body: Body::Whole(text.into()) }
}

impl OwnConnection for Meanwhile {
    fn is_open(&mut self) -> bool {
        true
    }

    fn post<'a>(
        self: Box<Self>,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            let mut other = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::raw_sql("ALTER TABLE refunds RENAME TO gone").execute(&mut other).await.unwrap();
            // In one step with the answer, so that no timer comes between them. Its first poll
            // moves the clock; what it would then wait for is not needed.
            tokio::time::pause();
            let _ = tokio::time::advance(self.passes).now_or_never();
            tokio::time::resume();
            Ok(answered(self.answer))
        })
    }
}

/// What is told when Sunmi answers so, after so long, and the ledger does not take it.
async fn told(answer: &'static str, passes: Duration) -> Result<TradeState, Fault> {
    told_of(&Scratch::new(), answer, passes).await.0
}

/// The same with a ledger in this folder, and the ledger.
async fn told_of(
    scratch: &Scratch,
    answer: &'static str,
    passes: Duration,
) -> (Result<TradeState, Fault>, Ledger) {
    let path = scratch.path().join("ledger.db");
    let url = format!("sqlite://{}", path.display());
    let ledger = Ledger::open(&Location::Sqlite(path), UPSTREAM, Access::Serve).await.unwrap();
    let config = ClientConfig {
        // Not used: the transport is another.
        wire: WireConfig {
            base_url: "http://sunmi.invalid".parse().unwrap(),
            connect_timeout: Duration::ZERO,
            attempt_timeout: Duration::ZERO,
            proxy: None,
        },
        retry: Policy { max_attempts: 1, base: Duration::ZERO, cap: Duration::ZERO },
        max_in_flight: 1,
    };
    let credentials = Credentials::new(vec![credential()], None);
    let client = Client::over(Box::new(Meanwhile { url, passes, answer }), &config, credentials);
    let rules = Rules {
        min_left: Duration::ZERO,
        ceiling: CEILING,
        settle_window: WINDOW,
        retention: WINDOW,
        lag: Duration::ZERO,
        processing_patience: WINDOW,
        look_first: true,
        refused_codes: [].into(),
    };
    let refunds = Refunds::new(Arc::new(client), ledger.clone(), TaskTracker::new(), rules);
    let refund = Refund { app_id: credential().app_id, ..refund("R1") };
    let answer = refunds.refund(refund, Deadline::after(CEILING * 3), &Begun::default(), ()).await;
    let told = answer.map(|answer| answer.value.trade.state.unwrap());
    (told.map_err(|error| error.fault()), ledger)
}

/// Else a number that was said to be free would stay in doubt.
#[tokio::test]
async fn a_record_that_failed_is_made_up_for() {
    for (answer, state) in [(REFUSED, State::NotApplied), (SUCCEEDED, State::Settled)] {
        let scratch = Scratch::new();
        let (_, ledger) = told_of(&scratch, answer, Duration::ZERO).await;
        let url = format!("sqlite://{}", scratch.path().join("ledger.db").display());
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        sqlx::raw_sql("ALTER TABLE gone RENAME TO refunds").execute(&mut other).await.unwrap();
        let key = Key { app_id: credential().app_id, order_id: id("R1") };
        let recorded = async {
            while ledger.row(&key).await.unwrap().state != state {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        // Before its lease is over, when it would be in doubt.
        tokio::time::timeout(CEILING, recorded).await.expect("a record that is tried again");
    }
}

#[tokio::test]
async fn what_did_not_happen_is_not_told_before_the_ledger_says_that_it_was() {
    for answer in [REFUSED, FAILED] {
        for passes in [Duration::ZERO, CEILING] {
            assert_eq!(told(answer, passes).await, Err(Fault::RefundOutcomeUnknown), "{answer}");
        }
    }
}

#[tokio::test]
async fn what_happened_is_told_at_any_time() {
    for passes in [Duration::ZERO, CEILING] {
        assert_eq!(told(SUCCEEDED, passes).await, Ok(TradeState::Succeeded));
    }
}
