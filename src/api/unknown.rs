//! Counts the calls of what is not there: they pass no edge. Whatever their paths, they are
//! one method, so that nobody makes metrics grow by asking for nonsense. Health and
//! reflection are left out of the metrics.

use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::future::{BoxFuture, Either};
use http::{Request as HttpRequest, Response as HttpResponse};
use tokio::time::Instant;
use tonic::{Code, Status};
use tower::{Layer, Service};

use crate::metrics::Metrics;
use crate::trade::Method;

/// Where health and reflection are, whether they are served or not.
const LEFT_OUT: [&str; 2] = ["/grpc.health.", "/grpc.reflection."];

/// Has the calls counted that nothing serves.
#[derive(Clone, Debug)]
pub struct CountUnknown(Arc<Metrics>);

impl CountUnknown {
    /// Counted there.
    pub fn new(metrics: Arc<Metrics>) -> Self {
        Self(metrics)
    }
}

impl<S> Layer<S> for CountUnknown {
    type Service = Counting<S>;

    fn layer(&self, service: S) -> Self::Service {
        Counting { service, metrics: Arc::clone(&self.0) }
    }
}

/// All services, with the calls counted that none of them serves.
#[derive(Clone, Debug)]
pub struct Counting<S> {
    service: S,
    metrics: Arc<Metrics>,
}

impl<S, B, R> Service<HttpRequest<B>> for Counting<S>
where
    S: Service<HttpRequest<B>, Response = HttpResponse<R>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Either<S::Future, BoxFuture<'static, Result<S::Response, S::Error>>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<B>) -> Self::Future {
        let path = request.uri().path();
        let served =
            Method::of_path(path).is_some() || LEFT_OUT.iter().any(|it| path.starts_with(it));
        let answer = self.service.call(request);
        if served {
            return Either::Left(answer);
        }
        let metrics = Arc::clone(&self.metrics);
        Either::Right(Box::pin(async move {
            let (rpc, started) = (metrics.unknown_rpc(), Instant::now());
            rpc.start();
            let answer = answer.await;
            rpc.finish(code(&answer) as usize, started.elapsed());
            answer
        }))
    }
}

/// The code of an answer, which has no body.
fn code<R, E>(answer: &Result<HttpResponse<R>, E>) -> Code {
    let answer = answer.as_ref().ok();
    let status = answer.and_then(|answer| Status::from_header_map(answer.headers()));
    status.map_or(Code::Unknown, |status| status.code())
}
