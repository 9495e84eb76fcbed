//! The server through its front door: a real server on a port of its own, a real client, and
//! as Sunmi either the built-in sandbox or an upstream whose every byte is scripted.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "a test that cannot go on is a test that fails; clippy's own exception does not \
              reach the helpers of an integration test"
)]

// What the tests stand on.
mod busy;
mod calls;
mod certificates;
mod failure;
mod form;
mod frames;
mod raw;
#[path = "../ledger/postgres.rs"]
mod postgres;
#[path = "../ledger/scratch.rs"]
mod scratch;
mod server;
mod upstream;

// What the server does.
mod samples;
mod requests;
mod validation;
mod callers;
mod days;
mod codes;
mod odd_replies;
mod odd_upstream;
mod retries;
mod own_connections;
mod refunds;
mod repeats;
mod resolution;
mod executions;
mod ordinary_day;
mod believed;
mod commit;
mod measures;
mod two_keys;
mod rotation;
mod reread;
mod measured_calls;
mod measured_upstream;
mod measured_page;
mod page;
mod connections;
mod deadlines;
mod limits;
mod compression;
mod metadata;
mod serving;
mod hostile;
mod aside;
mod tls;
mod renewal;
mod shutdown;
