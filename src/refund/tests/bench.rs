//! Refunds against a Sunmi that a test plays, answer by answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio_util::task::TaskTracker;

use crate::ledger::{Access, Clock, Location, Moment, Trouble};
use crate::refund::*;
use crate::retry::Policy;
use crate::sandbox::credential;
use crate::sunmi::params::SignedForm;
use crate::sunmi::{
    Body, Client, ClientConfig, Credential, Credentials, HttpReply, KeyRing, OwnConnection,
    SendError, Transport, WireConfig,
};
use crate::trade::{Note, OrderRef};

/// The parameters of a request.
pub(super) type Form = HashMap<String, String>;
/// What Sunmi answers to a form on a path; nothing where the connection breaks.
type Script = dyn FnMut(&str, &Form) -> Option<String> + Send;

/// A Sunmi that is played by a test, and how many refunds were posted to it.
#[derive(Clone)]
struct Sunmi(Arc<Mutex<Box<Script>>>, Arc<AtomicUsize>);

impl std::fmt::Debug for Sunmi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sunmi")
    }
}

impl Sunmi {
    fn answer(&self, path: &str, form: SignedForm) -> Result<HttpReply, SendError> {
        let form: Form = form_urlencoded::parse(form.into_body().as_bytes()).into_owned().collect();
        if path.ends_with("refund") {
            self.1.fetch_add(1, Ordering::SeqCst);
        }
        match (self.0.lock().unwrap())(path, &form) {
            Some(body) => {
                Ok(HttpReply { status: 200, retry_after: None, body: Body::Whole(body.into()) })
            }
            None => Err(SendError::MaybeSent("cut".into())),
        }
    }
}

impl Transport for Sunmi {
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move { self.answer(path, form) })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async move { Ok(Box::new(Line(self.clone())) as Box<dyn OwnConnection>) })
    }
}

#[derive(Debug)]
struct Line(Sunmi);

impl OwnConnection for Line {
    fn is_open(&mut self) -> bool {
        true
    }

    fn post<'a>(
        self: Box<Self>,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            tokio::time::sleep(Duration::from_millis(50)).await;
            self.0.answer(path, form)
        })
    }
}

/// Refunds on a ledger in memory, in a time that the test sets.
pub(super) struct Bench {
    pub(super) refunds: Refunds,
    pub(super) ledger: Ledger,
    posts: Arc<AtomicUsize>,
    now: Arc<AtomicI64>,
    /// Whether the next statement of the ledger is made and never heard of.
    pub(super) loses_record: Arc<AtomicBool>,
}

fn losing(loses: &Arc<AtomicBool>) -> Trouble {
    let loses = Arc::clone(loses);
    Trouble::new(Arc::new(move |moment| {
        let lost = moment == Moment::After && loses.swap(false, Ordering::SeqCst);
        let outcome = if lost { Err("the answer was lost".into()) } else { Ok(()) };
        Box::pin(std::future::ready(outcome))
    }))
}

impl Bench {
    pub(super) async fn new(
        script: impl FnMut(&str, &Form) -> Option<String> + Send + 'static,
    ) -> Self {
        let config = ClientConfig {
            wire: WireConfig {
                base_url: "http://sunmi.invalid".parse().unwrap(),
                connect_timeout: Duration::from_secs(30),
                attempt_timeout: Duration::from_secs(30),
                proxy: None,
            },
            retry: Policy { max_attempts: 1, base: Duration::ZERO, cap: Duration::ZERO },
            max_in_flight: 8,
        };
        let keys = Arc::new(KeyRing::parse(b"old\nnew").unwrap());
        let credentials = Credentials::new(vec![Credential { keys, ..credential() }], None);
        let posts = Arc::new(AtomicUsize::new(0));
        let wire = Sunmi(Arc::new(Mutex::new(Box::new(script))), posts.clone());
        let client = Arc::new(Client::over(Box::new(wire), &config, credentials));
        let now = Arc::new(AtomicI64::new(1_000_000_000));
        let loses_record = Arc::new(AtomicBool::new(false));
        let given = now.clone();
        let ledger = Ledger::open(&Location::Memory, "test", Access::Serve)
            .await
            .unwrap()
            .by_clock(Clock::Given(Arc::new(move || given.load(Ordering::SeqCst))))
            .troubled_by(losing(&loses_record));
        let rules = Rules {
            min_left: Duration::from_millis(1),
            ceiling: Duration::from_secs(60),
            lag: Duration::from_secs(5),
            settle_window: Duration::from_secs(3600),
            processing_patience: Duration::from_secs(86400),
            look_first: true,
            refused_codes: Arc::new([]),
            retention: Duration::from_secs(400 * 86400),
        };
        let given = now.clone();
        let clock = BootClock::given(Arc::new(move || {
            Duration::from_millis(given.load(Ordering::SeqCst) as u64)
        }));
        let refunds =
            Refunds::new(client, ledger.clone(), TaskTracker::new(), rules).by_clock(clock);
        Self { refunds, ledger, posts, now, loses_record }
    }

    /// So many seconds pass.
    pub(super) fn pass(&self, s: i64) {
        self.now.fetch_add(s * 1000, Ordering::SeqCst);
    }

    /// What a caller is told who waits for less than a second.
    pub(super) async fn refund(&self, refund: &Refund) -> Result<Answered<Refunded>, Error> {
        let deadline = Deadline::after(Duration::from_millis(400));
        self.refunds.refund(refund.clone(), deadline, &Begun::default(), ()).await
    }

    /// How many refunds were posted.
    pub(super) fn posts(&self) -> usize {
        self.posts.load(Ordering::SeqCst)
    }
}

pub(super) fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).unwrap()
}

/// A refund of the payment that the till calls 0001.
pub(super) fn refund(number: &str, amount: i64) -> Refund {
    Refund {
        app_id: credential().app_id,
        msn: id("M1"),
        amount,
        original: OrderRef::MisId(id("0001")),
        order_id: id(number),
        business_id: id("B1"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

pub(super) const E19: &str = r#"{"code":"E19","msg":"x"}"#;

/// The payment, with this total.
pub(super) fn payment(platform: &str, total: i64) -> String {
    format!(
        r#"{{"code":"1","data":{{"orderType":"0","state":"3","amount":"1000","refunded":"{total}","misId":"0001","platformId":"{platform}"}}}}"#
    )
}

/// An order that is a refund.
pub(super) fn found(number: &str, amount: i64, state: &str) -> String {
    format!(
        r#"{{"code":"1","data":{{"orderType":"1","state":"{state}","amount":"{amount}","orderId":"{number}"}}}}"#
    )
}
