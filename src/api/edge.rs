//! What happens to every call of this server's own services before and after its method: the
//! [`gate`](super::gate) lets it in or not, its deadline is kept, a panic is caught, and it is
//! seen to its end.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http::header::CONTENT_TYPE;
use http::{
    HeaderValue, Method as HttpMethod, Request as HttpRequest, Response as HttpResponse, StatusCode,
};
use tonic::body::Body;
use tonic::server::NamedService;
use tower::Service;

use self::streamed::Streamed;
use super::call::Call;
use super::commit::{Answer, commit};
use super::gate::Gate;
use crate::deadline::Deadline;
use crate::error::{Error, Fault};
use crate::trade::Method;

/// tonic arms a timer of its own from `grpc-timeout`, which answers CANCELLED and drops the
/// method. It must never fire before ours, which is this much later than the deadline that
/// the method goes by.
const GRACE: Duration = Duration::from_millis(20);

/// A service behind its edge.
#[derive(Clone, Debug)]
pub struct Edge<S> {
    service: S,
    gate: Gate,
}

impl<S> Edge<S> {
    pub(super) fn new(service: S, gate: Gate) -> Self {
        Self { service, gate }
    }
}

impl<S: NamedService> NamedService for Edge<S> {
    const NAME: &'static str = S::NAME;
}

impl<S> Service<HttpRequest<Body>> for Edge<S>
where
    S: Service<HttpRequest<Body>, Response = HttpResponse<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Answer;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, request: HttpRequest<Body>) -> Self::Future {
        let Some(method) = Method::of_path(request.uri().path()) else {
            // tonic answers UNIMPLEMENTED.
            return Box::pin(self.service.call(request));
        };
        if !is_grpc(&request) {
            return Box::pin(async { Ok(no_grpc()) });
        }
        let answer = self.answer(request, method);
        match method {
            Method::Refund if !cfg!(feature = "unguarded-headers") => {
                Box::pin(async { Ok(commit(answer)) })
            }
            Method::Refund
            | Method::Query
            | Method::SwipeQuery
            | Method::GetRefund
            | Method::ListRefunds
            | Method::WatchRefunds => answer,
        }
    }
}

impl<S> Edge<S>
where
    S: Service<HttpRequest<Body>, Response = HttpResponse<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// What the method answers, in time, or what is said in its place.
    fn answer(&mut self, mut request: HttpRequest<Body>, method: Method) -> Answer {
        let (call, admitted) = self.gate.open(&request, method);
        if let Err(error) = admitted {
            let watch = Watch(call);
            return Box::pin(async move { Ok(watch.0.refuse(&error).into_http()) });
        }
        request.extensions_mut().insert(call.clone());
        let work = call.trace().hold(self.service.call(request));
        let work = AssertUnwindSafe(work).catch_unwind();
        let (gate, watch) = (self.gate.clone(), Watch(call));
        Box::pin(async move {
            let call = &watch.0;
            let mut work = pin!(work);
            let until = Deadline::after(call.deadline().left() + GRACE);
            // Most requests are here together with their headers.
            let at_once = tokio::select! {
                biased;
                answer = &mut work => Some(answer),
                () = std::future::ready(()) => None,
            };
            let answer = match at_once {
                None if call.was_read() => until.bound(work).await,
                None => awaited(&gate, call, work, until).await,
                answer => answer,
            };
            let response = match answer {
                Some(Ok(Ok(response))) => call.detailed(response),
                Some(Err(_panic)) => call.unanswered(Error::new(Fault::Internal)).into_http(),
                None => call.unanswered(Error::new(Fault::DeadlineExceeded)).into_http(),
            };
            Ok(match method.is_stream() {
                true => response.map(|body| Body::new(Streamed::new(body, watch))),
                false => response,
            })
        })
    }
}

/// What a method comes to whose request is not here yet. That is waited for only briefly, and
/// gives way to those that came later: requests that never end could hold any amount of memory.
async fn awaited<F: Future>(
    gate: &Gate,
    call: &Call,
    mut method: Pin<&mut F>,
    until: Deadline,
) -> Option<F::Output> {
    let here_until = Deadline::after(gate.message_timeout()).min(until);
    let place = here_until.bound(gate.awaited()).await.flatten()?;
    let answer = tokio::select! {
        biased;
        answer = here_until.bound(&mut method) => answer,
        () = place.must_go() => None,
    };
    drop(place);
    match answer {
        None if call.was_read() => until.bound(method).await,
        answer => answer,
    }
}

/// Sees a call to its end, whether it is answered or its caller gives it up; a stream, to the
/// end of that.
struct Watch(Call);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Whether a request is one of gRPC. tonic takes others as well, which a web page could have a
/// browser send.
fn is_grpc(request: &HttpRequest<Body>) -> bool {
    let content = request.headers().get(CONTENT_TYPE).map(HeaderValue::as_bytes);
    let is_grpc = content
        .and_then(|it| it.strip_prefix(b"application/grpc"))
        .is_some_and(|rest| rest.is_empty() || matches!(rest[0], b'+' | b';'));
    is_grpc && request.method() == HttpMethod::POST
}

/// What gRPC over HTTP/2 wants such a request answered with.
fn no_grpc() -> HttpResponse<Body> {
    let mut response = HttpResponse::new(Body::empty());
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response
}

mod streamed;

#[cfg(test)]
mod tests;
