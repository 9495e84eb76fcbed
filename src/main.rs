//! The process: its arguments and environment, handed to the library.

use std::process::ExitCode;

/// A call makes some hundred small allocations, most of them in libraries, and gives them back soon.
/// docs/performance.md says what this one saves, and what it costs.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    let env = std::env::vars_os();
    sunmi_trade::cli::main(std::env::args_os(), env)
}
