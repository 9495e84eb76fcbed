//! The process: its arguments and environment, handed to the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[allow(clippy::disallowed_methods, reason = "this is the one place")]
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    sunmi_trade::cli::main(std::env::args_os(), env)
}
