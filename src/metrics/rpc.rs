//! Calls of this server's own services, under the names that go-grpc-middleware gave them and that
//! dashboards and alerts for gRPC look for.

use std::time::Duration;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Registry};

use super::{counters, histograms};
use crate::trade::Method;

/// What stands for a service or method that is not there.
const UNKNOWN: &str = "unknown";

/// The codes by their numbers: their canonical names, and Go's, which are the label's values.
const CODES: [(&str, &str); 17] = [
    ("OK", "OK"),
    ("CANCELLED", "Canceled"),
    ("UNKNOWN", "Unknown"),
    ("INVALID_ARGUMENT", "InvalidArgument"),
    ("DEADLINE_EXCEEDED", "DeadlineExceeded"),
    ("NOT_FOUND", "NotFound"),
    ("ALREADY_EXISTS", "AlreadyExists"),
    ("PERMISSION_DENIED", "PermissionDenied"),
    ("RESOURCE_EXHAUSTED", "ResourceExhausted"),
    ("FAILED_PRECONDITION", "FailedPrecondition"),
    ("ABORTED", "Aborted"),
    ("OUT_OF_RANGE", "OutOfRange"),
    ("UNIMPLEMENTED", "Unimplemented"),
    ("INTERNAL", "Internal"),
    ("UNAVAILABLE", "Unavailable"),
    ("DATA_LOSS", "DataLoss"),
    ("UNAUTHENTICATED", "Unauthenticated"),
];

/// The number of the code with this canonical name; of any other, that of `UNKNOWN`.
pub fn number(name: &str) -> usize {
    CODES.iter().position(|(canonical, _)| *canonical == name).unwrap_or(2)
}

/// The calls, by their methods.
#[derive(Debug)]
pub struct RpcMetrics {
    methods: [Rpc; Method::ALL.len()],
    unknown: Rpc,
}

/// The calls of one method.
#[derive(Debug)]
pub struct Rpc {
    started: IntCounter,
    /// By the numbers of their codes.
    handled: [IntCounter; CODES.len()],
    seconds: Histogram,
    received: IntCounter,
    sent: IntCounter,
}

/// The families.
struct Families {
    started: IntCounterVec,
    handled: IntCounterVec,
    seconds: HistogramVec,
    received: IntCounterVec,
    sent: IntCounterVec,
}

impl RpcMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let of_method = ["grpc_type", "grpc_service", "grpc_method"];
        let counters = |name, help, labels: &[&str]| counters(registry, (name, help), labels);
        let with_code = ["grpc_type", "grpc_service", "grpc_method", "grpc_code"];
        let families = Families {
            started: counters("grpc_server_started_total", "Calls that began.", &of_method)?,
            handled: counters(
                "grpc_server_handled_total",
                "Calls that ended, by the code that their caller was told.",
                &with_code,
            )?,
            seconds: histograms(
                registry,
                HistogramOpts::new(
                    "grpc_server_handling_seconds",
                    "How long calls took, from their headers to their status.",
                ),
                &of_method,
            )?,
            received: counters(
                "grpc_server_msg_received_total",
                "Requests that were read.",
                &of_method,
            )?,
            sent: counters("grpc_server_msg_sent_total", "Replies that were given.", &of_method)?,
        };
        Ok(Self {
            methods: Method::ALL
                .map(|method| families.of(kind(method), method.service(), method.name())),
            unknown: families.of("unary", UNKNOWN, UNKNOWN),
        })
    }

    pub(super) fn of(&self, method: Method) -> &Rpc {
        &self.methods[method as usize]
    }

    pub(super) fn unknown(&self) -> &Rpc {
        &self.unknown
    }
}

/// The kind of a method, as the label's value says it.
fn kind(method: Method) -> &'static str {
    if method.is_stream() { "server_stream" } else { "unary" }
}

impl Families {
    fn of(&self, kind: &str, service: &str, method: &str) -> Rpc {
        let labels = [kind, service, method];
        let handled = |(_, code): (&str, &str)| {
            self.handled.with_label_values(&[kind, service, method, code])
        };
        Rpc {
            started: self.started.with_label_values(&labels),
            handled: CODES.map(handled),
            seconds: self.seconds.with_label_values(&labels),
            received: self.received.with_label_values(&labels),
            sent: self.sent.with_label_values(&labels),
        }
    }
}

impl Rpc {
    /// A call begins.
    pub fn start(&self) {
        self.started.inc();
    }

    /// Its request was read.
    pub fn receive(&self) {
        self.received.inc();
    }

    /// It has a reply.
    pub fn send(&self) {
        self.sent.inc();
    }

    /// It ended with the code of this [`number`] after so long.
    pub fn finish(&self, code: usize, took: Duration) {
        self.handled.get(code).unwrap_or(&self.handled[2]).inc();
        self.seconds.observe(took.as_secs_f64());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Fault;

    #[test]
    fn every_code_that_is_answered_has_a_number_of_its_own() {
        for fault in Fault::ALL {
            let name = fault.row().code.name();
            assert_eq!(CODES[number(name)].0, name);
        }
        assert_eq!((number("OK"), number("CANCELLED"), number("UNIMPLEMENTED")), (0, 1, 12));
    }
}
