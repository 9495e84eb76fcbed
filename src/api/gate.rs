//! Which calls are let in, and with how much time: known callers, within their rights, as many
//! at once as there are places.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::body::Body;

use super::call::Call;
use super::origin::Origin;
use super::who::Who;
use crate::callers::Access;
use crate::deadline::{Limits, parse_grpc_timeout};
use crate::error::{Error, Fault, Violation};
use crate::metrics::Metrics;
use crate::trade::Operation;

/// What the trade service is guarded by. Clones share everything.
#[derive(Clone, Debug)]
pub struct Gate(Arc<Rules>);

#[derive(Debug)]
struct Rules {
    access: Access,
    deadlines: Limits,
    places: Arc<Semaphore>,
    metrics: Arc<Metrics>,
}

impl Gate {
    /// Lets `access` in, with these deadlines, so many at once, and has them measured.
    pub fn new(access: Access, deadlines: Limits, calls: u32, metrics: Arc<Metrics>) -> Self {
        let places = Arc::new(Semaphore::new(calls as usize));
        Self(Arc::new(Rules { access, deadlines, places, metrics }))
    }

    /// The call that this request is, with its place among those that are served, or why it is
    /// refused.
    pub(super) fn open(
        &self,
        request: &Request<Body>,
        operation: Operation,
    ) -> (Call, Result<(), Error>) {
        let who = Who::of(request, &self.0.access);
        let time = self.time(request.headers());
        let call = Call::open(
            operation,
            Origin::of(request, operation),
            time.as_ref().copied().unwrap_or_default(),
            who.as_ref().cloned().unwrap_or_default(),
            &self.0.metrics,
        );
        let admitted = who.and_then(|who| {
            who.may_call(operation)?;
            time?;
            call.takes(self.place(&who, operation)?);
            Ok(())
        });
        (call, admitted)
    }

    /// How long this server may take.
    fn time(&self, headers: &HeaderMap) -> Result<Duration, Error> {
        let asked = timeout(headers).map_err(|violation| Error::invalid(vec![violation]))?;
        match self.0.deadlines.grant(asked) {
            Duration::ZERO => Err(Error::new(Fault::DeadlineExceeded)),
            granted => Ok(granted),
        }
    }

    /// A refund without a place was not looked at: it may well be known.
    fn place(&self, who: &Who, operation: Operation) -> Result<Place, Error> {
        let places = |all: &Arc<Semaphore>| {
            Arc::clone(all).try_acquire_owned().map_err(|full| match operation {
                Operation::Query | Operation::SwipeQuery => {
                    Error::new(Fault::Overloaded).because(full)
                }
                Operation::Refund => Error::refund_outcome_unknown(full),
            })
        };
        let own = who.caller.as_ref().and_then(|caller| caller.places.as_ref());
        Ok(Place { _own: own.map(places).transpose()?, _of_all: places(&self.0.places)? })
    }
}

/// A place among the calls that are served at once, held while it lives.
#[derive(Debug)]
pub(super) struct Place {
    _own: Option<OwnedSemaphorePermit>,
    _of_all: OwnedSemaphorePermit,
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
