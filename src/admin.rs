//! What operators and their machines look at, on a port of its own.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

use crate::error::{BoxError, Chain};
use crate::ledger::Ledger;
use crate::metrics::{self, Metrics};

/// Whether new calls should be routed here. Falls when the server drains; does not follow
/// the upstream, whose outage no other replica would mend.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<AtomicBool>);

impl Readiness {
    /// Says whether it is so.
    pub fn set(&self, ready: bool) {
        self.0.store(ready, Ordering::Release);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }
}

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Seen {
    /// For `/readyz`.
    pub readiness: Readiness,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For the doubts in `/metrics`.
    pub ledger: Ledger,
}

/// Serves `/livez` (always 200), `/startupz`, `/readyz` (503 while not ready) and `/metrics`.
///
/// # Errors
/// None in practice: connections that fail are dropped.
pub async fn serve(listener: TcpListener, seen: Seen) -> io::Result<()> {
    let app = Router::new()
        .route("/livez", get(|| async { "ok\n" }))
        .route("/startupz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(measure))
        .with_state(seen);
    axum::serve(listener, app).await
}

async fn ready(State(seen): State<Seen>) -> (StatusCode, &'static str) {
    match seen.readiness.get() {
        true => (StatusCode::OK, "ok\n"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not ready\n"),
    }
}

/// Fails if the ledger does: a scrape that fails is seen, a stale number is not.
async fn measure(State(seen): State<Seen>) -> impl IntoResponse {
    let measured: Result<String, BoxError> =
        async { seen.metrics.encode(seen.ledger.doubts().await?) }.await;
    match measured {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, metrics::CONTENT_TYPE)], text),
        Err(error) => {
            let error = Chain(error.as_ref());
            tracing::warn!(%error, "the ledger could not be measured");
            let text = "the ledger cannot be read\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, [(CONTENT_TYPE, "text/plain")], text)
        }
    }
}
