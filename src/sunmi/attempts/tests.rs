use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::retry::Policy;
use crate::sandbox::credential;
use crate::sunmi::{
    Body, ClientConfig, Credential, Credentials, KeyRing, OwnConnection, Transport, WireConfig,
};
use crate::trade::{Identifier, OrderRef, Query};

/// A client with two keys, so many attempts and no pauses.
fn client(wire: impl Transport + 'static, max_attempts: u32) -> Client {
    let config = ClientConfig {
        wire: WireConfig {
            base_url: "http://sunmi.invalid".parse().unwrap(),
            connect_timeout: Duration::ZERO,
            attempt_timeout: Duration::ZERO,
            proxy: None,
        },
        retry: Policy { max_attempts, base: Duration::ZERO, cap: Duration::ZERO },
        max_in_flight: 1,
    };
    let keys = Arc::new(KeyRing::parse(b"old\nnew").unwrap());
    let credentials = Credentials::new(vec![Credential { keys, ..credential() }], None);
    Client::over(Box::new(wire), &config, credentials)
}

fn query() -> Query {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    Query { app_id: credential().app_id, msn: id("M1"), order: OrderRef::OrderId(id("O1")) }
}

/// Answers reads with this code, asks to be left alone for so long, and counts.
#[derive(Debug)]
struct Says(&'static str, Option<Duration>, Arc<AtomicU32>);

impl Transport for Says {
    fn post<'a>(
        &'a self,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        self.2.fetch_add(1, Ordering::Relaxed);
        let body = Body::Whole(format!(r#"{{"code":"{}"}}"#, self.0).into());
        Box::pin(async { Ok(HttpReply { status: 200, retry_after: self.1, body }) })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async { Err(SendError::NotSent("for reads alone".into())) })
    }
}

/// A sleep ends up to a millisecond late, which was told as a call that sent nothing.
#[tokio::test(start_paused = true)]
async fn a_read_that_was_sent_is_told_as_that_when_its_pause_ends_late() {
    let says = Says("R03", Some(Duration::from_micros(99_500)), Arc::default());
    let deadline = Deadline::after(Duration::from_millis(100));
    let error = client(says, 3).query(&query(), deadline).await.unwrap_err();
    assert_eq!((error.fault(), error.context().attempts), (Fault::TooManyRequests, Some(1)));
}

/// More rejections than the budget has retries.
#[tokio::test(start_paused = true)]
async fn the_other_key_does_not_draw_on_the_budget_of_retries() {
    let calls = Arc::<AtomicU32>::default();
    let client = client(Says("E05", None, Arc::clone(&calls)), 1);
    for _ in 0..500 {
        let deadline = Deadline::after(Duration::from_secs(1));
        client.query(&query(), deadline).await.unwrap_err();
    }
    assert_eq!(calls.load(Ordering::Relaxed), 1000);
}
