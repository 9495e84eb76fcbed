//! The spans of a trace, by OpenTelemetry's conventions for RPC and HTTP: one for a call, and
//! one below it for each attempt at Sunmi. They hold no identifier and no secret. While
//! tracing is off there are none, and all that is known is the caller's trace.

use std::future::Future;
use std::sync::OnceLock;
use std::time::SystemTime;

use http::HeaderMap;
use opentelemetry::propagation::{Extractor, TextMapPropagator};
use opentelemetry::trace::{
    FutureExt, Span as _, SpanBuilder, SpanContext, SpanId, SpanKind, Status, TraceContextExt,
    TraceId,
};
use opentelemetry::{Context, KeyValue};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::{SdkTracer, Span};
use url::Url;

use crate::clock;

/// The conventions of v1.39 to v1.44 call it so; later ones `rpc.status_code`.
const STATUS_CODE: &str = "rpc.response.status_code";

/// The codes that are this server's failure, by the conventions.
const FAILURES: [&str; 6] =
    ["UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"];

/// What makes spans, once tracing is on.
static TRACER: OnceLock<SdkTracer> = OnceLock::new();

/// Spans are made from here on.
pub(super) fn start(tracer: SdkTracer) {
    // A second call, as in tests, leaves the first one's in place.
    let _ = TRACER.set(tracer);
}

/// The place of a call in its caller's trace, with the span of the call if tracing is on.
/// Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Trace(Context);

impl Trace {
    /// Begins the span of a call of this method, below what the caller's `traceparent` names.
    pub fn of_call(method: &'static str, headers: &HeaderMap) -> Self {
        let parent = TraceContextPropagator::new()
            .extract_with_context(&Context::new(), &TraceHeaders(headers));
        let Some(tracer) = TRACER.get() else {
            return Self(parent);
        };
        let span = SpanBuilder::from_name(method)
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("rpc.system.name", "grpc"),
                KeyValue::new("rpc.method", method),
            ])
            .start_with_context(tracer, &parent);
        Self(parent.with_span(span))
    }

    /// The one that the running task works in.
    pub fn current() -> Self {
        Self(Context::current())
    }

    /// Does this work in it: attempts that are made are below it.
    pub fn hold<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work.with_context(self.0.clone())
    }

    /// The trace, whether tracing is on or only the caller named one.
    pub fn trace_id(&self) -> Option<TraceId> {
        self.known().map(|span| span.trace_id())
    }

    /// The call's own span.
    pub fn span_id(&self) -> Option<SpanId> {
        self.known().filter(|span| !span.is_remote()).map(|span| span.span_id())
    }

    fn known(&self) -> Option<SpanContext> {
        Some(self.0.span().span_context().clone()).filter(SpanContext::is_valid)
    }

    /// Ends the span of the call, which was answered with this code.
    pub fn end(&self, code: &'static str) {
        let span = self.0.span();
        if !span.is_recording() {
            return;
        }
        span.set_attribute(KeyValue::new(STATUS_CODE, code));
        if FAILURES.contains(&code) {
            span.set_attribute(KeyValue::new("error.type", code));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

/// Where attempts go.
#[derive(Clone, Debug)]
pub struct Destination {
    address: String,
    port: i64,
}

impl From<&Url> for Destination {
    fn from(url: &Url) -> Self {
        Self {
            address: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default().unwrap_or_default().into(),
        }
    }
}

/// The span of one attempt. One that is dropped was given up.
#[derive(Debug)]
pub struct Attempt(Option<Span>);

impl Attempt {
    /// Begins one, in the trace that the running task works in. `resend` counts from 0.
    pub fn begin(path: &'static str, to: &Destination, resend: u32) -> Self {
        Self::begin_at(clock::now(), path, to, resend)
    }

    /// The same for one that began at this time.
    pub fn begin_at(since: SystemTime, path: &'static str, to: &Destination, resend: u32) -> Self {
        let span = TRACER.get().map(|tracer| {
            let mut attributes = vec![
                KeyValue::new("http.request.method", "POST"),
                KeyValue::new("url.template", path),
                KeyValue::new("server.address", to.address.clone()),
                KeyValue::new("server.port", to.port),
            ];
            if resend > 0 {
                attributes.push(KeyValue::new("http.request.resend_count", i64::from(resend)));
            }
            SpanBuilder::from_name(format!("POST {path}"))
                .with_kind(SpanKind::Client)
                .with_start_time(since)
                .with_attributes(attributes)
                .start_with_context(tracer, &Context::current())
        });
        Self(span)
    }

    /// Ends it with an HTTP status, or with the reason why there is none.
    pub fn end(mut self, seen: Result<u16, &'static str>) {
        self.finish(seen);
    }

    fn finish(&mut self, seen: Result<u16, &'static str>) {
        let Some(mut span) = self.0.take() else { return };
        if let Ok(status) = seen {
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
        }
        let failure = match seen {
            Ok(status) if status < 400 => None,
            Ok(status) => Some(status.to_string()),
            Err(reason) => Some(reason.to_owned()),
        };
        if let Some(failure) = failure {
            span.set_attribute(KeyValue::new("error.type", failure));
            span.set_status(Status::error(""));
        }
        span.end();
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.finish(Err("given_up"));
    }
}

/// Headers, as the propagator reads them.
struct TraceHeaders<'a>(&'a HeaderMap);

impl Extractor for TraceHeaders<'_> {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().ok()
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}
