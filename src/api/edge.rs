//! What happens to every call of the trade service before and after its method: its
//! deadline and id are fixed, a panic is caught, and one line is logged.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Code, Request, Response, Status};
use tower::Service;
use uuid::Uuid;

use super::commit::{Answer, commit};
use super::status::status;
use crate::deadline::{Deadline, Limits, parse_grpc_timeout};
use crate::error::{Chain, Error, Fault, Violation};
use crate::refund::Begun;
use crate::sunmi::Answered;
use crate::trade::Operation;

/// tonic arms a timer of its own from `grpc-timeout`, which answers CANCELLED and drops the
/// method. It must never fire before ours, which is this much later than the deadline that
/// the method goes by.
const GRACE: Duration = Duration::from_millis(20);

/// What is known of a call from its headers.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) deadline: Deadline,
    /// Whether a refund may have been sent.
    pub(super) begun: Begun,
    operation: Operation,
    request_id: String,
    started: Instant,
}

impl Call {
    /// The call that this request is part of, as its method.
    pub(super) fn of<T>(request: &Request<T>, operation: Operation) -> Result<Self, Status> {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .ok_or_else(|| status(&Error::new(Fault::Internal), operation, ""))
    }

    fn open(operation: Operation, request_id: String, granted: Duration) -> Self {
        Self {
            deadline: Deadline::after(granted),
            begun: Begun::default(),
            operation,
            request_id,
            started: Instant::now(),
        }
    }

    /// The reply or the status, logged.
    pub(super) fn answer<T>(
        &self,
        answer: Result<Answered<T>, Error>,
    ) -> Result<Response<T>, Status> {
        match answer {
            Ok(answer) => {
                let attempts = answer.attempts;
                tracing::info!(
                    rpc = self.operation.name(),
                    code = "OK",
                    attempts,
                    duration_ms = self.elapsed_ms(),
                    request_id = self.request_id,
                );
                Ok(Response::new(answer.value))
            }
            Err(error) => Err(self.refuse(&error)),
        }
    }

    fn refuse(&self, error: &Error) -> Status {
        let (row, context) = (error.fault().row(), error.context());
        tracing::info!(
            rpc = self.operation.name(),
            code = row.code.name(),
            reason = row.reason,
            sunmi_code = context.sunmi.as_ref().map(|words| words.code.as_str()),
            attempts = context.attempts,
            duration_ms = self.elapsed_ms(),
            request_id = self.request_id,
            error = %Chain(error),
        );
        status(error, self.operation, &self.request_id)
    }

    /// The status of a call that its method did not answer.
    fn unanswered(&self, error: Error) -> Status {
        let error = error.with(|context| context.attempts = None);
        match self.begun.get() {
            true => self.refuse(&error.into_refund_outcome_unknown()),
            false => self.refuse(&error),
        }
    }

    /// The response, unless it refuses a request that tonic could not read: that status is
    /// tonic's own and lacks the details that every error has. That a compression is not
    /// known is left as it is, because clients look for UNIMPLEMENTED.
    fn detailed(&self, response: HttpResponse<Body>) -> HttpResponse<Body> {
        match Status::from_header_map(response.headers()) {
            Some(bare) if bare.details().is_empty() && bare.code() != Code::Unimplemented => {
                let rule = "must be a readable request message of at most 64 KiB";
                let error = Error::invalid(vec![Violation { field: "", rule }]).because(bare);
                self.unanswered(error).into_http()
            }
            Some(_) | None => response,
        }
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// The trade service behind its edge.
#[derive(Clone, Debug)]
pub struct Edge<S> {
    service: S,
    limits: Limits,
}

impl<S> Edge<S> {
    pub(super) fn new(service: S, limits: Limits) -> Self {
        Self { service, limits }
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
        let Some(operation) = operation(request.uri().path()) else {
            // tonic answers UNIMPLEMENTED.
            return Box::pin(self.service.call(request));
        };
        let answer = self.answer(request, operation);
        match operation {
            Operation::Refund if !cfg!(feature = "unguarded-headers") => {
                Box::pin(async { Ok(commit(answer)) })
            }
            Operation::Refund | Operation::Query | Operation::SwipeQuery => answer,
        }
    }
}

impl<S> Edge<S>
where
    S: Service<HttpRequest<Body>, Response = HttpResponse<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    /// What the method answers, in time, or what is said in its place.
    fn answer(&mut self, mut request: HttpRequest<Body>, operation: Operation) -> Answer {
        let request_id = request_id(request.headers());
        let granted = timeout(request.headers()).map(|asked| self.limits.grant(asked));
        let open = granted.as_ref().copied().unwrap_or_default();
        let call = Call::open(operation, request_id, open);
        let refused = match granted {
            Err(violation) => Some(Error::invalid(vec![violation])),
            Ok(Duration::ZERO) => Some(Error::new(Fault::DeadlineExceeded)),
            Ok(_) => None,
        };
        if let Some(error) = refused {
            return Box::pin(async move { Ok(call.refuse(&error).into_http()) });
        }
        request.extensions_mut().insert(call.clone());
        let method = AssertUnwindSafe(self.service.call(request)).catch_unwind();
        Box::pin(async move {
            let until = Deadline::after(call.deadline.left() + GRACE);
            match until.bound(method).await {
                Some(Ok(response)) => response.map(|response| call.detailed(response)),
                Some(Err(_panic)) => Ok(call.unanswered(Error::new(Fault::Internal)).into_http()),
                None => Ok(call.unanswered(Error::new(Fault::DeadlineExceeded)).into_http()),
            }
        })
    }
}

fn operation(path: &str) -> Option<Operation> {
    let (_, method) = path.rsplit_once('/')?;
    [Operation::Query, Operation::Refund, Operation::SwipeQuery]
        .into_iter()
        .find(|operation| operation.name() == method)
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

/// The caller's id of the call, if it has one that can be shown, else a new one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get("x-request-id")
        .and_then(|value| value.to_str().ok())
        .filter(|id| (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic()))
        .map_or_else(|| Uuid::new_v4().to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower::ServiceExt;

    use super::*;
    use crate::api::pb;

    /// A method that panics, before or after a refund may have been sent.
    async fn panic(
        request: HttpRequest<Body>,
        begun: bool,
    ) -> Result<HttpResponse<Body>, Infallible> {
        if begun {
            request.extensions().get::<Call>().expect("the edge's call").begun.set();
        }
        panic!("a fault of the method")
    }

    async fn panicking(method: &str, begun: bool) -> Status {
        let service = tower::service_fn(move |request| panic(request, begun));
        let second = Duration::from_secs(1);
        let limits = Limits { default: second, max: second, reserve: Duration::ZERO };
        let request = HttpRequest::post(format!("/sunmi.trade.v1.TradeService/{method}"));
        let request = request.body(Body::empty()).expect("a request");
        let Ok(response) = Edge::new(service, limits).oneshot(request).await;
        let headers = response.headers().clone();
        let trailers = response.into_body().collect().await.expect("a body").trailers().cloned();
        // A Refund's headers are sent before its status is known.
        let status = if method == "Refund" { trailers.expect("trailers") } else { headers };
        Status::from_header_map(&status).expect("a status")
    }

    fn details(status: &Status) -> (Code, pb::TradeError) {
        use prost::Message;
        let details = tonic_types::pb::Status::decode(status.details()).expect("details");
        let error = pb::TradeError::decode(details.details[0].value.as_slice());
        (status.code(), error.expect("a TradeError"))
    }

    #[tokio::test]
    async fn a_panic_is_internal_and_nothing_was_attempted_before_a_refund_has_begun() {
        for (method, outcome) in [
            ("Query", pb::RefundOutcome::Unspecified),
            ("SwipeQuery", pb::RefundOutcome::Unspecified),
            ("Refund", pb::RefundOutcome::NotAttempted),
        ] {
            let (code, error) = details(&panicking(method, false).await);
            assert_eq!((code, error.reason()), (Code::Internal, pb::ErrorReason::Internal));
            assert_eq!(error.refund_outcome(), outcome, "{method}");
        }
    }

    #[tokio::test]
    async fn a_panic_after_a_refund_has_begun_leaves_it_in_doubt() {
        let (code, error) = details(&panicking("Refund", true).await);
        let reason = pb::ErrorReason::RefundOutcomeUnknown;
        assert_eq!((code, error.reason()), (Code::Unknown, reason));
        assert_eq!(error.refund_outcome(), pb::RefundOutcome::Unknown);
    }
}
