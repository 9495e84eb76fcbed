//! What a Query costs this server, against a floor: a server of the same contract that does
//! nothing but ask and answer. `run` builds both and starts this; docs/performance.md tells what
//! it prints.
//!
//! The parts run as processes of their own, so that each can be held to a core and measured:
//! [`stub`] stands in for Sunmi, [`floor`] is the floor. The rest is the one who measures:
//! [`instructions`] under callgrind, [`rounds`] by the clock, both by the calls that [`load`]
//! makes to what [`process`] has started.

use std::error::Error;
use std::time::Duration;

use crate::load::Load;
use crate::process::Kind;

mod floor;
mod instructions;
mod load;
mod process;
mod rounds;
mod stub;

/// The contract, as generated.
#[allow(clippy::all, reason = "generated")]
mod pb {
    tonic::include_proto!("sunmi.trade.v1");
}

/// Why something could not be measured.
type BoxError = Box<dyn Error + Send + Sync>;

const USAGE: &str = "\
end-to-end stub DELAY_MS
end-to-end floor UPSTREAM
end-to-end calls ADDRESS CALLS IN_FLIGHT
end-to-end instructions SERVER [CALLS]
end-to-end rounds SERVER [ROUNDS]";

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["stub", delay] => stub::serve(Duration::from_millis(delay.parse()?)).await,
        ["floor", upstream] => floor::serve(upstream).await,
        ["calls", address, calls, in_flight] => {
            let in_flight = in_flight.parse()?;
            Load::to(address, in_flight, 1).await?.closed(calls.parse()?, in_flight).await
        }
        ["instructions", server] => instructions::compare(&Kind::both(server), 2000).await,
        ["instructions", server, calls] => {
            instructions::compare(&Kind::both(server), calls.parse()?).await
        }
        ["rounds", server] => rounds::compare(&Kind::both(server), 5).await,
        ["rounds", server, rounds] => rounds::compare(&Kind::both(server), rounds.parse()?).await,
        _ => Err(USAGE.into()),
    }
}
