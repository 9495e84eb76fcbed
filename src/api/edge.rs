//! What happens to every call of the trade service before and after its method: its
//! deadline and id are fixed, a panic is caught, and one line is logged.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http::{HeaderMap, Request as HttpRequest, Response as HttpResponse};
use tokio::time::Instant;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::{Request, Response, Status};
use tower::Service;
use uuid::Uuid;

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

    /// The status of a call that its method was not given, or did not answer.
    fn unanswered(&self, fault: Fault) -> Status {
        let error = Error::new(fault).with(|context| context.attempts = None);
        match self.begun.get() {
            true => self.refuse(&error.into_refund_outcome_unknown()),
            false => self.refuse(&error),
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
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.service.poll_ready(context)
    }

    fn call(&mut self, mut request: HttpRequest<Body>) -> Self::Future {
        let Some(operation) = operation(request.uri().path()) else {
            // tonic answers UNIMPLEMENTED.
            return Box::pin(self.service.call(request));
        };
        let request_id = request_id(request.headers());
        let (call, open) = match timeout(request.headers()) {
            Ok(asked) => {
                let granted = self.limits.grant(asked);
                let call = Call::open(operation, request_id, granted);
                (call, !granted.is_zero())
            }
            Err(violation) => {
                let call = Call::open(operation, request_id, Duration::ZERO);
                let status = call.refuse(&Error::invalid(vec![violation]));
                return Box::pin(async { Ok(status.into_http()) });
            }
        };
        if !open {
            let status = call.unanswered(Fault::DeadlineExceeded);
            return Box::pin(async { Ok(status.into_http()) });
        }
        request.extensions_mut().insert(call.clone());
        let method = AssertUnwindSafe(self.service.call(request)).catch_unwind();
        Box::pin(async move {
            let until = Deadline::after(call.deadline.left() + GRACE);
            match until.bound(method).await {
                Some(Ok(response)) => response,
                Some(Err(_panic)) => Ok(call.unanswered(Fault::Internal).into_http()),
                None => Ok(call.unanswered(Fault::DeadlineExceeded).into_http()),
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
