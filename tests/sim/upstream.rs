//! Sunmi, in process and in the run's own time: the sandbox's books behind a network that
//! loses, delays, repeats and spoils (see [`crate::line`]).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use sunmi_trade::ledger::{Row, State as RowState};
use sunmi_trade::sandbox::book::{Book, Endpoint, Form, PastRefund, Payment, Reply, Settings};
use sunmi_trade::sunmi::KeyRing;
use tokio::sync::oneshot;

use crate::fate::Fate;
use crate::sent::{Books, Call, Sent, credential, is_known_as_one, named, original, payment_named};
use crate::world::World;

#[derive(Debug)]
pub struct Upstream {
    pub world: Arc<World>,
    state: Mutex<State>,
    keys: Vec<Arc<KeyRing>>,
}

#[derive(Debug)]
struct State {
    book: Book,
    sent: Vec<Sent>,
    /// How many calls there were for an order.
    calls: BTreeMap<(String, String), usize>,
    /// How many refund calls of a number are under way.
    under_way: BTreeMap<String, usize>,
    /// What was answered so far, and to what.
    answers: Vec<(Endpoint, Form, Reply)>,
    used_before: Vec<String>,
}

impl Upstream {
    pub fn new(world: Arc<World>) -> Self {
        let (options, now) = (&world.options, world.sunmi_now());
        let credentials: Vec<_> = (0..2).map(|it| credential(it, b"old")).collect();
        let mut book = Book::new(&credentials, now / 1000);
        *book.settings_mut() = Settings {
            refunds_queryable: options.queryable,
            payments_queryable: options.payments_queryable,
            numbers_per_app: options.numbers_per_app,
            number_lag_ms: options.number_lag.as_millis() as i64,
            total_lag_ms: options.total_lag.as_millis() as i64,
            keep_refused: options.keep_refused,
            ..Settings::default()
        };
        for payment in 0..options.payments {
            let order_id = format!("P{payment}");
            let payment = Payment { order_id, amount: options.balance, ..Payment::default() };
            book.enter(payment, now).unwrap();
        }
        let mut used_before = Vec::new();
        let rng = &mut world.rng("before");
        for number in 0..options.used_before {
            let state = rng.pick(&["3", "3", "5", "1"]).to_owned();
            let (order_id, original) = (format!("R{number}"), "P0".to_owned());
            let amount = rng.pick(&[10, 7]);
            used_before.push(order_id.clone());
            let age_ms = 3_600_000;
            let past = PastRefund { order_id, original, amount, state, age_ms, app_id: None };
            book.enter_refund(past, now).unwrap();
        }
        let state = State {
            book,
            sent: Vec::new(),
            calls: BTreeMap::new(),
            under_way: BTreeMap::new(),
            answers: Vec::new(),
            used_before,
        };
        let keys = credentials.into_iter().map(|it| it.keys).collect();
        Self { world, state: Mutex::new(state), keys }
    }

    /// The books at the end.
    pub fn books(&self) -> Books {
        let mut state = self.state.lock().unwrap();
        state.book.finish(i64::MAX);
        Books {
            executions: state.book.executions().to_vec(),
            orders: state.book.orders().to_vec(),
            sent: state.sent.clone(),
            used_before: state.used_before.clone(),
        }
    }

    /// Whether money moved under this number, where the books tell it for good.
    pub fn moved(&self, number: &str) -> Option<bool> {
        let mut state = self.state.lock().unwrap();
        state.book.finish_ms(self.world.sunmi_now());
        let busy = state.under_way.get(number).is_some_and(|calls| *calls > 0);
        if busy || state.used_before.iter().any(|it| it == number) {
            return None;
        }
        let executions = state.book.executions().iter().filter(|it| it.order_id == number);
        let orders = state.book.orders();
        let mut moved = false;
        for execution in executions {
            match orders[execution.refund].state.as_str() {
                "5" if execution.returned_at_ms.is_none() => {}
                "3" | "5" => moved = true,
                _ => return None,
            }
        }
        Some(moved)
    }

    pub fn refund_on_device(&self, payment: &str, amount: i64) {
        let (world, mut state) = (&self.world, self.state.lock().unwrap());
        let done = state.book.refund_on_device(payment, amount, world.sunmi_now());
        world.tell(format_args!("device: {amount} of {payment}: {done:?}"));
    }

    pub fn return_refund(&self, number: &str) {
        let (world, mut state) = (&self.world, self.state.lock().unwrap());
        // What returns unseen hides others: that remains.
        if !world.options.finds(number) {
            return;
        }
        let done = state.book.return_refund(number, false, world.sunmi_now());
        world.tell(format_args!("Sunmi returns {number}: {done:?}"));
    }

    pub fn take_new_keys(&self) {
        for keys in &self.keys {
            keys.replace(b"new").unwrap();
        }
        self.world.tell(format_args!("Sunmi takes the new key"));
    }

    pub fn draw(&self, endpoint: Endpoint, form: &Form) -> Fate {
        let mut state = self.state.lock().unwrap();
        let key = (format!("{endpoint:?}"), named(form));
        let nth = state.calls.entry(key.clone()).or_default();
        *nth += 1;
        let rng = &mut self.world.rng((key, *nth));
        match (self.world.is_faulty(), endpoint) {
            (false, _) => Fate::fair(rng),
            (true, Endpoint::Query | Endpoint::SwipeQuery) => {
                Fate::of_query(&self.world.options, rng, named(form).starts_with('R'))
            }
            (true, Endpoint::Refund) => Fate::of_refund(&self.world.options, rng),
        }
    }

    /// Notes a refund call that leaves, and says which it is.
    pub fn note_sent(&self, form: &Form, rows: &[Row]) -> usize {
        let (app_id, number) = (form["app_id"].clone(), form["orderId"].clone());
        let payment = payment_named(&original(form)).to_owned();
        let own =
            |row: &&Row| (row.key.app_id.as_str(), row.key.order_id.as_str()) == (&app_id, &number);
        let by = rows.iter().find(own).and_then(|row| row.caller.as_deref().map(str::to_owned));
        let mine = rows.iter().find(own);
        let open = |row: &&Row| {
            matches!(row.state, RowState::Claimed | RowState::InDoubt)
                && payment_named(row.original.named().1.as_str()) == payment
                && mine.is_none_or(|mine| is_known_as_one(mine, row))
        };
        let beside = rows.iter().filter(|row| !own(row)).filter(open);
        let beside = beside.map(|row| row.key.order_id.to_string()).collect();
        let mut state = self.state.lock().unwrap();
        let (amount, at) = (form["amount"].parse().unwrap(), self.world.now());
        let executions = Vec::new();
        state.sent.push(Sent { app_id, number, amount, payment, at, by, beside, executions });
        state.sent.len() - 1
    }

    /// A refund call of this number is under way.
    pub fn begins(&self, number: &str) {
        let mut state = self.state.lock().unwrap();
        *state.under_way.entry(number.to_owned()).or_default() += 1;
    }

    /// The request is in the network: it goes its way, whoever hangs up or dies meanwhile.
    pub async fn carry(self: Arc<Self>, call: Call, back: oneshot::Sender<Option<Reply>>) {
        tokio::time::sleep(call.fate.there).await;
        let first = call.fate.execute.then(|| self.execute(&call)).flatten();
        match call.fate.repeat {
            Some((after, second)) => {
                let back = if second { Some(back) } else { drop_into(back, first) };
                tokio::time::sleep(after).await;
                self.world.tell(format_args!("something repeats send {:?}", call.sent));
                let again = self.execute(&call);
                if let Some(back) = back {
                    let _ = back.send(again);
                }
            }
            None => drop(back.send(first)),
        }
        if call.sent.is_some() {
            let mut state = self.state.lock().unwrap();
            *state.under_way.entry(named(&call.form)).or_default() -= 1;
        }
    }

    fn execute(&self, call: &Call) -> Option<Reply> {
        let world = &self.world;
        let mut state = self.state.lock().unwrap();
        let now = world.sunmi_now();
        let Some(sent) = call.sent else {
            let finds = world.options.finds(&named(&call.form));
            let settings = Settings { refunds_queryable: finds, ..state.book.settings().clone() };
            let reply = state.book.handle_with(settings, call.endpoint, &call.form, now);
            state.answers.push((call.endpoint, call.form.clone(), reply.clone()));
            return Some(reply);
        };
        if world.now() - call.handed > world.options.latest() {
            world.tell(format_args!("Sunmi: send {sent} is lost: too late to be executed"));
            return None;
        }
        let settings = Settings {
            course: call.fate.course,
            echo_originals: call.fate.originals,
            ..state.book.settings().clone()
        };
        let before = state.book.executions().len();
        let reply = state.book.handle_with(settings, call.endpoint, &call.form, now);
        let executed = state.book.executions().len() > before;
        if executed {
            state.sent[sent].executions.push(before);
        }
        let code = &reply.code;
        world.tell(format_args!("Sunmi: send {sent} executed={executed} code={code}"));
        state.answers.push((call.endpoint, call.form.clone(), reply.clone()));
        Some(reply)
    }

    /// What an earlier call was answered that can be told from this one: a query that found
    /// another payment, a refund of another payment or another amount.
    pub fn crossed(&self, endpoint: Endpoint, form: &Form) -> Option<Reply> {
        let state = self.state.lock().unwrap();
        let payment = payment_named(&original(form)).to_owned();
        let names_another = |data: &Value, field| {
            let name = data[field].as_str().unwrap_or_default();
            !name.is_empty() && payment_named(name) != payment
        };
        // By a number of the platform no answer names the payment.
        let is_named = !form.contains_key("oriPlatformId");
        let other = |(of, _, reply): &&(Endpoint, Form, Reply)| match (endpoint, of, &reply.data) {
            (Endpoint::Refund, Endpoint::Refund, Some(data)) => {
                (is_named && names_another(data, "oriOrderId") && names_another(data, "oriMisId"))
                    || data["amount"] != form["amount"].as_str()
            }
            (Endpoint::Query, Endpoint::Query, Some(data)) => {
                data["orderType"] == "0" && names_another(data, "orderId")
            }
            _ => false,
        };
        state.answers.iter().rev().find(other).map(|(_, _, reply)| reply.clone())
    }
}

fn drop_into(
    back: oneshot::Sender<Option<Reply>>,
    reply: Option<Reply>,
) -> Option<oneshot::Sender<Option<Reply>>> {
    let _ = back.send(reply);
    None
}
