//! Refunds: each is sent at most once, and its outcome is found out.
//!
//! ```text
//! refund ── begin ─┬─ known ─────────────────────────────────┐
//!                  ├─ another is open ── wait ── begin       │
//!                  └─ look ── claim ── send ─┬─ proved ── record ── answer
//!                                            └─ in doubt ─┐  │
//!                                                follow ⇄ resolve ── answer
//! ```
//!
//! A refund runs in a task of its own, which outlives its caller: whoever hangs up or runs out of
//! time leaves it to finish, and a shutdown waits for it. What is left in doubt the [`resolver`]
//! works off, in this process or the next. What proves what, [`judgement`] says, and nothing else.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::clock::BootClock;
use crate::deadline::Deadline;
use crate::error::{Error, Fault, Violation};
use crate::ledger::{Key, Ledger, LedgerError, Patience};
use crate::metrics::Doubts;
use crate::sunmi::{Answered, Client, Credentials};
use crate::telemetry::Trace;
use crate::trade::{Identifier, Refund, Refunded};

mod ask;
mod begin;
mod begun;
mod bound;
mod follow;
mod judgement;
mod keyless;
mod looks;
mod memory;
mod overview;
pub(crate) mod persons;
mod recall;
mod record;
mod resolve;
pub mod resolver;
mod schedule;
mod send;
mod turns;

use ask::Asks;
pub use ask::{Asked, last_error, reply, unread};
pub use begun::Begun;
use begun::Caller;
use keyless::Keyless;
use memory::Memory;
pub use overview::Overview;
use turns::Turns;

/// Makes refunds. Clones share everything.
#[derive(Clone, Debug)]
pub struct Refunds {
    client: Arc<Client>,
    ledger: Ledger,
    tasks: TaskTracker,
    rules: Rules,
    clock: BootClock,
    memory: Memory,
    numbers: Turns<Key, ()>,
    payments: Turns<PaymentKey, Identifier>,
    asks: Asks,
    keyless: Keyless,
}

/// A payment as a refund asks for it: who signs, the kind of number, and the number.
type PaymentKey = (Identifier, &'static str, Identifier);

/// How refunds are made: how long things take, and what is believed.
#[derive(Clone, Debug)]
pub struct Rules {
    /// With less than this left of the caller's deadline a refund is not begun; 0 to 1 min.
    pub min_left: Duration,
    /// How long the task may work, whatever its caller's deadline; 1 ms to 1 h.
    pub ceiling: Duration,
    /// How long Sunmi's queries and totals may trail what it did; 0 to 10 min, shorter than the
    /// settle window, and at least 1 s where money may move.
    pub lag: Duration,
    /// How long after its lease a refund that nobody has seen may still be executed; 1 ms to
    /// 7 days, and at least 1 min where money may move.
    pub settle_window: Duration,
    /// After how long a refund that Sunmi still has in processing needs a person; 1 min to
    /// 90 days, not shorter than the settle window.
    pub processing_patience: Duration,
    /// Whether Sunmi is asked for the number and the payment before a refund is sent. If not,
    /// no number is known to have been free and there is no baseline of the total.
    pub look_first: bool,
    /// Codes that Sunmi explained to the operator as refusals.
    pub refused_codes: Arc<[String]>,
    /// How long a refund at rest is kept with its content.
    pub retention: Duration,
}

impl Rules {
    /// For how long a refund may be open before it needs a person.
    pub fn patience(&self) -> Patience {
        Patience { window: self.settle_window, processing: self.processing_patience }
    }
}

impl Refunds {
    /// Tasks are tracked by `tasks`, for a shutdown to wait on.
    pub fn new(client: Arc<Client>, ledger: Ledger, tasks: TaskTracker, rules: Rules) -> Self {
        Self {
            client,
            ledger,
            tasks,
            rules,
            clock: BootClock::default(),
            memory: Memory::default(),
            numbers: Turns::default(),
            payments: Turns::default(),
            asks: Asks::default(),
            keyless: Keyless::default(),
        }
    }

    /// The same, but what it works on for callers is signed with these, whatever is in force.
    #[must_use]
    pub fn signing_with(&self, credentials: &Arc<Credentials>) -> Self {
        Self { client: Arc::new(self.client.signing_with(credentials)), ..self.clone() }
    }

    /// The same, whose own time is this clock's: for simulations.
    #[must_use]
    pub fn by_clock(mut self, clock: BootClock) -> Self {
        self.clock = clock;
        self
    }

    /// What is in doubt now, and what of it needs a person.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn doubts(&self) -> Result<Doubts, LedgerError> {
        self.ledger.doubts(self.rules.patience()).await
    }

    /// Makes a refund, or says what became of it. `held` is dropped when nothing works on it any
    /// more, though its caller may be gone long before.
    ///
    /// # Errors
    /// What the error's [`refund_outcome`](Error::refund_outcome) says is true of the money.
    pub async fn refund(
        &self,
        refund: Refund,
        deadline: Deadline,
        begun: &Begun,
        held: impl Send + 'static,
    ) -> Result<Answered<Refunded>, Error> {
        if deadline.left() < self.rules.min_left {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        let work = Trace::current().hold(self.clone().work(refund, deadline, begun.clone()));
        let task = self.tasks.spawn(async {
            let answer = work.await;
            drop(held);
            answer
        });
        let (mut task, caller) = (task, Caller(begun));
        let answer = match deadline.bound(&mut task).await {
            // What the row says that the caller was told is on its way.
            None if !begun.leave() => Some(task.await),
            answer => answer,
        };
        drop(caller);
        match answer {
            Some(Ok(answer)) => answer,
            Some(Err(panic)) => Err(Error::refund_outcome_unknown(panic)),
            None if begun.abandon() => Err(Error::new(Fault::DeadlineExceeded)),
            None => Err(Error::refund_outcome_unknown(
                "the caller's deadline passed before the refund's outcome was known",
            )),
        }
    }
}

fn unavailable(error: LedgerError) -> Error {
    Error::new(Fault::LedgerUnavailable).because(error)
}

fn reused(fields: Vec<&'static str>) -> Error {
    let rule = "differs from the refund that this order_id was used for";
    reused_as(fields, rule)
}

fn reused_as(fields: Vec<&'static str>, rule: &'static str) -> Error {
    let violations = fields.into_iter().map(|field| Violation { field, rule }).collect();
    Error::new(Fault::RefundOrderIdReused).with(|context| context.violations = violations)
}

#[cfg(test)]
mod tests;
