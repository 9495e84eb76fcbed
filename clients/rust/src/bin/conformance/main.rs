//! Runs the cases that all languages share, `clients/conformance/cases.json`, against a server and
//! the sandbox behind it, whose addresses are in the environment: `SUNMI_TRADE_SERVER` and
//! `SUNMI_TRADE_SANDBOX`.

use std::error::Error;
use std::hash::{BuildHasher, RandomState};
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tonic::transport::Endpoint;

mod cases;
mod check;
mod run;
mod sandbox;

use cases::Table;
use run::Runner;
use sandbox::Sandbox;

/// So many cases run at once.
const AT_ONCE: usize = 8;

const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../conformance/cases.json");

#[tokio::main]
async fn main() -> ExitCode {
    match conform().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the cases cannot be run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn conform() -> Result<bool, Box<dyn Error>> {
    let path = env::args().nth(1).unwrap_or_else(|| TABLE.into());
    let text = fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))?;
    let table: Table = serde_json::from_str(&text).map_err(|error| format!("{path}: {error}"))?;
    let address = variable("SUNMI_TRADE_SERVER")?;
    let runner = Arc::new(Runner {
        // At once: the deadlines of the calls are theirs alone.
        channel: Endpoint::from_shared(format!("http://{address}"))?.connect().await?,
        sandbox: Sandbox::at(variable("SUNMI_TRADE_SANDBOX")?),
        tokens: table.tokens,
    });
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut running = JoinSet::new();
    for case in table.cases {
        let (runner, turns) = (runner.clone(), turns.clone());
        running.spawn(async move {
            let _turn = turns.acquire_owned().await;
            let name = case["name"].as_str().unwrap_or("a case without a name").to_owned();
            (name, one(&runner, &case).await)
        });
    }
    let (mut passed, mut failed) = (0, 0);
    while let Some(ended) = running.join_next().await {
        let (name, result) = ended?;
        match result {
            Ok(()) => {
                passed += 1;
                println!("ok      {name}");
            }
            Err(why) => {
                failed += 1;
                println!("FAILED  {name}: {why}");
            }
        }
    }
    println!("{passed} passed, {failed} failed");
    Ok(failed == 0 && passed > 0)
}

/// Runs a case with numbers of its own.
async fn one(runner: &Runner, case: &Value) -> check::Result {
    let unique = format!("{:08x}", RandomState::new().hash_one(()) >> 32);
    let text = case.to_string().replace("${run}", &unique);
    let case = serde_json::from_str(&text).map_err(|error| format!("of the case: {error}"))?;
    runner.run(&case).await
}

fn variable(name: &str) -> Result<String, String> {
    env::var(name).map_err(|_| format!("{name} is not set: run this by with-server"))
}
