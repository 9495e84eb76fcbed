//! What is asked of the refund ledger without moving money: of the ledger itself, on all that it
//! can be kept in, and of its service through a real server and a real client. Without a
//! PostgreSQL (`.ci/postgres` starts one) those cases are skipped, aloud.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on is a test that fails; clippy's own exception does not \
              reach the helpers of an integration test"
)]

// What the tests stand on, some of it other tests', which use more of it.
#[path = "../ledger/postgres.rs"]
mod postgres;
#[path = "../ledger/scratch.rs"]
mod scratch;
#[path = "../it/calls.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod calls;
#[path = "../it/failure.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod failure;
#[path = "../it/form.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod form;
#[path = "../it/server.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod server;
#[path = "../it/upstream.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod upstream;
mod bench;
mod world;

// Of the ledger.
mod searches;
mod snapshots;
mod feeds;

// Of the service.
mod contract;
mod gets;
mod lists;
mod rights;
mod watches;
