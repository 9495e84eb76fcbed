//! The page for people, at `/`: whether the server is ready and why not, which ledger it works
//! on, and the refunds that need a person, each with the command that settles it. Read-only,
//! without scripts, of its own origin alone, and with identifiers as the log shows them.

use std::sync::Arc;
use std::time::Duration;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, REFERRER_POLICY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderValue, StatusCode};
use tokio::sync::Mutex;
use tokio::time::Instant;

mod server;
mod shown;
mod view;

use super::{LEDGER_TIME, Seen};
use crate::config::Config;
use crate::deadline::Deadline;
use crate::error::Chain;
use crate::ledger::LedgerError;
use crate::refund::{Overview, Refunds};
use crate::reload::Counts;
use crate::tls::Tls;
use view::Page;

/// So many refunds of a kind are shown at most: a person reads no more, and the page stays small.
const SHOWN: i64 = 200;

/// What was read of the ledger is shown for so long: whoever reloads the page again and again, and
/// any number of people, ask a ledger that refunds wait for once a second at most.
const KEPT: Duration = Duration::from_secs(1);

/// What the page tells besides the refunds.
#[derive(Clone, Debug)]
pub struct PageFacts {
    /// Where the ledger is, without password.
    ledger: String,
    /// The id that was made with it.
    ledger_id: String,
    /// The upstream that it belongs to.
    upstream: String,
    /// What was read again from files.
    reloads: Arc<Counts>,
    /// The port's certificates.
    tls: Option<Arc<Tls>>,
    /// What was last read of the ledger.
    kept: Arc<Kept>,
}

impl PageFacts {
    /// Those of a server with this configuration and this ledger, unless it is to have no page.
    pub fn new(
        config: &Config,
        ledger_id: String,
        reloads: &Arc<Counts>,
        tls: Option<&Arc<Tls>>,
    ) -> Option<Self> {
        config.admin_page.then(|| Self {
            ledger: config.ledger.shown(),
            ledger_id,
            upstream: config.upstream_name().to_owned(),
            reloads: Arc::clone(reloads),
            tls: tls.cloned(),
            kept: Arc::default(),
        })
    }
}

/// What was last read of the ledger, for all who look. Only one of them reads at a time.
#[derive(Debug, Default)]
struct Kept(Mutex<Option<(Instant, Arc<Overview>)>>);

impl Kept {
    /// All refunds at a glance, as they were a moment ago.
    async fn overview(&self, refunds: &Refunds) -> Result<Arc<Overview>, LedgerError> {
        let mut kept = self.0.lock().await;
        if let Some((read, overview)) = &*kept
            && read.elapsed() < KEPT
        {
            return Ok(Arc::clone(overview));
        }
        let overview = Arc::new(refunds.overview(SHOWN).await?);
        *kept = Some((Instant::now(), Arc::clone(&overview)));
        Ok(overview)
    }
}

/// What a browser may do with the page: show it, and nothing else.
const HEADERS: [(HeaderName, HeaderValue); 6] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; img-src data:; \
             frame-ancestors 'none'; form-action 'none'; base-uri 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

/// Answers the page, or that there is none.
pub(super) async fn page(State(seen): State<Seen>) -> Response {
    let Some(facts) = &seen.page else { return StatusCode::NOT_FOUND.into_response() };
    let overview = facts.kept.overview(&seen.refunds);
    let overview = match Deadline::after(LEDGER_TIME).bound(overview).await {
        Some(Ok(overview)) => Some(overview),
        Some(Err(error)) => {
            tracing::warn!(error = %Chain(&error), "the page could not read the ledger");
            None
        }
        None => {
            tracing::warn!("the page could not read the ledger in time");
            None
        }
    };
    match Page::new(&seen, facts, overview.as_deref()).render() {
        Ok(text) => (HEADERS, text).into_response(),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "the page cannot be written down");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
