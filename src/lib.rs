//! A gRPC server in front of the Sunmi trade API: three typed calls, signed, retried,
//! bounded in time and answered with machine-readable errors.
//!
//! # The way of a request
//!
//! A connection is taken at the port ([`server`]), within bounds ([`connections`] counts)
//! and by [`tls`] if so configured, which tells who the [`peer`] is. A call on it comes to
//! the edge of [`api`], whose gate gives it an id, a span in the caller's trace and a
//! deadline, and lets it in if one of the [`callers`] makes it who may. Once its request is
//! read, it needs a place among the calls that are served at once.
//!
//! A query is validated into the nouns of [`trade`], and goes through [`sunmi`]: collected
//! and signed, posted, its reply read leniently, and by [`retry`]'s decision tried again or
//! not. What comes back is a reply or an [`error`], which [`api`] turns into a gRPC reply or
//! a status with details, one line of log and the end of a span ([`telemetry`]).
//!
//! A refund goes the same way, through [`refund`], where it runs in a task that outlives
//! its caller: Sunmi is asked for its number and its payment, it is claimed in the
//! [`ledger`], which alone makes a [`permit`] to send, sent, and settled, or followed until
//! its outcome is found out.
//!
//! # Around it
//!
//! [`cli`] is the program, and [`config`] what it runs with. What stems from files, such as
//! keys, tokens and certificates, is put in force anew by [`reload`] when they change; so are the
//! [`parties`], who may call and who signs, when the configuration's own file does.
//! [`metrics`] counts and knows none of those whom it measures; [`admin`] shows operators
//! that, and whether the server is ready. [`sandbox`] plays Sunmi, [`explain`] puts the error
//! table into words, [`deadline`] bounds whatever waits, [`clock`] tells the time of day, [`words`]
//! writes for a person what comes from elsewhere.
//!
//! # Invariants
//!
//! 1. *Layers.* Only [`api`] and [`server`] know tonic and the proto types, but for the
//!    exporter of [`telemetry`], which is OpenTelemetry's on tonic; only [`sunmi`] knows
//!    Sunmi's field names, codes and HTTP; only [`ledger`] knows SQL. What lies between knows
//!    none of them.
//! 2. *What is signed is what is sent.* Parameters are collected once; signature and form
//!    are both made from that one value.
//! 3. *Claim before send.* A refund is recorded durably, and bound to its content, before its
//!    first byte leaves: one request a claim. Nothing sends it again before it is proved, and a
//!    caller was told, that it moved no money; nor, unasked, another refund of a payment of
//!    which one is unknown.
//! 4. *Proof before belief.* A refund is answered as done, or as not done, only where something
//!    proves it: the judgements of [`refund`] say what, each for one kind of answer or look. All
//!    else is `REFUND_OUTCOME_UNKNOWN`, looked into until it is known or a person decides.
//! 5. *Deadlines are ours.* They are fixed at the edge and passed down, and this server
//!    answers before its caller's clock runs out, never with CANCELLED.
//! 6. *Nothing is swallowed.* Codes, values and fields that this version does not know reach
//!    the caller raw.
//! 7. *No secret leaves.* Keys and signed forms are types that cannot be printed.
//! 8. *Everything has a limit*, and the limits fit each other.

#![forbid(unsafe_code)]

#[cfg(all(
    any(feature = "unguarded-headers", feature = "unguarded-ledger"),
    not(debug_assertions)
))]
compile_error!("an unguarded build is for tests: it can refund twice");

pub mod cli;
pub mod config;
pub mod server;
pub mod tls;
pub mod connections;
mod places;
pub mod admin;
pub mod api;
pub mod callers;
pub mod parties;
pub mod peer;
pub mod refund;
pub mod ledger;
pub mod permit;
pub mod sunmi;
pub mod retry;
pub mod deadline;
pub mod trade;
pub mod error;
pub mod explain;
pub mod clock;
mod words;
pub mod reload;
pub mod telemetry;
pub mod metrics;
pub mod sandbox;
