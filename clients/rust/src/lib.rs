//! What a caller of sunmi-trade needs besides the stubs, to be copied from.
//!
//! - [`server`]: a channel, and calls that end in time, wait for the server and say who calls.
//! - [`details`]: what an error says, typed.
//! - [`refund`]: one refund until its outcome is known, whatever happens on the way.
//! - [`store`]: the record of a refund, which is on the disk before anything is sent.
//! - [`json`]: messages as proto3 JSON.
//!
//! `src/bin/refund.rs` puts them together; `src/bin/conformance` runs the cases that all languages
//! share.

pub mod details;
pub mod json;
pub mod refund;
pub mod server;
pub mod store;

/// The stubs.
#[allow(clippy::all, missing_docs, reason = "made by tonic-prost-build from the contract")]
pub mod v1 {
    tonic::include_proto!("sunmi.trade.v1");
}
