//! Metrics in Prometheus' text format, in a registry of each server's own. `docs/metrics.md`
//! lists them all.
//!
//! Every value of a label is known beforehand: nothing that callers or Sunmi send becomes
//! one. So the series are there from the start, at zero, and the handles to them are looked
//! up once.
//!
//! Those who are measured know this module; it knows none of them.

use std::fmt;

use prometheus::core::Collector;
use prometheus::{
    HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::error::BoxError;
use crate::trade::Method;

mod ledger;
mod process;
mod pulled;
mod refunds;
mod rpc;
mod upstream;

pub use ledger::{LedgerMetrics, Work};
pub use pulled::{Pulled, Sample, Type};
pub use refunds::{Doubts, Outcome, RefundMetrics};
pub use rpc::{Rpc, RpcMetrics, number};
pub use upstream::{Attempt, Upstream, UpstreamMetrics};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The upper bounds of all histograms, in seconds: the usual ones, and up to the longest
/// deadline.
const BUCKETS: [f64; 13] =
    [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0];

/// What a server counts and measures.
pub struct Metrics {
    registry: Registry,
    rpcs: RpcMetrics,
    refunds: RefundMetrics,
    upstream: UpstreamMetrics,
    ledger: LedgerMetrics,
}

impl Metrics {
    /// Those of a server that calls this Sunmi.
    ///
    /// # Errors
    /// None in practice: that two families have one name, or a name is none.
    pub fn new(upstream: &Upstream<'_>) -> Result<Self, BoxError> {
        let registry = Registry::new();
        process::register(&registry)?;
        Ok(Self {
            rpcs: RpcMetrics::new(&registry)?,
            refunds: RefundMetrics::new(&registry)?,
            upstream: UpstreamMetrics::new(&registry, upstream)?,
            ledger: LedgerMetrics::new(&registry)?,
            registry,
        })
    }

    /// The calls of this method.
    pub fn rpc(&self, method: Method) -> &Rpc {
        self.rpcs.of(method)
    }

    /// The calls of methods that are not there.
    pub fn unknown_rpc(&self) -> &Rpc {
        self.rpcs.unknown()
    }

    /// The answers to Refund calls.
    pub fn refunds(&self) -> &RefundMetrics {
        &self.refunds
    }

    /// The calls to Sunmi.
    pub fn upstream(&self) -> UpstreamMetrics {
        self.upstream.clone()
    }

    /// What is done with the ledger.
    pub fn ledger(&self) -> LedgerMetrics {
        self.ledger.clone()
    }

    /// Adds a family whose values are read when they are asked for.
    ///
    /// # Errors
    /// That a family of this name is there.
    pub fn pull(&self, family: Pulled) -> Result<(), BoxError> {
        Ok(self.registry.register(Box::new(family))?)
    }

    /// All of them, with these doubts, or without if they are not known.
    ///
    /// # Errors
    /// None in practice: that a family has no name.
    pub fn encode(&self, doubts: Option<Doubts>) -> Result<String, BoxError> {
        self.refunds.set(doubts);
        Ok(TextEncoder::new().encode_to_string(&self.registry.gather())?)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

/// A family that is in the registry now.
fn registered<F: Collector + Clone + 'static>(
    registry: &Registry,
    family: F,
) -> prometheus::Result<F> {
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

fn counters(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: &[&str],
) -> prometheus::Result<IntCounterVec> {
    registered(registry, IntCounterVec::new(Opts::new(name, help), labels)?)
}

fn gauges(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: &[&str],
) -> prometheus::Result<IntGaugeVec> {
    registered(registry, IntGaugeVec::new(Opts::new(name, help), labels)?)
}

fn histograms(
    registry: &Registry,
    opts: HistogramOpts,
    labels: &[&str],
) -> prometheus::Result<HistogramVec> {
    registered(registry, HistogramVec::new(opts.buckets(BUCKETS.to_vec()), labels)?)
}
