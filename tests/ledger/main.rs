//! The refund ledger, on all that it can be kept in: every scenario runs in memory, in an
//! SQLite file and in PostgreSQL. Without a PostgreSQL (`.ci/postgres` starts one) those
//! cases are skipped, aloud.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot go on is a test that fails; clippy's own exception does not \
              reach the helpers of an integration test"
)]

mod scratch;
#[path = "../sim/rng.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is another suite's, which draws more")]
mod rng;
mod postgres;
mod own_server;
mod bench;
mod claims;
mod content;
mod payments;
mod plans;
mod baselines;
mod states;
mod moves;
mod contradictions;
mod judgements;
mod decisions;
mod due;
mod crowds;
mod days;
mod bounds;
mod clocks;
mod first_edition;
mod durability;
mod races;
mod identities;
mod opening;
mod answers;
mod commits;
mod groups;
mod unwritten;
