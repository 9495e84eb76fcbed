//! Calls to Sunmi: how long each attempt took, over HTTP, and what Sunmi said.

use std::sync::Arc;

use prometheus::{Histogram, HistogramOpts, HistogramVec, IntCounter, IntGauge, Registry};
use tokio::time::Instant;
use url::Url;

use super::{counters, gauges, histograms, registered};
use crate::trade::Operation;

/// What an attempt that brought no result code comes to. Of the last two, how long such
/// attempts took is in the series of their HTTP status.
const WITHOUT_CODE: [&str; 6] =
    ["not_sent", "interrupted", "timeout", "given_up", "unreadable", "http_error"];

/// Those of them that had no HTTP status either.
const WITHOUT_STATUS: [&str; 4] = ["not_sent", "interrupted", "timeout", "given_up"];

/// What is to be known of Sunmi to measure it.
#[derive(Clone, Debug)]
pub struct Upstream<'a> {
    /// Where it is.
    pub address: &'a Url,
    /// Where calls of a kind go there.
    pub path: fn(Operation) -> &'static str,
    /// What its result codes are counted as; the last is for all that are not listed.
    pub codes: Vec<&'static str>,
}

/// Measures calls to Sunmi. The default measures nothing.
#[derive(Clone, Debug, Default)]
pub struct UpstreamMetrics(Option<Arc<Families>>);

#[derive(Debug)]
struct Families {
    calls: [Calls; Operation::ALL.len()],
    seconds: HistogramVec,
    no_budget: IntCounter,
}

/// The calls of one kind.
#[derive(Debug)]
struct Calls {
    path: &'static str,
    in_flight: IntGauge,
    retries: IntCounter,
    /// By what Sunmi said, or what there was instead.
    responses: Vec<(&'static str, IntCounter)>,
    /// With status 200.
    ok: Histogram,
    /// As in [`WITHOUT_STATUS`].
    failed: [Histogram; WITHOUT_STATUS.len()],
}

impl UpstreamMetrics {
    pub(super) fn new(registry: &Registry, upstream: &Upstream<'_>) -> prometheus::Result<Self> {
        let counters = |name, help, labels: &[&str]| counters(registry, (name, help), labels);
        let responses = counters(
            "sunmi_upstream_responses_total",
            "Attempts by Sunmi's result code, or by what there was instead.",
            &["operation", "code"],
        )?;
        let retries = counters(
            "sunmi_upstream_retries_total",
            "Attempts after the first one of a call.",
            &["operation"],
        )?;
        let in_flight = ("sunmi_inflight", "Attempts that Sunmi has not answered yet.");
        let in_flight = gauges(registry, in_flight, &["operation"])?;
        let seconds = histograms(
            registry,
            seconds_of(upstream.address),
            &["http_request_method", "url_template", "http_response_status_code", "error_type"],
        )?;
        let no_budget = IntCounter::new(
            "sunmi_upstream_retry_budget_exhausted_total",
            "Attempts that were not made because too many calls were tried again.",
        )?;
        let calls = Operation::ALL.map(|operation| {
            let (path, name) = ((upstream.path)(operation), operation.name());
            let known = WITHOUT_CODE.iter().chain(&upstream.codes).copied();
            Calls {
                path,
                in_flight: in_flight.with_label_values(&[name]),
                retries: retries.with_label_values(&[name]),
                responses: known
                    .map(|code| (code, responses.with_label_values(&[name, code])))
                    .collect(),
                ok: seconds.with_label_values(&["POST", path, "200", ""]),
                failed: WITHOUT_STATUS
                    .map(|error| seconds.with_label_values(&["POST", path, "", error])),
            }
        });
        let no_budget = registered(registry, no_budget)?;
        Ok(Self(Some(Arc::new(Families { calls, seconds, no_budget }))))
    }

    /// An attempt begins.
    pub fn attempt(&self, operation: Operation) -> Attempt {
        let families = self.0.clone();
        if let Some(families) = &families {
            families.of(operation).in_flight.inc();
        }
        Attempt { families, operation, started: Instant::now(), end: End::GivenUp }
    }

    /// A call is tried again.
    pub fn retry(&self, operation: Operation) {
        if let Some(families) = &self.0 {
            families.of(operation).retries.inc();
        }
    }

    /// A call is not tried again, because too many were.
    pub fn no_budget(&self) {
        if let Some(families) = &self.0 {
            families.no_budget.inc();
        }
    }
}

/// The address is the same for all series, so that it costs nothing.
fn seconds_of(address: &Url) -> HistogramOpts {
    let port = address.port_or_known_default().unwrap_or_default().to_string();
    HistogramOpts::new(
        "http_client_request_duration_seconds",
        "How long attempts to call Sunmi took, to the end of the reply.",
    )
    .const_label("server_address", address.host_str().unwrap_or_default())
    .const_label("server_port", port)
}

/// An attempt under way. Dropped before it had an end, it was given up.
#[derive(Debug)]
pub struct Attempt {
    families: Option<Arc<Families>>,
    operation: Operation,
    started: Instant,
    end: End,
}

#[derive(Debug)]
enum End {
    Answered {
        status: u16,
        code: &'static str,
    },
    Failed(&'static str),
    GivenUp,
    /// There was nothing to count.
    None,
}

impl Attempt {
    /// There was a reply with this HTTP status, which says this.
    pub fn answered(mut self, status: u16, code: &'static str) {
        self.end = End::Answered { status, code };
    }

    /// There was none, for this reason.
    pub fn failed(mut self, error: &'static str) {
        self.end = End::Failed(error);
    }

    /// It was no attempt: only a connection was made, and nothing sent on it yet.
    pub fn is_none(mut self) {
        self.end = End::None;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        let Some(families) = &self.families else { return };
        let (calls, took) = (families.of(self.operation), self.started.elapsed().as_secs_f64());
        calls.in_flight.dec();
        match self.end {
            End::Answered { status, code } => {
                calls.count(code);
                families.observe(calls, status, took);
            }
            End::Failed(error) => calls.fail(error, took),
            End::GivenUp => calls.fail("given_up", took),
            End::None => {}
        }
    }
}

impl Families {
    fn of(&self, operation: Operation) -> &Calls {
        &self.calls[operation as usize]
    }

    fn observe(&self, calls: &Calls, status: u16, took: f64) {
        match status {
            200 => calls.ok.observe(took),
            status => {
                let status = (100..600).contains(&status).then(|| status.to_string());
                let labels = ["POST", calls.path, status.as_deref().unwrap_or_default(), ""];
                self.seconds.with_label_values(&labels).observe(took);
            }
        }
    }
}

impl Calls {
    fn count(&self, code: &str) {
        let counter = self.responses.iter().find(|(known, _)| *known == code);
        // The last is for the others.
        if let Some((_, counter)) = counter.or(self.responses.last()) {
            counter.inc();
        }
    }

    fn fail(&self, error: &str, took: f64) {
        self.count(error);
        if let Some(at) = WITHOUT_STATUS.iter().position(|known| *known == error) {
            self.failed[at].observe(took);
        }
    }
}
