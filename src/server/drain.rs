//! How the server stops: within the configured bounds, every call that was accepted is
//! answered and every refund under way finishes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

use super::report;
use crate::admin::{Phase, Readiness};
use crate::api::Gate;
use crate::config::Shutdown;
use crate::connections::Connections;
use crate::deadline::Deadline;
use crate::ledger::Ledger;

/// How long what should be quick may take once the drain is over.
const LAST: Duration = Duration::from_secs(1);

/// What a drain acts on.
pub(super) struct Parts {
    pub(super) health: HealthReporter,
    pub(super) readiness: Readiness,
    /// Takes no more in, and ends what is served aside, which nobody has to wait for.
    pub(super) stop: CancellationToken,
    /// Cuts all connections.
    pub(super) cut: CancellationToken,
    pub(super) waits: Waits,
    pub(super) ledger: Ledger,
}

/// What may be under way.
pub(super) struct Waits {
    pub(super) gate: Gate,
    pub(super) connections: Arc<Connections>,
    pub(super) refund_tasks: TaskTracker,
    pub(super) resolver: JoinHandle<()>,
}

/// The server as a task.
pub(super) type Served = JoinHandle<Result<(), tonic::transport::Error>>;

/// How it came that all calls are answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// All connections are closed.
    Served,
    /// Some are still open, with answers or ends of streams that their callers do not take.
    Idle,
}

async fn served_or_idle(server: &mut Served, gate: &Gate) -> Ended {
    tokio::select! {
        _ = server => Ended::Served,
        () = gate.idle() => Ended::Idle,
    }
}

/// Stops: says so, goes on serving for a while, takes no more, and waits for what is under
/// way. Every wait is bounded.
pub(super) async fn drain(shutdown: &Shutdown, parts: Parts, mut server: Served) {
    tracing::info!(delay = ?shutdown.delay, drain = ?shutdown.drain, "shutting down");
    parts.readiness.set(Phase::Draining);
    report(&parts.health, ServingStatus::NotServing).await;
    tokio::time::sleep(shutdown.delay).await;
    parts.stop.cancel();
    parts.waits.refund_tasks.close();
    let deadline = Deadline::after(shutdown.drain);
    let served = deadline.bound(served_or_idle(&mut server, &parts.waits.gate)).await;
    let (answered, served) = (served.is_some(), served == Some(Ended::Served));
    let refunds = deadline.bound(parts.waits.refund_tasks.wait()).await.is_some();
    // It stops between two steps. What is left in doubt is the next process's.
    let _ = deadline.bound(parts.waits.resolver).await;
    if !(answered && refunds) {
        tracing::warn!(
            connections = parts.waits.connections.open(),
            refunds = parts.waits.refund_tasks.len(),
            "not all was finished in time"
        );
    }
    let last = Deadline::after(LAST);
    if !served {
        // To abort the server would leave its connections, which are tasks of their own.
        parts.cut.cancel();
        let _ = last.bound(&mut server).await;
        server.abort();
    }
    if refunds {
        // Else one may still find something out, and record it, before the process ends.
        let _ = last.bound(parts.ledger.close()).await;
    }
    tracing::info!(all_answered = answered, all_refunds_finished = refunds, "stopped");
}
