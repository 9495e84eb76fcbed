//! The page for people, at `/`: whether the server is ready, which ledger it works on, and the
//! refunds that need a person, each with the command that settles it. Read-only, of its own
//! origin alone, and with identifiers as the log shows them.

use std::borrow::Cow;
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
use jiff::Timestamp;

use super::{LEDGER_TIME, Seen};
use crate::clock;
use crate::deadline::Deadline;
use crate::error::{BoxError, Chain};
use crate::ledger::{Identity, Row, State as RefundState};
use crate::refund::NeedPersons;
use crate::reload::{Counts, Kind};
use crate::telemetry::shown;
use crate::tls::Tls;

/// So many refunds are shown at most: a person reads no more, and the page stays small.
const SHOWN: i64 = 200;

/// A certificate that expires within this is marked.
const SOON: Duration = Duration::from_secs(14 * 24 * 3600);

/// What the page tells besides the ledger.
#[derive(Clone, Debug)]
pub struct PageFacts {
    /// Where the ledger is, without password.
    pub ledger: String,
    /// The upstream that it belongs to.
    pub upstream: String,
    /// What was read again from files.
    pub reloads: Arc<Counts>,
    /// The port's certificate.
    pub tls: Option<Arc<Tls>>,
}

/// What a browser may do with the page: show it, and nothing else.
const HEADERS: [(HeaderName, HeaderValue); 5] = [
    (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static(
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; \
             form-action 'none'; base-uri 'none'",
        ),
    ),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (CACHE_CONTROL, HeaderValue::from_static("no-store")),
];

#[derive(Template)]
#[template(path = "page.html")]
struct Page<'a> {
    title: String,
    version: &'static str,
    ready: bool,
    upstream: &'a str,
    ledger: &'a str,
    identity: Option<Identity>,
    expiry: Option<Expiry>,
    stale: Vec<&'static str>,
    states: Option<Vec<(&'static str, i64)>>,
    persons: i64,
    shown: Vec<Shown>,
    more: i64,
}

struct Expiry {
    at: String,
    soon: bool,
}

/// A refund that needs a person, as the page shows it.
struct Shown {
    order_id: String,
    app_id: String,
    amount: String,
    original_kind: &'static str,
    original: String,
    age: String,
    state: &'static str,
    why: String,
    command: String,
}

/// What of the ledger is on the page.
struct Read {
    identity: Identity,
    states: Vec<(&'static str, i64)>,
    persons: NeedPersons,
}

/// Answers the page, or that there is none.
pub(super) async fn page(State(seen): State<Seen>) -> Response {
    let Some(facts) = &seen.page else { return StatusCode::NOT_FOUND.into_response() };
    let read = match Deadline::after(LEDGER_TIME).bound(read(&seen)).await {
        Some(Ok(read)) => Some(read),
        Some(Err(error)) => {
            tracing::warn!(error = %Chain(error.as_ref()), "the page could not read the ledger");
            None
        }
        None => {
            tracing::warn!("the page could not read the ledger in time");
            None
        }
    };
    match build(&seen, facts, read).render() {
        Ok(text) => (HEADERS, text).into_response(),
        Err(error) => {
            tracing::error!(error = %Chain(&error), "the page cannot be written down");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

async fn read(seen: &Seen) -> Result<Read, BoxError> {
    let (identity, states) = seen.refunds.inventory().await?;
    let persons = seen.refunds.need_persons(SHOWN).await?;
    Ok(Read { identity, states, persons })
}

fn build<'a>(seen: &Seen, facts: &'a PageFacts, read: Option<Read>) -> Page<'a> {
    let ready = seen.readiness.get();
    let stale = Kind::ALL.into_iter().filter(|kind| facts.reloads.stale(*kind));
    let (identity, states, persons) = match read {
        Some(Read { identity, states, persons }) => (Some(identity), Some(states), persons),
        None => (None, None, NeedPersons { count: 0, rows: Vec::new() }),
    };
    let state = match (persons.count, ready) {
        (0, true) => "ready".to_owned(),
        (0, false) => "not ready".to_owned(),
        (count, _) => format!("{count} need a person"),
    };
    Page {
        title: format!("sunmi-trade: {state}"),
        version: env!("CARGO_PKG_VERSION"),
        ready,
        upstream: &facts.upstream,
        ledger: &facts.ledger,
        identity,
        expiry: facts.tls.as_ref().map(|tls| expiry(tls.expiry())),
        stale: stale.map(Kind::name).collect(),
        states,
        persons: persons.count,
        more: persons.count.saturating_sub(persons.rows.len() as i64),
        shown: persons.rows.iter().map(refund).collect(),
    }
}

fn expiry(seconds: i64) -> Expiry {
    let at = Timestamp::from_second(seconds).map_or_else(|_| "-".to_owned(), |at| at.to_string());
    let now = clock::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let soon = i64::try_from((now + SOON).as_secs()).is_ok_and(|soon| seconds < soon);
    Expiry { at, soon }
}

fn refund(row: &Row) -> Shown {
    let hidden = |text: &str| shown(text).map_or_else(|| "…".to_owned(), Cow::into_owned);
    let (original_kind, original) = row.original.named();
    let number = row.key.order_id.as_str();
    // A command with half a number would do nothing, or the wrong thing.
    let whole = shown(number).filter(|it| it == number);
    let command = format!(
        "sunmi-trade refunds settle {} --epoch {} \\\n  --succeeded | --not-applied \\\n  \
         --by NAME --reason TEXT",
        whole.as_deref().unwrap_or("NUMBER"),
        row.epoch
    );
    Shown {
        order_id: hidden(number),
        app_id: row.key.app_id.to_string(),
        amount: row.amount.map_or_else(|| "-".to_owned(), |amount| amount.to_string()),
        original_kind,
        original: hidden(original.as_str()),
        age: age(row),
        state: row.state.name(),
        why: why(row),
        command,
    }
}

/// At least a second: a clock that went back must not hide how long it is open.
fn age(row: &Row) -> String {
    let seconds = row.now.saturating_sub(row.claimed_at).max(1_000) / 1_000;
    let age = Duration::from_secs(u64::try_from(seconds).unwrap_or_default());
    humantime::format_duration(age).to_string()
}

fn why(row: &Row) -> String {
    match (&row.doubt, row.state) {
        (Some(doubt), _) if !doubt.why.is_empty() => doubt.why.clone(),
        (_, RefundState::Processing) => "Sunmi accepted it, and has not finished".to_owned(),
        _ => "its outcome is not known".to_owned(),
    }
}
