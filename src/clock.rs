//! The wall clock, read here alone. Durations are measured on Tokio's monotonic clock.

use std::time::SystemTime;

/// The time of day, as the machine has it.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> SystemTime {
    SystemTime::now()
}
