//! The executions that broke the first edition of refunds, each with its letter: what happened at
//! Sunmi, on the way there and to the clocks, and that nothing is sent twice or told falsely.

mod answers;
mod content;
mod ledgers;
mod past;
mod payments;
mod records;
mod times;
mod totals;
mod world;
