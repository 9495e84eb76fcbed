//! How a refund is sent: one request, whatever the answer. What may have left is never sent
//! again here; only a connection that was never made, or was closed before it was used, is
//! tried again.

use std::time::Duration;

use tower::retry::budget::Budget;

use super::attempts::unreachable;
use super::call::Call;
use super::reply::Reply;
use super::wire::{OwnConnection, SendError};
use super::{Answered, Client, path};
use crate::clock::{self, BootClock};
use crate::deadline::Deadline;
use crate::error::{Error, Fault};
use crate::permit::Permit;
use crate::telemetry;
use crate::trade::Operation;

/// A connection to Sunmi on which one refund can be sent. It is closed when it goes.
#[derive(Debug)]
pub struct Connection(Box<dyn OwnConnection>);

impl Connection {
    fn if_open(mut self) -> Option<Self> {
        self.0.is_open().then_some(self)
    }
}

/// Until when a refund may be sent.
pub(super) struct Until<'a> {
    pub(super) permit: Permit,
    pub(super) clock: &'a BootClock,
    pub(super) deadline: Deadline,
}

impl Until<'_> {
    /// What is left of the permit's time.
    fn permitted(&self) -> Duration {
        self.permit.send_until().saturating_since(self.clock.now())
    }

    fn is_over(&self) -> bool {
        self.deadline.left().is_zero() || self.permitted().is_zero()
    }

    /// The same as one deadline. The timers below may sleep with the machine, so that this
    /// only ends waits; it permits nothing.
    fn roughly(&self) -> Deadline {
        self.deadline.min(Deadline::after(self.permitted()))
    }
}

impl Client {
    /// Makes a connection for one refund, while there is other work. Tried again as the retry
    /// policy allows while none can be made.
    ///
    /// # Errors
    /// [`Fault::UpstreamUnreachable`] if none can be made, [`Fault::DeadlineExceeded`] if none
    /// was made in time. Nothing was sent in either case.
    pub async fn connect(&self, deadline: Deadline) -> Result<Connection, Error> {
        self.connect_after(&mut 0, deadline).await
    }

    /// Sends a call once, over this connection or one that is made anew.
    pub(super) async fn call_once<T>(
        &self,
        call: &Call<'_, T>,
        mut connection: Option<Connection>,
        until: &Until<'_>,
    ) -> Result<Answered<Reply<T>>, Error> {
        let mut failures = 0;
        loop {
            let kept = connection.take();
            let own = match kept.and_then(Connection::if_open) {
                Some(open) => open,
                None => self.connect_after(&mut failures, until.roughly()).await?,
            };
            let answered = Deadline::after(until.permitted());
            // Asked last of all: this process may have been stopped, the machine suspended.
            if until.is_over() {
                return Err(Error::new(Fault::DeadlineExceeded));
            }
            let attempt = self.attempt(call, failures, |path, form| own.0.post(path, form));
            let error = match answered.bound(attempt).await {
                Some(Ok(value)) => return Ok(Answered { value, attempts: failures + 1 }),
                Some(Err(error)) => error,
                None => Error::new(Fault::UpstreamInterrupted),
            };
            failures += 1;
            if error.fault() != Fault::UpstreamUnreachable {
                call.failed(&error);
                return Err(counted(error, failures));
            }
            self.wait_after(error, failures, until.roughly()).await?;
        }
    }

    /// Makes a connection, after so many failures to do so, which it counts on.
    async fn connect_after(
        &self,
        failures: &mut u32,
        deadline: Deadline,
    ) -> Result<Connection, Error> {
        self.budget.deposit();
        if deadline.left().is_zero() {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        loop {
            let Some(made) = deadline.bound(self.connect_once(*failures)).await else {
                return Err(counted(Error::new(Fault::DeadlineExceeded), *failures + 1));
            };
            match made {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    *failures += 1;
                    self.wait_after(error, *failures, deadline).await?;
                }
            }
        }
    }

    /// Makes a connection. One that cannot be made is an attempt at the refund that failed;
    /// one that is made is none yet.
    async fn connect_once(&self, resend: u32) -> Result<Connection, Error> {
        let attempt = self.metrics.attempt(Operation::Refund);
        let begun = clock::now();
        match self.wire.connect().await {
            Ok(own) => {
                attempt.is_none();
                Ok(Connection(own))
            }
            Err(error) => {
                attempt.failed(error.name());
                let path = path(Operation::Refund);
                telemetry::Attempt::begin_at(begun, path, &self.destination, resend)
                    .end(Err(error.name()));
                let (SendError::NotSent(cause) | SendError::MaybeSent(cause)) = error;
                Err(unreachable(cause))
            }
        }
    }

    /// Waits before a connection is tried again, or fails if it is not to be.
    async fn wait_after(
        &self,
        error: Error,
        failures: u32,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let Some(pause) = self.pause(failures, None, deadline) else {
            return Err(counted(error, failures));
        };
        tokio::time::sleep(pause).await;
        if deadline.left().is_zero() {
            return Err(counted(error, failures));
        }
        self.metrics.retry(Operation::Refund);
        Ok(())
    }
}

fn counted(error: Error, attempts: u32) -> Error {
    error.with(|context| context.attempts = Some(attempts))
}

#[cfg(test)]
mod tests;
