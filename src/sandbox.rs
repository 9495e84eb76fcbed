//! A stand-in for Sunmi: [`book`] decides, as a pure state machine, [`faults`] spoils
//! answers on request, [`http`] hosts both. It shares nothing with the server but the
//! signature, and keeps books of its own, so that tests can hold one against the other.

use crate::sunmi::Credential;
use crate::sunmi::params::AppKey;
use crate::trade::Identifier;

pub mod book;
mod codes;
pub mod faults;
pub mod http;
mod samples;

/// The `app_id` of [`credential`].
pub const APP_ID: &str = "sandbox";

/// What the sandbox accepts where nothing else is configured. No secret.
pub fn credential() -> Credential {
    // The constant keeps the rule, so there always is one.
    let app_id = Identifier::parse(APP_ID.to_owned());
    #[allow(clippy::expect_used, reason = "a constant that a test runs through")]
    let app_id = app_id.expect("a valid constant");
    Credential { app_id, app_key: AppKey::new("sandbox-key".to_owned()) }
}
