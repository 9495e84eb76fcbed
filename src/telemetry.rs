//! Logs: one line an RPC, on standard error.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;

/// Starts logging. `filter` is a list of directives, such as `info,hyper=debug`.
pub fn init(filter: Option<&str>) {
    let filter = filter.map_or_else(|| EnvFilter::new("info"), EnvFilter::new);
    // A second call, as in tests, leaves the first one's logger in place.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        // Colours are for eyes: in a file or a pipe they are noise.
        .with_ansi(io::stderr().is_terminal())
        .with_writer(io::stderr)
        .try_init();
}
