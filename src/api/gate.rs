//! Which calls are let in, and with how much time: known callers, within their rights, as many
//! at once as there are places.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tonic::body::Body;

use super::call::{Call, Entry};
use super::origin::Origin;
use super::watches::{Watch, Watches};
use super::who::{Shown, Who};
use crate::callers;
use crate::deadline::{Limits, parse_grpc_timeout};
use crate::error::{BoxError, Error, Fault, Violation};
use crate::ledger::Sight;
use crate::metrics::Metrics;
use crate::parties::InForce;
use crate::places::{self, Places};
use crate::trade::Method;

/// How long a stream lasts: so that a connection that nobody reads does not have it for ever.
const LONGEST: Duration = Duration::from_secs(3600);

/// How often a stop looks whether a call is under way.
const IDLE_PAUSE: Duration = Duration::from_millis(100);

/// What this server's own services are guarded by. Clones share everything.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    parties: InForce,
    deadlines: Limits,
    message_timeout: Duration,
    calls: u32,
    places: Arc<Semaphore>,
    awaited: Arc<Places>,
    watches: Watches,
    metrics: Arc<Metrics>,
}

/// How many calls there may be, and how long their requests may take.
#[derive(Clone, Debug)]
pub struct CallLimits {
    /// Calls of the trade service that are served at once.
    pub calls: u32,
    /// How long a request may take to come in once its headers are here.
    pub message_timeout: Duration,
}

impl Gate {
    /// Lets those in who may call by what is in force, with these deadlines and limits, and has
    /// calls measured.
    pub fn new(
        parties: InForce,
        deadlines: Limits,
        limits: &CallLimits,
        metrics: Arc<Metrics>,
    ) -> Self {
        let places = Arc::new(Semaphore::new(limits.calls as usize));
        let message_timeout = limits.message_timeout;
        let awaited = Places::new(limits.calls, Arc::default());
        let watches = Watches::default();
        Self(Arc::new(Rules {
            parties,
            deadlines,
            message_timeout,
            calls: limits.calls,
            places,
            awaited,
            watches,
            metrics,
        }))
    }

    /// The call that this request is, and why it is refused if it is.
    pub(super) fn open(
        &self,
        request: &Request<Body>,
        method: Method,
    ) -> (Call, Result<(), Error>) {
        let (parties, shown) = (self.0.parties.now(), Shown::of(request));
        let who = Who::of(&shown, &parties.access);
        let sound = super::metadata::within_bounds(request.headers());
        let sound = sound.map_err(|violation| Error::invalid(vec![violation]));
        let time = sound.and_then(|()| self.time(method, request.headers()));
        let call = Call::open(
            method,
            Origin::of(request, method),
            time.as_ref().copied().unwrap_or_default(),
            Entry { who: who.as_ref().cloned().unwrap_or_default(), shown, parties },
            self,
        );
        let admitted = who.and_then(|who| {
            who.may_call(method)?;
            time.map(drop)
        });
        (call, admitted)
    }

    /// What a caller that was let in may see by what is in force now, or `None` if what it showed
    /// makes another caller of it by now.
    ///
    /// # Errors
    /// Why it would not be let in any more.
    pub(super) fn sight_now(&self, entry: &Entry, method: Method) -> Result<Option<Sight>, Error> {
        let who = Who::of(&entry.shown, &self.0.parties.now().access)?;
        if who.name != entry.who.name {
            return Ok(None);
        }
        who.may_call(method)?;
        Ok(Some(who.sight()))
    }

    /// How long this server may take.
    fn time(&self, method: Method, headers: &HeaderMap) -> Result<Duration, Error> {
        let limits = match method.is_stream() {
            true => &Limits { default: LONGEST, max: LONGEST, ..self.0.deadlines.clone() },
            false => &self.0.deadlines,
        };
        let asked = timeout(headers).map_err(|violation| Error::invalid(vec![violation]))?;
        match limits.grant(asked) {
            Duration::ZERO => Err(Error::new(Fault::DeadlineExceeded)),
            granted => Ok(granted),
        }
    }

    /// Waits until no call has been under way for as long as a request may take to come in; streams
    /// do not count, which end by themselves. What is still open then are answers that nobody takes.
    pub async fn idle(&self) {
        let (mut since, all) = (Instant::now(), self.0.calls as usize);
        while since.elapsed() < self.message_timeout() + IDLE_PAUSE {
            tokio::time::sleep(IDLE_PAUSE).await;
            if self.0.places.available_permits() < all {
                since = Instant::now();
            }
        }
    }

    /// Where calls are counted.
    pub(super) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// How long a request may take to come in once its headers are here.
    pub(super) fn message_timeout(&self) -> Duration {
        self.0.message_timeout
    }

    /// A place for a call whose request is not here yet. If there is none, the one that has
    /// waited longest gives way.
    pub(super) async fn awaited(&self) -> Option<places::Place> {
        self.0.awaited.take().await
    }

    /// A place for a call whose request was read: one that is still awaited holds none, or
    /// requests that never end could take them all.
    pub(super) fn place(&self, who: &Who, method: Method) -> Result<Place, Error> {
        if method.is_stream() {
            let watch = self.0.watches.take(who.name.as_deref());
            let watch = watch.map_err(|full| Error::new(Fault::Overloaded).because(full))?;
            return Ok(Place::OfStream(watch));
        }
        let own = who.caller.as_ref().map(|caller| caller.calls.take());
        let own = own.transpose().map_err(|full| no_place(method, full))?;
        let place = Arc::clone(&self.0.places).try_acquire_owned();
        Ok(Place::OfCall(own, place.map_err(|full| no_place(method, full))?))
    }
}

/// A place among the calls that are served at once, held while it lives.
#[derive(Debug)]
#[expect(dead_code, reason = "held, and given back when it is dropped")]
pub(super) enum Place {
    /// Of the caller's, where there are callers, and of all.
    OfCall(Option<callers::Held>, OwnedSemaphorePermit),
    /// A stream lasts, so it would take a call's place for good: streams have their own.
    OfStream(Watch),
}

/// That there is no place. A refund without one was not looked at: it may well be known.
fn no_place(method: Method, full: impl Into<BoxError>) -> Error {
    match method {
        Method::Query
        | Method::SwipeQuery
        | Method::GetRefund
        | Method::ListRefunds
        | Method::WatchRefunds => Error::new(Fault::Overloaded).because(full),
        Method::Refund => Error::refund_outcome_unknown(full),
    }
}

/// How long the caller gives the call.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Violation> {
    let Some(value) = headers.get("grpc-timeout") else {
        return Ok(None);
    };
    value.to_str().ok().and_then(|text| parse_grpc_timeout(text).ok()).map(Some).ok_or(Violation {
        field: "grpc-timeout",
        rule: "must be 1 to 8 digits and a unit out of H, M, S, m, u, n",
    })
}
