//! One call, signed, ready to be sent as often as need be, and if its key is rejected signed
//! once more with the other one.

use super::key_ring::KeyRing;
use super::params::{AppKey, Params, SignedForm};
use super::reply::Reply;
use crate::error::{Code, Error, Fault};
use crate::trade::{Identifier, Operation};

pub(super) struct Call<'a> {
    pub(super) operation: Operation,
    /// The request's field that names the order.
    pub(super) order_field: &'static str,
    app_id: &'a Identifier,
    params: Params,
    keys: &'a KeyRing,
    key: AppKey,
    form: SignedForm,
    /// Whether it is signed with the other key.
    again: bool,
}

impl<'a> Call<'a> {
    /// Signs it with the key that is preferred.
    pub(super) fn new(
        operation: Operation,
        order_field: &'static str,
        mut params: Params,
        (app_id, keys): (&'a Identifier, &'a KeyRing),
    ) -> Self {
        params.set("app_id", app_id.as_str());
        let key = keys.preferred();
        let form = params.sign(&key);
        Self { operation, order_field, app_id, params, keys, key, form, again: false }
    }

    pub(super) fn form(&self) -> SignedForm {
        self.form.clone()
    }

    /// Learns from an answer whether the key is right. If it is not, and it was the first to
    /// sign, and there is another, then that has signed now, and the answer is yes: the call
    /// was refused before anything was processed, so it may be sent again.
    pub(super) fn learns(&mut self, seen: &Result<Reply, Error>) -> bool {
        if self.again {
            if was_taken(seen) && self.keys.prefer(&self.key) {
                tracing::warn!(app_id = %self.app_id, "Sunmi takes the other key of the two");
            }
            return false;
        }
        let other = match seen {
            Err(error) if error.fault() == Fault::SignatureRejected => {
                self.keys.other_than(&self.key)
            }
            Ok(_) | Err(_) => None,
        };
        if let Some(other) = other {
            self.form = self.params.sign(&other);
            self.key = other;
            self.again = true;
        }
        self.again
    }
}

/// Whether an answer shows that the signature was right: what looks at the trade itself comes
/// after it, what refuses all calls, such as a limit, may come before.
fn was_taken(seen: &Result<Reply, Error>) -> bool {
    match seen {
        Ok(_) => true,
        Err(error) => {
            let of_trade =
                matches!(error.fault().row().code, Code::NotFound | Code::FailedPrecondition);
            of_trade && error.context().sunmi.is_some()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;

    use futures_util::future::BoxFuture;

    use super::super::*;
    use super::*;
    use crate::deadline::Deadline;
    use crate::retry::Policy;
    use crate::sandbox::credential;

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

    /// A client with two keys and no retries.
    fn client(rejects: &Rejects) -> Client {
        let config = ClientConfig {
            wire: WireConfig {
                base_url: "http://sunmi.invalid".parse().unwrap(),
                connect_timeout: Duration::ZERO,
                attempt_timeout: Duration::ZERO,
                proxy: None,
            },
            retry: Policy { max_attempts: 1, base: Duration::ZERO, cap: Duration::ZERO },
            max_in_flight: 1,
        };
        let keys = Arc::new(KeyRing::parse(b"old\nnew").unwrap());
        let credentials = Credentials::new(vec![Credential { keys, ..credential() }], None);
        Client::over(Box::new(rejects.clone()), &config, credentials)
    }

    fn id(text: &str) -> Identifier {
        Identifier::parse(text.to_owned()).unwrap()
    }

    /// The rejection came when the caller was gone, but within the time of the claim.
    #[tokio::test(start_paused = true)]
    async fn nothing_is_sent_with_the_other_key_when_the_callers_time_is_over() {
        let rejects = Rejects(Duration::from_millis(200), Arc::default());
        let refund = Refund {
            app_id: credential().app_id,
            msn: id("M1"),
            amount: 1,
            original: OrderRef::OrderId(id("P1")),
            order_id: id("R1"),
            business_id: id("B1"),
            caller: None,
        };
        for (deadline, attempts) in [(100, 1), (300, 2)] {
            rejects.1.store(0, Ordering::Relaxed);
            let deadline = Deadline::after(Duration::from_millis(deadline));
            let permit = Permit::of_claim(1, Deadline::after(Duration::from_secs(1)));
            let error = client(&rejects).refund(permit, &refund, deadline).await.unwrap_err();
            let told = (error.fault(), error.context().attempts);
            assert_eq!(told, (Fault::SignatureRejected, Some(attempts)));
            assert_eq!(rejects.1.load(Ordering::Relaxed), attempts);
        }
    }

    /// More rejections than the budget has retries.
    #[tokio::test(start_paused = true)]
    async fn the_other_key_does_not_draw_on_the_budget_of_retries() {
        let rejects = Rejects(Duration::ZERO, Arc::default());
        let client = client(&rejects);
        let order = OrderRef::OrderId(id("O1"));
        let query = Query { app_id: credential().app_id, msn: id("M1"), order };
        for _ in 0..500 {
            let deadline = Deadline::after(Duration::from_secs(1));
            client.query(&query, deadline).await.unwrap_err();
        }
        assert_eq!(rejects.1.load(Ordering::Relaxed), 1000);
    }
}
