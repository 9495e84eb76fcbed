//! The attempts at a call: it is sent, and sent again where that is safe and in time. This
//! loop is the only one that tries again.

use std::time::Duration;

use tower::retry::budget::Budget;

use super::call::Call;
use super::reply::{self, Reply};
use super::wire::SendError;
use super::{Answered, Client, path};
use crate::deadline::Deadline;
use crate::error::{Again, Error, Fault};
use crate::permit::Permit;
use crate::{retry, telemetry};

/// The bounds within which a call is tried again.
pub(super) struct Bounds {
    send_until: Deadline,
    give_up: Deadline,
    /// What it means that `give_up` has passed.
    given_up: Fault,
    /// Which faults allow another attempt.
    repeats: fn(Again) -> bool,
}

impl Bounds {
    pub(super) fn of_read(deadline: Deadline) -> Self {
        Self {
            send_until: deadline,
            give_up: deadline,
            given_up: Fault::DeadlineExceeded,
            repeats: |again| again != Again::Never,
        }
    }

    pub(super) fn of_refund(permit: &Permit, deadline: Deadline) -> Self {
        Self {
            send_until: deadline.min(permit.send_until()),
            give_up: permit.send_until(),
            given_up: Fault::UpstreamInterrupted,
            repeats: |again| again == Again::Any,
        }
    }
}

impl Client {
    /// Attempts a call until it is answered, or another attempt is not allowed or would not
    /// be in time.
    pub(super) async fn call(
        &self,
        mut call: Call<'_>,
        bounds: Bounds,
    ) -> Result<Answered<Reply>, Error> {
        self.budget.deposit();
        // A process that was paused, or waited long for its claim, sends nothing.
        if bounds.send_until.left().is_zero() {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        let (mut attempts, mut retries) = (0, 0);
        loop {
            attempts += 1;
            let counted = |error: Error| error.with(|context| context.attempts = Some(attempts));
            let Some(seen) = bounds.give_up.bound(self.attempt(&call, attempts - 1)).await else {
                return Err(counted(Error::new(bounds.given_up)));
            };
            // Another key is no retry: it has no pause, and no place in their number and budget.
            if call.learns(&seen) && !bounds.send_until.left().is_zero() {
                continue;
            }
            let pause = self.pause(&seen, retries + 1, &bounds);
            if let Some(pause) = pause {
                tokio::time::sleep(pause).await;
            }
            // Asked again after the pause: a process that woke late must not send when its
            // time is over. The attempt that was made is what it has to tell.
            if pause.is_none() || bounds.send_until.left().is_zero() {
                return seen.map(|value| Answered { value, attempts }).map_err(counted);
            }
            retries += 1;
            self.metrics.retry(call.operation);
        }
    }

    async fn attempt(&self, call: &Call<'_>, resend: u32) -> Result<Reply, Error> {
        let attempt = self.metrics.attempt(call.operation);
        let span = telemetry::Attempt::begin(path(call.operation), &self.destination, resend);
        let form = call.form();
        match self.wire.post(path(call.operation), form.clone()).await {
            Ok(reply) => {
                let status = reply.status;
                span.end(Ok(status));
                let (code, reply) = reply::read(reply.without_secrets_of(&form), call.order_field);
                attempt.answered(status, code);
                reply
            }
            Err(error) => {
                attempt.failed(error.name());
                span.end(Err(error.name()));
                Err(match error {
                    SendError::NotSent(cause) => {
                        Error::new(Fault::UpstreamUnreachable).because(cause)
                    }
                    SendError::MaybeSent(cause) => {
                        Error::new(Fault::UpstreamInterrupted).because(cause)
                    }
                })
            }
        }
    }

    /// How long to wait before another attempt, or `None` to leave it at this one.
    fn pause(
        &self,
        seen: &Result<Reply, Error>,
        attempt: u32,
        bounds: &Bounds,
    ) -> Option<Duration> {
        let (again, retry_after) = match seen {
            Ok(Reply::Done(_)) => return None,
            Ok(Reply::Processing(_)) => (Again::Reads, None),
            Err(error) => (error.fault().row().again, error.context().retry_after),
        };
        if !(bounds.repeats)(again) {
            return None;
        }
        let failed = retry::Failed {
            attempt,
            left: bounds.send_until.left(),
            retry_after,
            jitter: rand::random(),
        };
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

#[cfg(test)]
mod tests;
