//! Refunds: each is sent at most once, and its outcome is found out.
//!
//! ```text
//! refund ── claim ─┬─ fresh ──────── send ─┬─ settled, processing, refused ── answer
//!                  │                       └─ in doubt ─┐
//!                  ├─ known ────────────────────────────┴─ follow ⇄ resolve ── answer
//!                  └─ other content ── refuse
//! ```
//!
//! A refund runs in a task of its own, which outlives its caller: whoever hangs up or runs
//! out of time leaves it to finish, and a shutdown waits for it. What is left in doubt the
//! [`resolver`] works off, in this process or the next.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::deadline::Deadline;
use crate::error::{Chain, Error, Fault, Violation};
use crate::ledger::{Claim, Key, Ledger, LedgerError};
use crate::permit::Permit;
use crate::sunmi::{Answered, Client, Place};
use crate::telemetry::Trace;
use crate::trade::{Refund, Refunded, TradeState};

mod evidence;
mod follow;
mod resolve;
pub mod resolver;

use evidence::{Verdict, judge};
use follow::Sender;
use resolve::Look;

/// Makes refunds. Clones share everything.
#[derive(Clone, Debug)]
pub struct Refunds {
    client: Arc<Client>,
    ledger: Ledger,
    tasks: TaskTracker,
    times: Times,
}

/// How long things take.
#[derive(Clone, Debug)]
pub struct Times {
    /// With less than this left of the caller's deadline a refund is not begun.
    pub min_left: Duration,
    /// How long the task may work, whatever its caller's deadline.
    pub ceiling: Duration,
    /// How long after its lease a refund that nobody has seen may still be executed.
    pub settle_window: Duration,
    /// How long a refund at rest is kept with its content.
    pub retention: Duration,
}

/// Whether the work on a refund has begun, that is whether something may have been sent.
/// Shared with whoever answers when the caller's time is over.
#[derive(Clone, Debug, Default)]
pub struct Begun(Arc<AtomicBool>);

impl Begun {
    /// Whether it has.
    pub fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(crate) fn set(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A claimed refund in the hands of its owner.
#[derive(Debug)]
struct Claimed {
    refund: Refund,
    epoch: i64,
    /// Until then nobody else can claim the number.
    ceiling: Deadline,
    /// The caller's.
    deadline: Deadline,
}

impl Claimed {
    fn new(refund: Refund, permit: &Permit, deadline: Deadline) -> Self {
        Self { refund, epoch: permit.epoch(), ceiling: permit.send_until(), deadline }
    }

    fn key(&self) -> Key {
        Key::of(&self.refund)
    }

    /// Whether nobody else can have claimed the number by now, so that what became of this
    /// claim is what became of the refund. The ledger knows; this is for when it is silent.
    fn is_surely_alone(&self) -> bool {
        !self.ceiling.left().is_zero()
    }
}

/// How long to wait before a record that could not be written is tried again.
const RECORD_PAUSE: Duration = Duration::from_secs(1);

impl Refunds {
    /// Tasks are tracked by `tasks`, for a shutdown to wait on.
    pub fn new(client: Arc<Client>, ledger: Ledger, tasks: TaskTracker, times: Times) -> Self {
        Self { client, ledger, tasks, times }
    }

    /// Makes a refund, or says what became of it. `held` is dropped when nothing works on it any
    /// more, though its caller may be gone long before.
    ///
    /// # Errors
    /// What the fault's [`refund_outcome`](Fault::refund_outcome) says is true of the money.
    pub async fn refund(
        &self,
        refund: Refund,
        deadline: Deadline,
        begun: &Begun,
        held: impl Send + 'static,
    ) -> Result<Answered<Refunded>, Error> {
        if deadline.left() < self.times.min_left {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        let place = match self.client.admit(deadline).await {
            Ok(place) => Some(place),
            Err(overloaded) => match self.ledger.read(&Key::of(&refund)).await {
                Ok(Some(_)) => None,
                Ok(None) => return Err(overloaded),
                Err(error) => return Err(unavailable(error)),
            },
        };
        // From here on only the task can say that nothing was sent.
        begun.set();
        let work = Trace::current().hold(self.clone().work(refund, place, deadline));
        let task = self.tasks.spawn(async {
            let answer = work.await;
            drop(held);
            answer
        });
        match deadline.bound(task).await {
            Some(Ok(answer)) => answer,
            Some(Err(panic)) => Err(Error::refund_outcome_unknown(panic)),
            None => Err(Error::refund_outcome_unknown(
                "the caller's deadline passed before the refund's outcome was known",
            )),
        }
    }

    async fn work(
        self,
        refund: Refund,
        place: Option<Place>,
        deadline: Deadline,
    ) -> Result<Answered<Refunded>, Error> {
        // A black box, so that what follows is not unreachable.
        #[cfg(feature = "unguarded-ledger")]
        if std::hint::black_box(true) {
            return self.send_unguarded(refund, deadline).await;
        }
        let claim = match place {
            Some(_) => self.ledger.claim(&refund, self.times.ceiling).await,
            None => self.ledger.recall(&refund).await,
        };
        match claim.map_err(unavailable)? {
            Claim::Fresh(permit) => self.send(permit, place, refund, deadline).await,
            Claim::Known(row) => {
                drop(place);
                self.follow(*row, &refund, Sender::Another, deadline).await
            }
            Claim::Differs(fields) => Err(reused(fields)),
            // No money moved, and there is no place to send it now.
            Claim::Free => Err(Error::new(Fault::RefundNotApplied)),
        }
    }

    /// What a plain proxy does: every call is sent, and Sunmi's answer is the caller's. Only
    /// built to prove that the guards are needed.
    #[cfg(feature = "unguarded-ledger")]
    async fn send_unguarded(
        self,
        refund: Refund,
        deadline: Deadline,
    ) -> Result<Answered<Refunded>, Error> {
        let permit = Permit::of_claim(0, Deadline::after(self.times.ceiling));
        let answer = self.client.refund(permit, &refund, deadline).await?;
        let evidence = crate::trade::Evidence::Reply;
        Ok(answer.map(|trade| Refunded { trade, evidence, replayed: false }))
    }

    /// Sends a claimed refund and acts on the answer. Whatever happens here, the truth is
    /// told even if the ledger cannot be written: the row stays claimed, its lease ends, and
    /// it is resolved.
    async fn send(
        self,
        permit: Permit,
        place: Option<Place>,
        refund: Refund,
        deadline: Deadline,
    ) -> Result<Answered<Refunded>, Error> {
        let claimed = Claimed::new(refund, &permit, deadline);
        let (verdict, attempts) =
            judge(&claimed.refund, self.client.refund(permit, &claimed.refund, deadline).await);
        // Places bound what is sent. To be waiting for an outcome takes nobody else's.
        drop(place);
        let answered = |value| Answered { value, attempts };
        match verdict {
            Verdict::Settled(refunded) => self.settle(claimed, answered(refunded)).await,
            Verdict::Processing(refunded) => self.accept(&claimed, answered(refunded)).await,
            Verdict::Refused(error) => self.refuse(claimed, error).await,
            Verdict::Look(error) => match self.look(&claimed).await {
                Look::Settled(refunded) => self.settle(claimed, answered(refunded)).await,
                Look::Processing(refunded) => self.accept(&claimed, answered(refunded)).await,
                Look::NotFound => self.refuse(claimed, error).await,
                Look::NoAnswer => self.doubt(claimed, error.into_refund_outcome_unknown()).await,
            },
            Verdict::Doubt(error) => self.doubt(claimed, error).await,
        }
    }

    /// It is finished. Where it failed and the row says otherwise by now, the row is right.
    async fn settle(
        self,
        claimed: Claimed,
        answer: Answered<Refunded>,
    ) -> Result<Answered<Refunded>, Error> {
        let failed = answer.value.trade.state == Some(TradeState::Failed);
        let attempts = answer.attempts;
        let unknown = || {
            let why = "this attempt failed, but its number may have been claimed anew";
            Error::refund_outcome_unknown(why).with(|context| context.attempts = Some(attempts))
        };
        match self.ledger.settle(&claimed.refund, claimed.epoch, &answer.value).await {
            Ok(false) if failed => self.doubt(claimed, unknown()).await,
            Ok(_) => Ok(answer),
            unwritten @ Err(_) => {
                noted(unwritten);
                let alone = claimed.is_surely_alone();
                let record = Arc::new((claimed, answer.value.clone()));
                self.record_later(move |ledger| {
                    let record = Arc::clone(&record);
                    async move {
                        let (claimed, refunded) = &*record;
                        ledger.settle(&claimed.refund, claimed.epoch, refunded).await
                    }
                });
                if failed && !alone { Err(unknown()) } else { Ok(answer) }
            }
        }
    }

    /// A record that failed is tried again behind the caller's back, for as long as the
    /// claim's lease may last: this evidence is not to be had again from an upstream that
    /// does not find refunds by their number.
    fn record_later<R>(&self, record: impl Fn(Ledger) -> R + Send + 'static)
    where
        R: Future<Output = Result<bool, LedgerError>> + Send + 'static,
    {
        let (ledger, until) = (self.ledger.clone(), Deadline::after(self.times.ceiling));
        self.tasks.spawn(async move {
            while !until.left().is_zero() {
                tokio::time::sleep(RECORD_PAUSE.min(until.left())).await;
                if record(ledger.clone()).await.is_ok() {
                    return;
                }
            }
        });
    }

    /// Sunmi accepted it and has not finished.
    async fn accept(
        &self,
        claimed: &Claimed,
        answer: Answered<Refunded>,
    ) -> Result<Answered<Refunded>, Error> {
        noted(self.ledger.processing(&claimed.key(), claimed.epoch, &answer.value).await);
        Ok(answer)
    }

    /// Nothing was executed under this claim. If the row says otherwise by now, the row is
    /// right.
    async fn refuse(self, claimed: Claimed, error: Error) -> Result<Answered<Refunded>, Error> {
        let reason = error.fault().row().reason;
        match self.ledger.refuse(&claimed.key(), claimed.epoch, reason).await {
            Ok(true) => Err(error),
            Ok(false) => self.doubt(claimed, error.into_refund_outcome_unknown()).await,
            unwritten @ Err(_) => {
                noted(unwritten);
                let (key, epoch) = (claimed.key(), claimed.epoch);
                self.record_later(move |ledger| {
                    let key = key.clone();
                    async move { ledger.refuse(&key, epoch, reason).await }
                });
                let alone = claimed.is_surely_alone();
                Err(if alone { error } else { error.into_refund_outcome_unknown() })
            }
        }
    }

    /// It may have been executed. It is followed for as long as the caller waits.
    async fn doubt(self, claimed: Claimed, error: Error) -> Result<Answered<Refunded>, Error> {
        let Claimed { refund, epoch, deadline, .. } = &claimed;
        let key = claimed.key();
        noted(self.ledger.doubt(&key, *epoch).await);
        let attempts = error.context().attempts;
        let followed = match self.ledger.read(&key).await {
            Ok(Some(row)) => self.follow(row, refund, Sender::ThisCall, *deadline).await,
            Ok(None) => return Err(error),
            Err(failed) => {
                noted(Err(failed));
                return Err(error);
            }
        };
        match followed {
            Ok(answer) => Ok(Answered { attempts: attempts.unwrap_or_default(), ..answer }),
            // What led to the doubt says more than that it went on.
            Err(other) if other.fault() == Fault::RefundOutcomeUnknown => Err(error),
            Err(other) => Err(other.with(|context| context.attempts = attempts)),
        }
    }
}

fn unavailable(error: LedgerError) -> Error {
    Error::new(Fault::LedgerUnavailable).because(error)
}

fn reused(fields: Vec<&'static str>) -> Error {
    let rule = "differs from the refund that this order_id was used for";
    let violations = fields.into_iter().map(|field| Violation { field, rule }).collect();
    Error::new(Fault::RefundOrderIdReused).with(|context| context.violations = violations)
}

/// A record that could not be written is said once, and made up for by the resolver.
fn noted(written: Result<bool, LedgerError>) {
    if let Err(error) = written {
        tracing::error!(error = %Chain(&error), "a refund's record was not written");
    }
}
