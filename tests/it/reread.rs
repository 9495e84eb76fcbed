//! The configuration file, read again while the server runs: who may call and who signs.

mod callers;
mod doubts;
mod files;
mod signers;
mod streams;
mod world;
