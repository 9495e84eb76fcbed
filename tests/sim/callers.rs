//! Callers: they ask for refunds, repeat, hang up, hurry, and mix up numbers.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use sunmi_trade::deadline::Deadline;
use sunmi_trade::error::{Chain, Error, Fault, RefundOutcome};
use sunmi_trade::ledger::Row;
use sunmi_trade::refund::Begun;
use sunmi_trade::sunmi::Answered;
use sunmi_trade::trade::{Refund, Refunded, TradeState};

use crate::options::CEILING;
use crate::plans::{self, HangUp, Plan, id};
use crate::process::Process;
use crate::replica::Replica;
use crate::sent::payment_named;
use crate::world::World;

/// A call and what it was answered.
#[derive(Clone, Debug)]
pub struct Call {
    /// As it stands beside what it claims.
    pub name: String,
    pub refund: Refund,
    /// Of which payment.
    pub payment: String,
    pub started: Duration,
    pub ended: Duration,
    pub deadline: Duration,
    pub told: Told,
    /// The number of another refund that was in the way.
    pub open: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Refunded(TradeState),
    Failed(Fault, RefundOutcome),
    /// Nothing: the caller hung up, or its server died.
    Nothing,
    /// The server's task panicked.
    Panic,
}

pub struct Callers {
    world: Arc<World>,
    replicas: Vec<Arc<Replica>>,
    calls: Mutex<Vec<Call>>,
    named: AtomicUsize,
}

impl Callers {
    pub fn new(world: &Arc<World>, replicas: &[Arc<Replica>]) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            replicas: replicas.to_vec(),
            calls: Mutex::default(),
            named: AtomicUsize::new(0),
        })
    }

    /// Starts all callers.
    pub fn start(self: &Arc<Self>) {
        for plan in plans::draw(&self.world, self.replicas.len()) {
            tokio::spawn(Arc::clone(self).call(plan));
        }
    }

    /// The calls that have ended.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    /// Asks for each of these once more, as it stands in the ledger.
    pub async fn repeat(&self, rows: &[Row]) -> Vec<(Row, Told)> {
        let mut told = Vec::new();
        for row in rows {
            // An emptied row does not tell what it was.
            let Some(amount) = row.amount else { continue };
            let refund = Refund {
                app_id: row.key.app_id.clone(),
                msn: id(&row.msn),
                amount,
                original: row.original.clone(),
                order_id: row.key.order_id.clone(),
                business_id: id(&row.business_id),
                app_id_named: !self.world.options.exchanged,
                acknowledged: Box::default(),
                note: sunmi_trade::trade::Note::default(),
                caller: None,
                day_bound: None,
            };
            let plan = Plan {
                at: Duration::ZERO,
                refund,
                replica: told.len(),
                deadline: CEILING,
                hangs_up: None,
                repeats: 0,
                acknowledges: false,
            };
            let call = self.call_once(&plan, 0).await;
            told.push((row.clone(), call.map_or(Told::Nothing, |call| call.told)));
        }
        told
    }

    async fn call(self: Arc<Self>, mut plan: Plan) {
        self.world.pass(plan.at).await;
        for repeat in 0..=plan.repeats {
            let Some(call) = self.call_once(&plan, repeat).await else { return };
            if matches!(call.told, Told::Refunded(_)) || !self.world.is_faulty() {
                return;
            }
            if let Some(open) = call.open.filter(|_| plan.acknowledges) {
                plan.refund.acknowledged = Box::new([id(&open)]);
            }
            let key = ("pause", plan.refund.order_id.as_str(), plan.at, repeat);
            self.world.pass(self.world.rng(key).ms(0..400)).await;
        }
    }

    /// `None` if there is nobody to call.
    async fn call_once(&self, plan: &Plan, repeat: usize) -> Option<Call> {
        let process = self.replicas[(plan.replica + repeat) % self.replicas.len()].process()?;
        let (world, mut plan) = (&self.world, plan.clone());
        let caller = format!("c{}", self.named.fetch_add(1, Ordering::Relaxed));
        plan.refund.caller = Some(caller.as_str().into());
        if !plan.refund.app_id_named {
            // As the edge does: the only one there is.
            plan.refund.app_id = process.app_ids[0].clone();
        }
        let (refund, deadline) = (plan.refund.clone(), plan.deadline);
        let number = refund.order_id.as_str();
        let (started, name) = (world.now(), &process.life.name);
        world.tell(format_args!(
            "{caller}: {number} of {} by {:?} to {name}, within {:?}",
            refund.amount, refund.original, plan.deadline
        ));
        process.life.before_claim();
        let (told, open) = ask(process.clone(), plan).await;
        world.tell(format_args!("{caller}: {number} was told {told:?} {open:?} by {name}"));
        let payment = payment_named(refund.original.named().1.as_str()).to_owned();
        let ended = world.now();
        let call = Call { name: caller, refund, payment, started, ended, deadline, told, open };
        self.calls.lock().unwrap().push(call.clone());
        Some(call)
    }
}

type Answer = (Told, Option<String>);

/// Calls as the edge does, until the answer, the process's end, or the caller's patience.
async fn ask(process: Process, plan: Plan) -> Answer {
    let Process { life, refunds, .. } = process;
    // A task of its own, which dies with its process.
    let call = tokio::spawn(async move {
        let (deadline, begun) = (Deadline::after(plan.deadline), Begun::default());
        let answer = refunds.refund(plan.refund, deadline, &begun, ());
        let nothing = (Told::Nothing, None);
        match plan.hangs_up {
            None => told(answer.await),
            Some(HangUp::AfterPolls(polls)) => polled(answer, polls).await.map_or(nothing, told),
            Some(HangUp::After(patience)) => {
                let answer = tokio::time::timeout(patience, answer).await;
                answer.map_or(nothing, told)
            }
        }
    });
    tokio::select! {
        biased;
        () = life.over() => (Told::Nothing, None),
        told = call => match told {
            Ok(told) => told,
            Err(_) if life.is_over() => (Told::Nothing, None),
            Err(_) => (Told::Panic, None),
        },
    }
}

/// What the work comes to, unless it is not done after so many polls.
async fn polled<F: Future>(work: F, polls: usize) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut left = polls;
    std::future::poll_fn(|context| match left.checked_sub(1) {
        None => Poll::Ready(None),
        Some(less) => {
            left = less;
            work.as_mut().poll(context).map(Some)
        }
    })
    .await
}

fn told(answer: Result<Answered<Refunded>, Error>) -> Answer {
    match answer {
        Ok(answer) => (Told::Refunded(answer.value.trade.state.unwrap()), None),
        Err(error) if Chain(&error).to_string().contains("panicked") => {
            (Told::Panic, Some(Chain(&error).to_string()))
        }
        Err(error) => {
            let told = Told::Failed(error.fault(), error.refund_outcome());
            (told, error.context().open_order_id.clone())
        }
    }
}
