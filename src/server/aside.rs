//! What is served beside the trade service: health and reflection. Whoever reaches the port
//! may call them, so all of it is bounded, in size, in time and in number; and none of it
//! holds a stop up.
//!
//! A check of health is never refused: the bounds on all else are there for it.

use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{Request, Response};
use tokio_util::sync::CancellationToken;
use tonic::Status;
use tonic::body::Body;
use tonic::server::NamedService;
use tower::{Service, ServiceExt};

use crate::api::metadata;
use crate::deadline::Deadline;
use crate::places::{Place, Places};
use body::{Received, Sent};

mod body;

/// The longest request that is read, in bytes. A real one has less than 100.
pub(super) const MAX_REQUEST: usize = 4 << 10;

/// The longest reply that is sent, in bytes. The longest is a file of the contract.
pub(super) const MAX_REPLY: usize = 64 << 10;

/// How many checks may wait for their requests, which come right after their headers. Past
/// it the one that has waited longest gives way.
const CHECKS: u32 = 1024;

/// How many reflection streams there may be.
const REFLECTIONS: u32 = 64;

/// How long a request may take to come.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// How long a reflection stream may last. Tools that find it ended make a new one.
const REFLECTION_TIME: Duration = Duration::from_secs(60);

/// The bounds, common to all that is served aside. Clones share everything.
#[derive(Clone, Debug)]
pub(super) struct Bounds {
    checks: Arc<Places>,
    watches: Arc<Places>,
    reflections: Arc<Places>,
    stop: CancellationToken,
}

/// What is called.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Check,
    Watch,
    Reflection,
}

impl Bounds {
    /// With a watch for each of so many connections, all ended by `stop`.
    pub(super) fn new(connections: u32, stop: CancellationToken) -> Self {
        // Nobody asks how many there are.
        let places = |limit| Places::new(limit, Arc::default());
        let [checks, watches, reflections] = [CHECKS, connections, REFLECTIONS].map(places);
        Self { checks, watches, reflections, stop }
    }

    /// The service within these bounds.
    pub(super) fn around<S>(&self, service: S) -> Aside<S> {
        Aside { service, bounds: self.clone() }
    }

    async fn serve<S>(
        self,
        kind: Kind,
        service: S,
        request: Request<Body>,
    ) -> Result<Response<Body>, Status>
    where
        S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    {
        let place = self.places(kind).take().await.ok_or_else(too_many)?;
        // Its request is not read any more once the call is over.
        let over = CancellationToken::new();
        let ended = over.clone().drop_guard();
        let request = request.map(|body| Body::new(Received::new(body, over)));
        let answer = Deadline::after(REQUEST_TIME).bound(service.oneshot(request));
        let response = tokio::select! {
            // First: what can be answered is.
            biased;
            answer = answer => match answer {
                Some(Ok(response)) => response,
                None => return Err(Status::deadline_exceeded("no request came in time")),
            },
            () = self.stop.cancelled() => return Err(stopping()),
            () = place.must_go() => return Err(too_many()),
        };
        let place = kind.keep(place)?;
        let end = Box::pin(self.end(kind));
        Ok(response.map(|body| Body::new(Sent::new(body, end, (ended, place)))))
    }

    fn places(&self, kind: Kind) -> &Arc<Places> {
        match kind {
            Kind::Check => &self.checks,
            Kind::Watch => &self.watches,
            Kind::Reflection => &self.reflections,
        }
    }

    /// Waits until a response has to end, and says why.
    async fn end(self, kind: Kind) -> Status {
        match kind.time() {
            None => self.stop.cancelled().await,
            Some(time) => {
                if Deadline::after(time).bound(self.stop.cancelled()).await.is_none() {
                    return Status::deadline_exceeded("a reflection stream lasts a minute");
                }
            }
        }
        stopping()
    }
}

impl Kind {
    fn of(path: &str) -> Option<Self> {
        match path {
            "/grpc.health.v1.Health/Check" => Some(Self::Check),
            "/grpc.health.v1.Health/Watch" => Some(Self::Watch),
            "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"
            | "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo" => {
                Some(Self::Reflection)
            }
            _ => None,
        }
    }

    /// How long a response may last.
    fn time(self) -> Option<Duration> {
        match self {
            Self::Check | Self::Watch => None,
            Self::Reflection => Some(REFLECTION_TIME),
        }
    }

    /// The place as long as the response lasts, of one that does not end by itself.
    fn keep(self, place: Place) -> Result<Option<Place>, Status> {
        match self {
            Self::Check => Ok(None),
            Self::Watch | Self::Reflection if place.stay() => Ok(Some(place)),
            Self::Watch | Self::Reflection => Err(too_many()),
        }
    }
}

fn too_many() -> Status {
    Status::resource_exhausted("too many of these at once")
}

fn stopping() -> Status {
    Status::unavailable("the server stops")
}

/// A service within its bounds.
#[derive(Clone, Debug)]
pub(super) struct Aside<S> {
    service: S,
    bounds: Bounds,
}

impl<S: NamedService> NamedService for Aside<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<Request<Body>> for Aside<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
    S: Clone + Send + 'static,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let Some(kind) = Kind::of(request.uri().path()) else {
            // tonic answers UNIMPLEMENTED.
            return Box::pin(self.service.call(request));
        };
        if metadata::is_too_much(request.headers()) {
            let status = Status::invalid_argument("metadata must come to at most 16 KiB");
            return Box::pin(async { Ok(status.into_http()) });
        }
        let served = self.bounds.clone().serve(kind, self.service.clone(), request);
        Box::pin(async { Ok(served.await.unwrap_or_else(Status::into_http)) })
    }
}

#[cfg(test)]
mod tests;
