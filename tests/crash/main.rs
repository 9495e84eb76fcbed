//! Processes that die, stop, or lose their database: the real program as child processes, and
//! the books of a sandbox in this one as the judge of what they claim.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on is a test that fails; clippy's own exception does not \
              reach the helpers of an integration test"
)]

// What the tests stand on.
#[path = "../ledger/scratch.rs"]
mod scratch;
#[path = "../ledger/postgres.rs"]
mod postgres;
mod process;
mod calls;
mod world;
mod proxy;

// What happens to the processes.
mod killed;
mod replicas;
mod stopped;
mod storm;
mod operators;
mod outage;
