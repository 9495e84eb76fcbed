//! What a caller of sunmi-trade needs besides the stubs, to be copied from.
//!
//! - [`server`]: a channel, and calls that end in time, wait for the server and say who calls.
//! - [`details`]: what an error says, typed.
//! - [`json`]: messages as proto3 JSON.

pub mod details;
pub mod json;
pub mod server;

/// The stubs.
#[allow(clippy::all, missing_docs, reason = "made by tonic-prost-build from the contract")]
pub mod v1 {
    tonic::include_proto!("sunmi.trade.v1");
}
