//! Executions that once broke the promise, each found by a hostile reader of the code.

mod bench;
mod bounds;
mod executions;
mod told;
