//! A stand-in for Sunmi: [`book`] decides, as a pure state machine, [`faults`] spoils
//! answers on request, [`http`] hosts both. It shares nothing with the server but the
//! signature, and keeps books of its own, so that tests can hold one against the other.

use std::sync::Arc;

use crate::sunmi::{Credential, KeyRing};
use crate::trade::Identifier;

pub mod book;
mod codes;
#[cfg(test)]
mod documented;
pub mod faults;
pub mod http;
mod samples;

/// The `app_id` of [`credential`].
pub const APP_ID: &str = "sandbox";

/// What the sandbox accepts where nothing else is configured. No secret.
pub fn credential() -> Credential {
    // The constants keep the rules, so there always is one.
    let app_id = Identifier::parse(APP_ID.to_owned());
    let keys = KeyRing::parse(b"sandbox-key");
    #[allow(clippy::expect_used, reason = "constants that a test runs through")]
    let (app_id, keys) = (app_id.expect("a valid constant"), keys.expect("a valid constant"));
    Credential { app_id, keys: Arc::new(keys), file: None }
}
