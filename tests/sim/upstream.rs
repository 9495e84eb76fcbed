//! Sunmi, in process and in the run's own time: the sandbox's books behind a network that
//! loses, delays and spoils. The books' time is the database's.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sunmi_trade::error::BoxError;
use sunmi_trade::sandbox::book::{Book, Endpoint, Execution, Form, Order, Reply};
use sunmi_trade::sandbox::credential;
use sunmi_trade::sunmi::params::SignedForm;
use sunmi_trade::sunmi::{Body, HttpReply, OwnConnection, SendError, Transport};
use tokio::sync::oneshot;

use crate::fate::{Answer, Fate};
use crate::options::{CEILING, WINDOW};
use crate::replica::Life;
use crate::world::World;

/// A refund call, as it left.
#[derive(Clone, Debug)]
pub struct Sent {
    pub number: String,
    pub at: Duration,
    pub executed: Option<Executed>,
}

#[derive(Clone, Copy, Debug)]
pub struct Executed {
    pub at: Duration,
    /// Where its order is.
    pub order: usize,
}

#[derive(Debug)]
pub struct Upstream {
    world: Arc<World>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    book: Book,
    sent: Vec<Sent>,
    /// How many calls there were for an order.
    calls: BTreeMap<(String, String), usize>,
    leaps_left: u32,
}

/// A replica's way to Sunmi.
#[derive(Clone, Debug)]
pub struct Line {
    pub upstream: Arc<Upstream>,
    pub life: Arc<Life>,
}

impl Upstream {
    pub fn new(world: Arc<World>) -> Self {
        let options = &world.options;
        let now = world.db_now() / 1000;
        let mut book = Book::new([&credential()], now);
        book.set_refunds_queryable(options.queryable);
        book.set_lag(options.lag.as_secs() as i64);
        for payment in 0..options.payments {
            book.add_payment(&format!("P{payment}"), options.balance, now);
        }
        let leaps_left = if options.leaps { 3 } else { 0 };
        let state = State { book, sent: Vec::new(), calls: BTreeMap::new(), leaps_left };
        Self { world, state: Mutex::new(state) }
    }

    /// The books at the end: what moved money, all orders, all refund calls.
    pub fn books(&self) -> (Vec<Execution>, Vec<Order>, Vec<Sent>) {
        let mut state = self.state.lock().unwrap();
        state.book.finish(i64::MAX);
        (state.book.executions().to_vec(), state.book.orders().to_vec(), state.sent.clone())
    }

    fn draw(&self, endpoint: Endpoint, form: &Form) -> Fate {
        let mut state = self.state.lock().unwrap();
        let key = (format!("{endpoint:?}"), named(form));
        let nth = state.calls.entry(key.clone()).or_default();
        *nth += 1;
        let nth = *nth;
        let rng = &mut self.world.rng((key, nth));
        match (self.world.is_faulty(), endpoint) {
            (false, _) => Fate::fair(rng),
            (true, Endpoint::Query | Endpoint::SwipeQuery) => {
                Fate::of_query(&self.world.options, rng)
            }
            (true, Endpoint::Refund) if self.world.options.leaps && rng.chance(0.6) => {
                if nth > 1 || state.leaps_left == 0 {
                    return Fate::late_success(rng);
                }
                state.leaps_left -= 1;
                tokio::spawn(leap(Arc::clone(&self.world), rng.ms(100..1_500)));
                Fate::late_refusal(rng)
            }
            (true, Endpoint::Refund) => Fate::of_refund(&self.world.options, rng),
        }
    }

    /// The request is in the network: it goes its way, whoever hangs up or dies meanwhile.
    async fn carry(self: Arc<Self>, call: Call, back: oneshot::Sender<Option<Reply>>) {
        tokio::time::sleep(call.fate.there).await;
        let _ = back.send(call.fate.execute.then(|| self.execute(&call)).flatten());
    }

    fn execute(&self, call: &Call) -> Option<Reply> {
        let world = &self.world;
        let mut state = self.state.lock().unwrap();
        let db_now = world.db_now();
        let Some(sent) = call.sent else {
            return Some(state.book.handle(call.endpoint, &call.form, db_now / 1000));
        };
        if db_now - call.db_sent > world.options.latest().as_millis() as i64 {
            world.tell(format_args!("Sunmi: send {sent} is lost: too late to be executed"));
            return None;
        }
        state.book.set_course(call.fate.course);
        let before = state.book.executions().len();
        let reply = state.book.handle(call.endpoint, &call.form, db_now / 1000);
        let executed = state.book.executions().len() > before;
        let order = state.book.orders().len() - 1;
        state.sent[sent].executed = executed.then(|| Executed { at: world.now(), order });
        let code = &reply.code;
        world.tell(format_args!("Sunmi: send {sent} executed={executed} code={code}"));
        Some(reply)
    }
}

/// While the owner of a claim waits for a refusal, so much time passes for all others that
/// its claim is given up and made anew.
async fn leap(world: Arc<World>, wait: Duration) {
    tokio::time::sleep(wait).await;
    world.jump((CEILING + WINDOW * 2).as_millis() as i64);
}

/// A call in the network.
struct Call {
    endpoint: Endpoint,
    form: Form,
    fate: Fate,
    /// Which of the refund calls it is, if it is one.
    sent: Option<usize>,
    db_sent: i64,
}

impl Line {
    async fn exchange(&self, endpoint: Endpoint, form: Form) -> Result<HttpReply, SendError> {
        let upstream = &self.upstream;
        let world = &upstream.world;
        let fate = upstream.draw(endpoint, &form);
        let number = named(&form);
        let name = &self.life.name;
        let Fate { there, execute, course, back, answer } = fate.clone();
        if matches!(answer, Answer::Unreachable) {
            world.tell(format_args!("{name}: {endpoint:?} {number}: no connection"));
            return Err(SendError::NotSent("no connection".into()));
        }
        let sent = (endpoint == Endpoint::Refund).then(|| {
            let sends = &mut upstream.state.lock().unwrap().sent;
            sends.push(Sent { number: number.clone(), at: world.now(), executed: None });
            sends.len() - 1
        });
        if let Some(sent) = sent {
            world.tell(format_args!(
                "{name}: send {sent} of {number}: {there:?} there, execute={execute} {course:?}, \
                 {back:?} back, {answer:?}"
            ));
        }
        let (tx, rx) = oneshot::channel();
        let call = Call { endpoint, form, fate, sent, db_sent: world.db_now() };
        tokio::spawn(Arc::clone(upstream).carry(call, tx));
        let reply = match answer {
            Answer::Hang => std::future::pending().await,
            Answer::Broken | Answer::Unreachable => {
                tokio::time::sleep(back).await;
                return Err(SendError::MaybeSent("the connection broke".into()));
            }
            Answer::True | Answer::Code(..) | Answer::Http(_) | Answer::Html => {
                rx.await.map_err(|gone| SendError::MaybeSent(gone.into()))?
            }
        };
        tokio::time::sleep(back).await;
        spoil(answer, reply)
    }
}

/// The reply that arrives, made of the one that the books gave, if they gave one.
fn spoil(answer: Answer, reply: Option<Reply>) -> Result<HttpReply, SendError> {
    let http = |status, retry_after, body: String| {
        Ok(HttpReply { status, retry_after, body: Body::Whole(body.into()) })
    };
    match answer {
        Answer::True => match reply {
            Some(reply) => http(200, None, reply.to_json()),
            None => Err(SendError::MaybeSent("the request was lost".into())),
        },
        Answer::Code(code, retry_after) => {
            let data = reply.and_then(|reply| reply.data).filter(|_| code == "D01");
            http(200, retry_after, Reply { data, ..Reply::refusal(code) }.to_json())
        }
        Answer::Http(status) => http(status, None, String::new()),
        Answer::Html => http(200, None, "<html>".to_owned()),
        Answer::Unreachable | Answer::Hang | Answer::Broken => {
            Err(SendError::MaybeSent("no reply".into()))
        }
    }
}

/// The number that a call is about.
fn named(form: &Form) -> String {
    let number = ["orderId", "misId", "platformId"].iter().find_map(|name| form.get(*name));
    number.cloned().unwrap_or_default()
}

impl Transport for Line {
    fn post<'a>(
        &'a self,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move {
            let endpoint = Endpoint::at(path).unwrap();
            let form = form_urlencoded::parse(form.into_body().as_bytes()).into_owned().collect();
            let is_refund = endpoint == Endpoint::Refund;
            self.life.passes(is_refund, "before a call");
            let attempt = self.upstream.world.options.attempt;
            let exchange = tokio::time::timeout(attempt, self.exchange(endpoint, form));
            let timed_out = |_| Err(SendError::MaybeSent(BoxError::from("timed out")));
            let answered = exchange.await.unwrap_or_else(timed_out);
            self.life.passes(is_refund, "after a call");
            answered
        })
    }

    fn connect<'a>(&'a self) -> BoxFuture<'a, Result<Box<dyn OwnConnection>, SendError>> {
        Box::pin(async { Ok(Box::new(self.clone()) as Box<dyn OwnConnection>) })
    }
}

impl OwnConnection for Line {
    fn is_open(&mut self) -> bool {
        true
    }

    fn post<'a>(
        self: Box<Self>,
        path: &'a str,
        form: SignedForm,
    ) -> BoxFuture<'a, Result<HttpReply, SendError>> {
        Box::pin(async move { Transport::post(&*self, path, form).await })
    }
}
