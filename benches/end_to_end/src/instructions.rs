//! Instructions a call, which repeat on a busy machine as on an idle one: what so many calls more
//! have cost under callgrind.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use crate::BoxError;
use crate::load::Load;
use crate::process::{Kind, Process, Under};

/// Calls at once: one, where each wakes all that it needs, and many, which share wake-ups.
const IN_FLIGHT: [usize; 2] = [1, 64];

/// Counts both, and prints what a call costs.
pub(crate) async fn compare(kinds: &[Kind<'_>; 2], calls: usize) -> Result<(), BoxError> {
    println!("| instructions a Query | floor | sunmi-trade | ratio |\n|---|---|---|---|");
    for in_flight in IN_FLIGHT {
        let mut costs = [0.0; 2];
        for (kind, cost) in kinds.iter().zip(&mut costs) {
            // The difference: without the start, the end, and connections being made.
            let one = count(*kind, calls, in_flight).await?;
            let two = count(*kind, 2 * calls, in_flight).await?;
            *cost = (two - one) / calls as f64;
        }
        let [floor, server] = costs;
        println!("| {in_flight} in flight | {floor:.0} | {server:.0} | {:.2} |", server / floor);
    }
    Ok(())
}

/// All instructions of a server that has answered so many calls.
async fn count(kind: Kind<'_>, calls: usize, in_flight: usize) -> Result<f64, BoxError> {
    let file: PathBuf = std::env::temp_dir().join(format!("callgrind-{}", std::process::id()));
    let upstream = Process::stub(Duration::ZERO)?;
    let server = kind.start(&upstream, Under::Callgrind(&file))?;
    Load::to(server.address(), in_flight, 1).await?.closed(calls, in_flight).await?;
    server.stop()?;
    let text = fs::read_to_string(&file)?;
    fs::remove_file(&file)?;
    let total = text.lines().rev().find_map(|line| line.strip_prefix("totals:"));
    let total = total.ok_or_else(|| format!("no totals of {}", kind.name()))?;
    Ok(total.trim().parse()?)
}
