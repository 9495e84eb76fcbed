//! The process: its arguments and environment, handed to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    let env = std::env::vars_os();
    sunmi_trade::cli::main(std::env::args_os(), env)
}
