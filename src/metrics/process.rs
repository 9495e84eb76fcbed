//! What is running: the build, the process and its runtime.

use prometheus::Registry;
use prometheus::core::Collector;
use tokio::runtime::{Handle, RuntimeMetrics};

use super::pulled::{Pulled, Type};

pub(super) fn register(registry: &Registry) -> prometheus::Result<()> {
    // Read from /proc.
    #[cfg(target_os = "linux")]
    add(registry, prometheus::process_collector::ProcessCollector::for_self())?;
    let build = ("sunmi_trade_build_info", "Which version runs: always 1.");
    let version = || vec![([env!("CARGO_PKG_VERSION")], 1.0)];
    add(registry, Pulled::new(Type::Gauge, build, ["version"], version)?)?;
    add(
        registry,
        runtime("tokio_workers", "Threads that run tasks.", RuntimeMetrics::num_workers)?,
    )?;
    add(
        registry,
        runtime(
            "tokio_alive_tasks",
            "Tasks that have not ended.",
            RuntimeMetrics::num_alive_tasks,
        )?,
    )?;
    add(
        registry,
        runtime(
            "tokio_global_queue_depth",
            "Tasks that wait for any thread to run them.",
            RuntimeMetrics::global_queue_depth,
        )?,
    )
}

fn add(registry: &Registry, family: impl Collector + 'static) -> prometheus::Result<()> {
    registry.register(Box::new(family))
}

/// A gauge of the runtime that serves the metrics, which is the one that serves the calls.
fn runtime(
    name: &str,
    help: &str,
    read: fn(&RuntimeMetrics) -> usize,
) -> prometheus::Result<Pulled> {
    Pulled::new(Type::Gauge, (name, help), [], move || {
        let runtime = Handle::try_current().ok();
        runtime.map(|runtime| ([], read(&runtime.metrics()) as f64)).into_iter().collect()
    })
}
