//! What a test does beside the calls.

use http::{Method, Response, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::{Body, Sandbox, json_body, text, unix_ms};
use crate::error::BoxError;
use crate::sandbox::book::{Book, Impossible, Patch};
use crate::sandbox::faults::Fault;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OnDevice {
    order_id: String,
    amount: i64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Return {
    order_id: String,
    #[serde(default)]
    keeps_state: bool,
}

impl Sandbox {
    pub(super) fn control(&self, method: &Method, path: &str, body: &[u8]) -> Response<Body> {
        let done = match (method.as_str(), path) {
            ("GET", "/sandbox/books") => return json_body(self.books().to_string()),
            ("DELETE", "/sandbox/faults") => {
                self.state().script.clear();
                Ok(())
            }
            ("POST", "/sandbox/faults") => self.add_faults(body),
            ("POST", "/sandbox/settings") => self.act(body, |book, patch: Patch, _| {
                *book.settings_mut() = patch.apply(book.settings());
                Ok(())
            }),
            ("POST", "/sandbox/orders") => self.act(body, Book::enter),
            ("PATCH", "/sandbox/orders") => self.act(body, |book, change, _| book.change(change)),
            ("POST", "/sandbox/refunds") => self.act(body, Book::enter_refund),
            ("POST", "/sandbox/device-refunds") => self.act(body, |book, it: OnDevice, now| {
                book.refund_on_device(&it.order_id, it.amount, now)
            }),
            ("POST", "/sandbox/returns") => self.act(body, |book, it: Return, now| {
                book.return_refund(&it.order_id, it.keeps_state, now)
            }),
            _ => return text(StatusCode::NOT_FOUND, "no such page"),
        };
        match done {
            Ok(()) => json_body("{}".to_owned()),
            Err(error) => text(StatusCode::BAD_REQUEST, &error.to_string()),
        }
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

    fn books(&self) -> Value {
        let mut state = self.state();
        state.book.finish_ms(unix_ms());
        let calls: Vec<Value> = state
            .calls
            .iter()
            .map(|call| {
                json!({
                    "serial": call.serial,
                    "at_ms": call.at_ms,
                    "endpoint": call.endpoint,
                    "form": call.form,
                })
            })
            .collect();
        json!({
            "orders": state.book.orders(),
            "executions": state.book.executions(),
            "device_refunds": state.book.device_refunds(),
            "calls": calls,
            "total_calls": state.total_calls,
            "settings": state.book.settings(),
            "faults": state.script.left().collect::<Vec<_>>(),
        })
    }
}
