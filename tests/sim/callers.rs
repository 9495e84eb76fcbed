//! Callers: they ask for refunds, repeat, hang up, hurry, and mix up numbers.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use sunmi_trade::deadline::Deadline;
use sunmi_trade::error::{Chain, Error, Fault, RefundOutcome};
use sunmi_trade::ledger::Row;
use sunmi_trade::refund::Begun;
use sunmi_trade::sandbox::credential;
use sunmi_trade::sunmi::Answered;
use sunmi_trade::trade::{Identifier, OrderRef, Refund, Refunded, TradeState};

use crate::options::CEILING;
use crate::replica::{Process, Replica};
use crate::rng::Rng;
use crate::world::World;

/// A call and what it was answered.
#[derive(Clone, Debug)]
pub struct Call {
    pub refund: Refund,
    /// Of which payment.
    pub payment: String,
    pub started: Duration,
    pub ended: Duration,
    pub told: Told,
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

/// How a caller behaves.
#[derive(Clone, Debug)]
struct Plan {
    at: Duration,
    refund: Refund,
    payment: String,
    replica: usize,
    deadline: Duration,
    hangs_up: Option<HangUp>,
    /// How often it repeats at once when it is not told that money moved.
    repeats: usize,
}

#[derive(Clone, Debug)]
enum HangUp {
    AfterPolls(usize),
    After(Duration),
}

pub struct Callers {
    world: Arc<World>,
    replicas: Vec<Arc<Replica>>,
    calls: Mutex<Vec<Call>>,
}

impl Callers {
    pub fn new(world: &Arc<World>, replicas: &[Arc<Replica>]) -> Arc<Self> {
        Arc::new(Self {
            world: Arc::clone(world),
            replicas: replicas.to_vec(),
            calls: Mutex::default(),
        })
    }

    /// Starts all callers.
    pub fn start(self: &Arc<Self>) {
        for plan in self.plans() {
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
            let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
            let refund = Refund {
                app_id: row.key.app_id.clone(),
                msn: id(&row.msn),
                amount: row.amount.unwrap(),
                original: row.original.clone(),
                order_id: row.key.order_id.clone(),
                business_id: id(&row.business_id),
                app_id_named: true,
                acknowledged: Box::default(),
                caller: None,
            };
            let original = row.original.named().1.as_str();
            let plan = Plan {
                at: Duration::ZERO,
                refund,
                payment: original.trim_end_matches("-MIS").to_owned(),
                replica: told.len(),
                deadline: CEILING,
                hangs_up: None,
                repeats: 0,
            };
            told.push((row.clone(), self.call_once(&plan, 0).await.unwrap_or(Told::Nothing)));
        }
        told
    }

    fn plans(&self) -> Vec<Plan> {
        let mut plans = Vec::new();
        for number in 0..self.world.options.numbers {
            let rng = &mut self.world.rng(("callers", number));
            let first = self.plan(rng, &format!("R{number}"));
            let mut at = first.at;
            for _ in 0..rng.below(4) {
                let latest = rng.pick(&[100, 2_000, 45_000]);
                at += rng.ms(0..latest);
                plans.push(self.another(rng, &first, at));
            }
            plans.push(first);
        }
        plans
    }

    fn plan(&self, rng: &mut Rng, number: &str) -> Plan {
        let options = &self.world.options;
        let short = rng.chance(0.4);
        let (refund, payment) = content(rng, number, options.payments);
        Plan {
            at: rng.ms(0..55_000),
            refund,
            payment,
            replica: rng.below(self.replicas.len()),
            deadline: if short { rng.ms(450..1_500) } else { rng.ms(1_500..6_000) },
            hangs_up: rng.chance(options.cancel).then(|| match rng.chance(0.5) {
                true => HangUp::AfterPolls(rng.below(6)),
                false => HangUp::After(rng.ms(0..3_000)),
            }),
            repeats: if rng.chance(options.repeat_at_once) { 1 + rng.below(3) } else { 0 },
        }
    }

    fn another(&self, rng: &mut Rng, first: &Plan, at: Duration) -> Plan {
        let other = self.plan(rng, first.refund.order_id.as_str());
        match rng.chance(self.world.options.other_content) {
            true => Plan { at, ..other },
            false => {
                let (refund, payment) = (first.refund.clone(), first.payment.clone());
                Plan { at, refund, payment, ..other }
            }
        }
    }

    async fn call(self: Arc<Self>, plan: Plan) {
        tokio::time::sleep(plan.at).await;
        for repeat in 0..=plan.repeats {
            let Some(told) = self.call_once(&plan, repeat).await else { return };
            if matches!(told, Told::Refunded(_)) || !self.world.is_faulty() {
                return;
            }
            let key = ("pause", plan.refund.order_id.as_str(), plan.at, repeat);
            tokio::time::sleep(self.world.rng(key).ms(0..400)).await;
        }
    }

    /// `None` if there is nobody to call.
    async fn call_once(&self, plan: &Plan, repeat: usize) -> Option<Told> {
        let process = self.replicas[(plan.replica + repeat) % self.replicas.len()].process()?;
        let (world, refund) = (&self.world, &plan.refund);
        let number = refund.order_id.as_str();
        let (started, name) = (world.now(), &process.life.name);
        world.tell(format_args!(
            "caller: {number} of {} by {:?} to {name}, within {:?}",
            refund.amount, refund.original, plan.deadline
        ));
        process.life.before_claim();
        let told = ask(process.clone(), plan.clone()).await;
        world.tell(format_args!("caller: {number} was told {told:?} by {name}"));
        let (refund, payment) = (refund.clone(), plan.payment.clone());
        let call = Call { refund, payment, started, ended: world.now(), told };
        self.calls.lock().unwrap().push(call);
        Some(told)
    }
}

/// Calls as the edge does, until the answer, the process's end, or the caller's patience.
async fn ask(process: Process, plan: Plan) -> Told {
    let Process { life, refunds } = process;
    // A task of its own, which dies with its process.
    let call = tokio::spawn(async move {
        let (deadline, begun) = (Deadline::after(plan.deadline), Begun::default());
        let answer = refunds.refund(plan.refund, deadline, &begun, ());
        match plan.hangs_up {
            None => told(answer.await),
            Some(HangUp::AfterPolls(polls)) => {
                polled(answer, polls).await.map_or(Told::Nothing, told)
            }
            Some(HangUp::After(patience)) => {
                let answer = tokio::time::timeout(patience, answer).await;
                answer.map_or(Told::Nothing, told)
            }
        }
    });
    tokio::select! {
        biased;
        () = life.over() => Told::Nothing,
        told = call => match told {
            Ok(told) => told,
            Err(_) if life.is_over() => Told::Nothing,
            Err(_) => Told::Panic,
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

fn told(answer: Result<Answered<Refunded>, Error>) -> Told {
    match answer {
        Ok(answer) => Told::Refunded(answer.value.trade.state.unwrap()),
        Err(error) if Chain(&error).to_string().contains("panicked") => Told::Panic,
        Err(error) => Told::Failed(error.fault(), error.refund_outcome()),
    }
}

/// What is asked for: few amounts and few payments, so that refunds resemble each other.
fn content(rng: &mut Rng, number: &str, payments: usize) -> (Refund, String) {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    let payment = match rng.chance(0.04) {
        true => "NOWHERE".to_owned(),
        false => format!("P{}", rng.below(payments)),
    };
    let original = match rng.chance(0.15) {
        true => OrderRef::MisId(id(&format!("{payment}-MIS"))),
        false => OrderRef::OrderId(id(&payment)),
    };
    let refund = Refund {
        app_id: credential().app_id,
        msn: id("M1"),
        amount: rng.pick(&[10, 10, 10, 7]),
        original,
        order_id: id(number),
        business_id: id("B1"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
    };
    (refund, payment)
}
