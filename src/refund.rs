//! Refunds: send once, say only what is known.
//!
//! A refund runs in a task of its own, which outlives its caller: whoever hangs up or runs
//! out of time leaves it to finish, and a shutdown waits for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::task::TaskTracker;

use crate::deadline::Deadline;
use crate::error::{Error, Fault, OnRefund};
use crate::sunmi::{Answered, Client, RefundTimes};
use crate::trade::{
    Evidence, OrderRef, OrderType, Query, Refund, RefundTrade, Refunded, Trade, TradeState,
};

/// Makes refunds.
#[derive(Debug)]
pub struct Refunds {
    client: Arc<Client>,
    tasks: TaskTracker,
    times: Times,
}

/// How long a refund may take.
#[derive(Clone, Debug)]
pub struct Times {
    /// With less than this left of the caller's deadline a refund is not begun.
    pub min_left: Duration,
    /// How long the task may work, whatever its caller's deadline.
    pub ceiling: Duration,
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

impl Refunds {
    /// Tasks are tracked by `tasks`, for a shutdown to wait on.
    pub fn new(client: Arc<Client>, tasks: TaskTracker, times: Times) -> Self {
        Self { client, tasks, times }
    }

    /// Makes a refund.
    ///
    /// # Errors
    /// What the fault's [`refund_outcome`](Fault::refund_outcome) says is true of the money.
    pub async fn refund(
        &self,
        refund: Refund,
        deadline: Deadline,
        begun: &Begun,
    ) -> Result<Answered<Refunded>, Error> {
        if deadline.left() < self.times.min_left {
            return Err(Error::new(Fault::DeadlineExceeded));
        }
        let place = self.client.admit(deadline).await?;
        let client = Arc::clone(&self.client);
        let times =
            RefundTimes { send_until: deadline, give_up: Deadline::after(self.times.ceiling) };
        begun.set();
        let task = self.tasks.spawn(async move {
            let _place = place;
            send(&client, &refund, times).await
        });
        match deadline.bound(task).await {
            Some(Ok(answer)) => answer,
            Some(Err(panic)) => Err(Error::refund_outcome_unknown(panic)),
            None => Err(Error::refund_outcome_unknown(
                "the caller's deadline passed before the refund's outcome was known",
            )),
        }
    }
}

/// Sends a refund and says what became of it.
async fn send(
    client: &Client,
    refund: &Refund,
    times: RefundTimes,
) -> Result<Answered<Refunded>, Error> {
    match client.refund(refund, times).await {
        Ok(answer) if settles(refund, &answer.value) => Ok(Answered {
            value: Refunded { trade: answer.value, evidence: Evidence::Reply },
            attempts: answer.attempts,
        }),
        Ok(answer) => Err(Error::refund_outcome_unknown(
            "Sunmi accepted the call, but its answer is not of this refund",
        )
        .with(|context| context.attempts = Some(answer.attempts))),
        Err(error) => match error.fault().row().on_refund {
            OnRefund::NotApplied | OnRefund::NotAttempted => Err(error),
            OnRefund::Look => look(client, refund, times, error).await,
            OnRefund::Unknown => Err(error.into_refund_outcome_unknown()),
        },
    }
}

/// Whether an accepted refund is known to be this one: the type absent or a refund, the
/// amount absent or the one asked for, and a state that a refund can be in.
/// The answer's order number proves nothing: the document's sample does not echo it.
fn settles(refund: &Refund, answer: &RefundTrade) -> bool {
    !answer.doubtful
        && matches!(answer.order_type, None | Some(OrderType::Refund))
        && answer.amount.is_none_or(|amount| amount == refund.amount)
        && is_state_of_refund(answer.state)
}

/// Whether what was found under the refund's number is this refund. Here type and amount
/// must be there and agree.
fn proves(refund: &Refund, found: &Trade) -> bool {
    found.order_type == Some(OrderType::Refund)
        && found.amount == Some(refund.amount)
        && is_state_of_refund(found.state)
}

/// Succeeded, failed or on the way to one of them.
fn is_state_of_refund(state: Option<TradeState>) -> bool {
    match state {
        Some(
            TradeState::Succeeded
            | TradeState::Failed
            | TradeState::Created
            | TradeState::Unpaid
            | TradeState::Processing,
        ) => true,
        Some(TradeState::Ended) | None => false,
    }
}

/// A refusal that the second execution of this refund would get, too, for example after a
/// proxy repeated our POST. So the refund is looked for: found, it happened; not found, it
/// was refused; no answer, it is not known.
async fn look(
    client: &Client,
    refund: &Refund,
    times: RefundTimes,
    refusal: Error,
) -> Result<Answered<Refunded>, Error> {
    let query = Query {
        app_id: refund.app_id.clone(),
        msn: refund.msn.clone(),
        order: OrderRef::OrderId(refund.order_id.clone()),
    };
    let attempts = refusal.context().attempts.unwrap_or_default();
    match client.query(&query, times.give_up).await {
        Ok(found) if proves(refund, &found.value) => Ok(Answered {
            value: Refunded { trade: from_query(found.value), evidence: Evidence::Query },
            attempts,
        }),
        Err(error) if error.fault() == Fault::OrderNotFound => Err(refusal),
        Ok(_) | Err(_) => Err(refusal.into_refund_outcome_unknown()),
    }
}

/// A refund that was found, as the refund call would have answered it.
fn from_query(found: Trade) -> RefundTrade {
    RefundTrade {
        amount: found.amount,
        business_id: found.business_id,
        mis_id: found.mis_id,
        msn: found.msn,
        order_id: found.order_id,
        order_type: found.order_type,
        ori_mis_id: None,
        ori_order_id: None,
        pay_time: found.pay_time,
        platform: found.platform,
        platform_id: found.platform_id,
        result_code: found.result_code,
        result_message: found.result_message,
        state: found.state,
        doubtful: false,
        unrecognized: found.unrecognized,
    }
}
