//! The attempts at a read: it is sent, and sent again where that may help and is in time. This
//! loop is the only one that sends anything again.

use std::time::Duration;

use futures_util::future::BoxFuture;
use tower::retry::budget::Budget;

use super::call::Call;
use super::http_reply::HttpReply;
use super::params::SignedForm;
use super::reply::{self, Reply};
use super::wire::SendError;
use super::{Answered, Client, path};
use crate::deadline::Deadline;
use crate::error::{Again, BoxError, Error, Fault};
use crate::{retry, telemetry};

impl Client {
    /// Attempts a read until it is answered, or another attempt is not allowed or would not
    /// be in time.
    pub(super) async fn call<T>(
        &self,
        mut call: Call<'_, T>,
        deadline: Deadline,
    ) -> Result<Answered<Reply<T>>, Error> {
        self.budget.deposit();
        // A process that was paused, or waited long for its turn, sends nothing.
        if deadline.left().is_zero() {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        let (mut attempts, mut retries) = (0, 0);
        loop {
            attempts += 1;
            let counted = |error: Error| error.with(|context| context.attempts = Some(attempts));
            let post = |path, form| self.wire.post(path, form);
            let attempt = self.attempt(&call, attempts - 1, post);
            let Some(seen) = deadline.bound(attempt).await else {
                return Err(counted(Error::new(Fault::DeadlineExceeded)));
            };
            // Another key is no retry: it has no pause, and no place in their number and budget.
            if call.learns(&seen) && !deadline.left().is_zero() {
                continue;
            }
            let pause =
                again(&seen).and_then(|retry_after| self.pause(retries + 1, retry_after, deadline));
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            // Asked again after the pause, which may end late. The attempt that was made is
            // what it has to tell.
            if pause.is_none() || deadline.left().is_zero() {
                return seen.map(|value| Answered { value, attempts }).map_err(counted);
            }
            retries += 1;
            self.metrics.retry(call.operation);
        }
    }

    /// One attempt by this `post`, measured, and what its reply says. `resend` counts from 0.
    pub(super) async fn attempt<'a, T>(
        &'a self,
        call: &Call<'_, T>,
        resend: u32,
        post: impl FnOnce(&'static str, SignedForm) -> Posted<'a>,
    ) -> Result<Reply<T>, Error> {
        let attempt = self.metrics.attempt(call.operation);
        let span = telemetry::Attempt::begin(path(call.operation), &self.destination, resend);
        let form = call.form();
        match post(path(call.operation), form.clone()).await {
            Ok(reply) => {
                let status = reply.status;
                span.end(Ok(status));
                let reply = reply.without_secrets_of(form);
                let (code, reply) =
                    reply::read(reply, call.order_field, |reply| reply.typed(call.typed));
                attempt.answered(status, code);
                reply
            }
            Err(error) => {
                attempt.failed(error.name());
                span.end(Err(error.name()));
                Err(match error {
                    SendError::NotSent(cause) => unreachable(cause),
                    SendError::MaybeSent(cause) => {
                        Error::new(Fault::UpstreamInterrupted).because(cause)
                    }
                })
            }
        }
    }

    /// How long to wait before another attempt after so many, or `None` to leave it at those.
    pub(super) fn pause(
        &self,
        attempt: u32,
        retry_after: Option<Duration>,
        deadline: Deadline,
    ) -> Option<Duration> {
        let left = deadline.left();
        let failed = retry::Failed { attempt, left, retry_after, jitter: rand::random() };
        retry::decide(&self.retry, &failed).filter(|_| self.may_retry())
    }

    fn may_retry(&self) -> bool {
        let may = self.budget.withdraw();
        if !may {
            self.metrics.no_budget();
        }
        may
    }
}

/// An attempt under way.
type Posted<'a> = BoxFuture<'a, Result<HttpReply, SendError>>;

/// No connection was made, so nothing was sent.
pub(super) fn unreachable(cause: BoxError) -> Error {
    Error::new(Fault::UpstreamUnreachable).because(cause)
}

/// Whether a read that was answered so may be sent again, and if so how long Sunmi asked to be
/// left alone.
fn again<T>(seen: &Result<Reply<T>, Error>) -> Option<Option<Duration>> {
    match seen {
        Ok(Reply::Done(_)) => None,
        Ok(Reply::Processing(_)) => Some(None),
        Err(error) => match error.fault().row().again {
            Again::Never => None,
            Again::Reads | Again::Any => Some(error.context().retry_after),
        },
    }
}

#[cfg(test)]
mod tests;
