//! What operators and their machines look at, on a port of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::get;
use http::StatusCode;
use http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

mod page;
mod readiness;

use crate::deadline::Deadline;
use crate::error::Chain;
use crate::metrics::{self, Metrics};
use crate::refund::Refunds;

pub use page::PageFacts;
pub use readiness::{Phase, Readiness};

/// So long a scrape waits for the ledger: much less than scrapers wait for it.
const LEDGER_TIME: Duration = Duration::from_secs(2);

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Seen {
    /// For `/readyz`.
    pub readiness: Readiness,
    /// For `/metrics`.
    pub metrics: Arc<Metrics>,
    /// For the doubts in `/metrics`, and for the page.
    pub refunds: Refunds,
    /// For the page at `/`; absent where there is none.
    pub page: Option<PageFacts>,
}

/// Serves `/livez` (always 200), `/startupz`, `/readyz` (503 while not ready), `/metrics`, and a
/// page for people at `/` if there is one. Other methods than GET and HEAD are 405.
///
/// # Errors
/// None in practice: connections that fail are dropped.
pub async fn serve(listener: TcpListener, seen: Seen) -> io::Result<()> {
    let page = match seen.page {
        Some(_) => Router::new().route("/", get(page::page)),
        None => Router::new(),
    };
    let app = page
        .route("/livez", get(|| async { "ok\n" }))
        .route("/startupz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .route("/metrics", get(measure))
        .with_state(seen);
    axum::serve(listener, app).await
}

async fn ready(State(seen): State<Seen>) -> (StatusCode, String) {
    let phase = seen.readiness.phase();
    match phase.is_ready() {
        true => (StatusCode::OK, "ok\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {}\n", phase.name())),
    }
}

/// Without the doubts where the ledger cannot be read: all else is wanted most just then.
async fn measure(State(seen): State<Seen>) -> impl IntoResponse {
    let doubts = match Deadline::after(LEDGER_TIME).bound(seen.refunds.doubts()).await {
        Some(Ok(doubts)) => Some(doubts),
        Some(Err(error)) => {
            tracing::warn!(error = %Chain(&error), "the ledger could not be measured");
            None
        }
        None => {
            tracing::warn!("the ledger could not be measured in time");
            None
        }
    };
    match seen.metrics.encode(doubts) {
        Ok(text) => (StatusCode::OK, [(CONTENT_TYPE, metrics::CONTENT_TYPE)], text),
        Err(error) => {
            tracing::error!(error = %Chain(error.as_ref()), "the metrics cannot be written down");
            let text = "the metrics cannot be written down\n".to_owned();
            (StatusCode::INTERNAL_SERVER_ERROR, [(CONTENT_TYPE, "text/plain")], text)
        }
    }
}
