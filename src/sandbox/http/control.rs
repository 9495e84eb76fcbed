//! What a test does beside the calls.

use http::{Method, Response, StatusCode, Uri};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::pages::{NoSuchParameter, Page, Whose};
use super::{Body, Sandbox, json_body, text, unix_ms};
use crate::error::BoxError;
use crate::sandbox::book::{Book, Impossible, Patch};
use crate::sandbox::faults::{Fault, names};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct OnDevice {
    order_id: String,
    amount: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sandbox) struct Return {
    order_id: String,
    #[serde(default)]
    keeps_state: bool,
}

impl Sandbox {
    pub(super) fn control(&self, method: &Method, uri: &Uri, body: &[u8]) -> Response<Body> {
        let Some(page) = Page::at(method.as_str(), uri.path()) else {
            return text(StatusCode::NOT_FOUND, "no such page");
        };
        let done = Whose::of(uri.query()).map_err(BoxError::from).and_then(|whose| {
            if page.is_of_orders() || whose.is_all() {
                self.done(page, &whose, body)
            } else {
                Err(NoSuchParameter.into())
            }
        });
        match done {
            Ok(answer) => json_body(answer.to_string()),
            Err(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    fn done(&self, page: Page, whose: &Whose, body: &[u8]) -> Result<Value, BoxError> {
        match page {
            Page::Books => return Ok(self.books(whose)),
            Page::ForgetFaults => {
                self.state().script.forget(|fault| is_meant(whose, fault));
            }
            Page::AddFaults => self.add_faults(body)?,
            Page::Set => self.act(body, |book, patch: Patch, _| {
                *book.settings_mut() = patch.apply(book.settings());
                Ok(())
            })?,
            Page::EnterOrder => self.act(body, Book::enter)?,
            Page::ChangeOrder => self.act(body, |book, change, _| book.change(change))?,
            Page::EnterCard => self.act(body, Book::enter_card)?,
            Page::EnterRefund => self.act(body, Book::enter_refund)?,
            Page::RefundOnDevice => self.act(body, |book, it: OnDevice, now| {
                book.refund_on_device(&it.order_id, it.amount, now)
            })?,
            Page::ReturnRefund => self.act(body, |book, it: Return, now| {
                book.return_refund(&it.order_id, it.keeps_state, now)
            })?,
        }
        Ok(json!({}))
    }

    /// Does to the books, now, what the body says.
    fn act<T: DeserializeOwned>(
        &self,
        body: &[u8],
        act: impl FnOnce(&mut Book, T, i64) -> Result<(), Impossible>,
    ) -> Result<(), BoxError> {
        let asked = serde_json::from_slice(body)?;
        Ok(act(&mut self.state().book, asked, unix_ms())?)
    }

    fn add_faults(&self, body: &[u8]) -> Result<(), BoxError> {
        let script: Value = serde_json::from_slice(body)?;
        let script = if script.is_array() { script } else { Value::Array(vec![script]) };
        let faults: Vec<Fault> = serde_json::from_value(script)?;
        let mut state = self.state();
        faults.into_iter().for_each(|fault| state.script.push(fault));
        Ok(())
    }

    /// What there is of the orders that are meant. `total_calls` and the settings are of all.
    pub(super) fn books(&self, whose: &Whose) -> Value {
        let mut state = self.state();
        state.book.finish_ms(unix_ms());
        let book = &state.book;
        let calls = state.calls.iter().filter(|call| whose.has(|id| names(&call.form, id)));
        let calls: Vec<Value> = calls
            .map(|call| {
                json!({
                    "serial": call.serial,
                    "at_ms": call.at_ms,
                    "endpoint": call.endpoint,
                    "form": call.form,
                })
            })
            .collect();
        let of = |at: usize| whose.has(|id| book.orders()[at].is_named(id));
        let orders = book.orders().iter().filter(|it| whose.has(|id| it.is_named(id)));
        let executions = book.executions().iter().filter(|it| of(it.payment) || of(it.refund));
        let on_device = book.device_refunds().iter().filter(|it| of(it.payment));
        let faults = state.script.left().filter(|fault| is_meant(whose, fault));
        json!({
            "orders": orders.collect::<Vec<_>>(),
            "executions": executions.collect::<Vec<_>>(),
            "device_refunds": on_device.collect::<Vec<_>>(),
            "calls": calls,
            "total_calls": state.total_calls,
            "settings": book.settings(),
            "faults": faults.collect::<Vec<_>>(),
        })
    }
}

/// Whether an entry of the script is one for these orders. One for any order is nobody's.
fn is_meant(whose: &Whose, fault: &Fault) -> bool {
    match &fault.order_id {
        Some(id) => whose.has(|it| it == id),
        None => whose.is_all(),
    }
}
