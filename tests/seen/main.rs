//! What operators see: the log of the real program, as a child process, its traces at a
//! collector in this one, and nowhere a secret.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on is a test that fails; clippy's own exception does not \
              reach the helpers of an integration test"
)]

// What the tests stand on.
#[path = "../ledger/scratch.rs"]
mod scratch;
mod calls;
mod collector;
mod process;
mod sunmi;

// What is seen.
mod bombs;
mod canary;
mod connections;
mod logs;
mod panics;
mod reread;
mod spans;
mod traces;
