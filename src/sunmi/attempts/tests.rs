use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use futures_util::future::BoxFuture;

use super::*;
use crate::retry::Policy;
use crate::sandbox::credential;
use crate::sunmi::params::SignedForm;
use crate::sunmi::{
    Body, ClientConfig, Credential, Credentials, HttpReply, KeyRing, Transport, WireConfig,
};
use crate::trade::{Identifier, OrderRef, Query, Refund};

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

fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).unwrap()
}

fn refund() -> Refund {
    Refund {
        app_id: credential().app_id,
        msn: id("M1"),
        amount: 1,
        original: OrderRef::OrderId(id("P1")),
        order_id: id("R1"),
        business_id: id("B1"),
        caller: None,
    }
}

/// Asks to be left alone until just before the deadline.
#[derive(Debug)]
struct Throttles;

impl Transport for Throttles {
    fn post<'a>(
        &'a self,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        let retry_after = Some(Duration::from_micros(99_500));
        let body = Body::Whole(r#"{"code":"R03"}"#.into());
        Box::pin(async move { Ok(HttpReply { status: 200, retry_after, body }) })
    }
}

/// A sleep ends up to a millisecond late, which was told as a call that sent nothing.
#[tokio::test(start_paused = true)]
async fn a_refund_that_was_sent_is_not_told_as_not_attempted_when_its_pause_ends_late() {
    let deadline = Deadline::after(Duration::from_millis(100));
    let permit = Permit::of_claim(1, deadline);
    let error = client(Throttles, 3).refund(permit, &refund(), deadline).await.unwrap_err();
    assert_eq!((error.fault(), error.context().attempts), (Fault::TooManyRequests, Some(1)));
}

/// Rejects every signature, after so long, and counts.
#[derive(Clone, Debug)]
struct Rejects(Duration, Arc<AtomicU32>);

impl Transport for Rejects {
    fn post<'a>(
        &'a self,
        _: &'a str,
        _: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            self.1.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep(self.0).await;
            let body = Body::Whole(r#"{"code":"E05"}"#.into());
            Ok(HttpReply { status: 200, retry_after: None, body })
        })
    }
}

/// The rejection came when the caller was gone, but within the time of the claim.
#[tokio::test(start_paused = true)]
async fn nothing_is_sent_with_the_other_key_when_the_callers_time_is_over() {
    let rejects = Rejects(Duration::from_millis(200), Arc::default());
    for (deadline, attempts) in [(100, 1), (300, 2)] {
        rejects.1.store(0, Ordering::Relaxed);
        let deadline = Deadline::after(Duration::from_millis(deadline));
        let permit = Permit::of_claim(1, Deadline::after(Duration::from_secs(1)));
        let client = client(rejects.clone(), 1);
        let error = client.refund(permit, &refund(), deadline).await.unwrap_err();
        let told = (error.fault(), error.context().attempts);
        assert_eq!(told, (Fault::SignatureRejected, Some(attempts)));
        assert_eq!(rejects.1.load(Ordering::Relaxed), attempts);
    }
}

/// More rejections than the budget has retries.
#[tokio::test(start_paused = true)]
async fn the_other_key_does_not_draw_on_the_budget_of_retries() {
    let rejects = Rejects(Duration::ZERO, Arc::default());
    let client = client(rejects.clone(), 1);
    let order = OrderRef::OrderId(id("O1"));
    let query = Query { app_id: credential().app_id, msn: id("M1"), order };
    for _ in 0..500 {
        let deadline = Deadline::after(Duration::from_secs(1));
        client.query(&query, deadline).await.unwrap_err();
    }
    assert_eq!(rejects.1.load(Ordering::Relaxed), 1000);
}
