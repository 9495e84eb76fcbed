//! One call, signed, ready to be sent as often as need be. A read whose key is rejected is
//! signed once more with the other one; after a refund that is, the next call is.

use std::sync::Arc;

use super::fields::Fields;
use super::key_ring::KeyRing;
use super::params::{AppKey, Params, SignedForm};
use super::reply::Reply;
use crate::error::{Code, Error, Fault};
use crate::trade::{Identifier, Operation};

pub(super) struct Call<'a, T> {
    pub(super) operation: Operation,
    /// What its result is made of.
    pub(super) typed: Typed<T>,
    /// The request's field that names the order.
    pub(super) order_field: &'static str,
    app_id: &'a Identifier,
    params: Params,
    keys: Arc<KeyRing>,
    key: AppKey,
    form: SignedForm,
    /// Whether it is signed with the other key.
    again: bool,
}

/// Makes a result of its fields.
pub(super) type Typed<T> = fn(Fields<'_>) -> T;

impl<'a, T> Call<'a, T> {
    /// Signs it with the key that is preferred.
    pub(super) fn new(
        (operation, typed): (Operation, Typed<T>),
        order_field: &'static str,
        mut params: Params,
        (app_id, keys): (&'a Identifier, Arc<KeyRing>),
    ) -> Self {
        params.set("app_id", app_id.as_str());
        let key = keys.preferred();
        let form = params.sign(&key);
        Self { operation, typed, order_field, app_id, params, keys, key, form, again: false }
    }

    pub(super) fn form(&self) -> &SignedForm {
        &self.form
    }

    /// Learns from an answer whether the key is right. If it is not, and it was the first to
    /// sign, and there is another, then that has signed now, and the answer is yes: the call
    /// was refused before anything was processed, so it may be sent again.
    pub(super) fn learns(&mut self, seen: &Result<Reply<T>, Error>) -> bool {
        if self.again {
            if was_taken(seen) && self.keys.prefer(&self.key) {
                tracing::warn!(app_id = %self.app_id, "Sunmi takes the other key of the two");
            }
            return false;
        }
        let other = match seen {
            Err(error) if error.fault() == Fault::SignatureRejected => {
                self.keys.other_than(&self.key)
            }
            Ok(_) | Err(_) => None,
        };
        if let Some(other) = other {
            self.form = self.params.sign(&other);
            self.key = other;
            self.again = true;
        }
        self.again
    }
}

impl<T> Call<'_, T> {
    /// Learns from how a call failed that is not sent again: a key that was rejected gives way
    /// to the other one, which signs the next call.
    pub(super) fn failed(&self, error: &Error) {
        if error.fault() != Fault::SignatureRejected {
            return;
        }
        if let Some(other) = self.keys.other_than(&self.key)
            && self.keys.prefer(&other)
        {
            tracing::warn!(app_id = %self.app_id, "Sunmi rejects one key of the two");
        }
    }
}

/// Whether an answer shows that the signature was right: what looks at the trade itself comes
/// after it, what refuses all calls, such as a limit, may come before.
fn was_taken<T>(seen: &Result<Reply<T>, Error>) -> bool {
    match seen {
        Ok(_) => true,
        Err(error) => {
            let of_trade =
                matches!(error.fault().row().code, Code::NotFound | Code::FailedPrecondition);
            of_trade && error.context().sunmi.is_some()
        }
    }
}
