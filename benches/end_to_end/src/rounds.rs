//! By the clock: rounds in which the servers take turns, so that what else the machine does meets
//! all of them alike. Of the rounds the median counts.

use std::time::{Duration, Instant};

use crate::BoxError;
use crate::load::Load;
use crate::process::{Kind, Process, Under};

/// Calls of a round that are made all at once, and the connections that they come over.
const CALLS: usize = 20_000;
const IN_FLIGHT: usize = 64;
const CONNECTIONS: usize = 4;

/// Calls a second of the open loop, and how long it lasts.
const RATE: u32 = 1000;
const TIME: Duration = Duration::from_secs(5);

/// How long the upstream takes where memory is looked at.
const SLOW: Duration = Duration::from_secs(3);

/// A row of the table: its name, and of each round the two servers' figures.
struct Row(String, Vec<[f64; 2]>);

/// Measures both, and prints the medians.
pub(crate) async fn compare(kinds: &[Kind<'_>; 2], rounds: usize) -> Result<(), BoxError> {
    let names = ["CPU a call, 64 in flight, µs", "calls a second, 64 in flight"];
    let quantiles = [0.5, 0.99, 0.999];
    let latency = quantiles.map(|q| format!("p{} at {RATE}/s open loop, µs", q * 100.0));
    let names = names.map(str::to_owned).into_iter().chain(latency);
    let mut rows: Vec<_> = names.map(|name| Row(name, Vec::new())).collect();
    for _ in 0..rounds {
        let mut figures = [Vec::new(), Vec::new()];
        for (kind, figures) in kinds.iter().zip(&mut figures) {
            *figures = round(*kind, &quantiles).await?;
        }
        let [floor, server] = figures;
        for (row, both) in rows.iter_mut().zip(floor.into_iter().zip(server)) {
            row.1.push(both.into());
        }
    }
    for in_flight in [64, 1000, 10_000] {
        let mut peaks = [0.0; 2];
        for (kind, peak) in kinds.iter().zip(&mut peaks) {
            *peak = memory(*kind, in_flight).await?;
        }
        rows.push(Row(format!("memory, {in_flight} in flight, MiB"), vec![peaks]));
    }
    println!("| | floor | sunmi-trade | ratio |\n|---|---|---|---|");
    for Row(name, rounds) in rows {
        let [floor, server] = [0, 1].map(|at| median(rounds.iter().map(|both| both[at])));
        // Of each round, not of the medians: what disturbed a round disturbed both.
        let ratio = median(rounds.iter().map(|both| both[1] / both[0]));
        println!("| {name} | {floor:.1} | {server:.1} | {ratio:.2} |");
    }
    Ok(())
}

/// The figures of one server.
async fn round(kind: Kind<'_>, quantiles: &[f64]) -> Result<Vec<f64>, BoxError> {
    let upstream = Process::stub(Duration::ZERO)?;
    let server = kind.start(&upstream, Under::Plain)?;
    let load = Load::to(server.address(), IN_FLIGHT, CONNECTIONS).await?;
    load.closed(CALLS / 10, IN_FLIGHT).await?;
    let (cpu, begun) = (server.cpu()?, Instant::now());
    load.closed(CALLS, IN_FLIGHT).await?;
    let (cpu, took) = (server.cpu()? - cpu, begun.elapsed());
    let calls = CALLS as f64;
    let mut figures = vec![cpu.as_secs_f64() * 1e6 / calls, calls / took.as_secs_f64()];
    let latencies = load.open(RATE, TIME).await?;
    let at = |quantile: &f64| {
        let at = (latencies.len() as f64 * quantile) as usize;
        latencies.get(at).map_or(f64::NAN, |it| it.as_secs_f64() * 1e6)
    };
    figures.extend(quantiles.iter().map(at));
    Ok(figures)
}

/// The most memory that a server has with so many calls in flight at a slow upstream.
async fn memory(kind: Kind<'_>, in_flight: usize) -> Result<f64, BoxError> {
    let upstream = Process::stub(SLOW)?;
    let server = kind.start(&upstream, Under::Plain)?;
    let load = Load::to(server.address(), in_flight, 1).await?;
    load.closed(in_flight, in_flight).await?;
    server.peak_memory()
}

fn median(figures: impl Iterator<Item = f64>) -> f64 {
    let mut figures: Vec<_> = figures.collect();
    figures.sort_unstable_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}
