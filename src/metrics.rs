//! Metrics in the OpenMetrics text format, in a registry of each server's own.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::error::{Error, RefundOutcome};
use crate::ledger::Doubts;
use crate::reload::{Counts, Kind};
use crate::trade::{Refunded, TradeState};

/// The media type of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How a Refund call was answered.
const OUTCOMES: [&str; 7] =
    ["succeeded", "failed", "processing", "replayed", "not_applied", "not_attempted", "unknown"];

/// What a server counts and measures.
pub struct Metrics {
    registry: Registry,
    refunds: Family<[(&'static str, &'static str); 1], Counter>,
    in_doubt: Gauge,
    processing: Gauge,
    oldest_seconds: Gauge,
    reloads: Arc<Counts>,
    reload: Family<[(&'static str, &'static str); 2], Counter>,
    stale: Family<[(&'static str, &'static str); 1], Gauge>,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            registry: Registry::default(),
            refunds: Family::default(),
            in_doubt: Gauge::default(),
            processing: Gauge::default(),
            oldest_seconds: Gauge::default(),
            reloads: Arc::default(),
            reload: Family::default(),
            stale: Family::default(),
        };
        metrics.registered()
    }
}

impl Metrics {
    fn registered(mut self) -> Self {
        let registry = &mut self.registry;
        registry.register(
            "sunmi_refund",
            "Refund calls by how they were answered",
            self.refunds.clone(),
        );
        registry.register(
            "sunmi_refund_unknown_outcome",
            "Refunds that may have happened, now in the ledger",
            self.in_doubt.clone(),
        );
        registry.register(
            "sunmi_refund_processing",
            "Refunds that Sunmi accepted and has not finished, now in the ledger",
            self.processing.clone(),
        );
        registry.register(
            "sunmi_refund_unresolved_oldest_age_seconds",
            "How long ago the oldest refund of both kinds was claimed",
            self.oldest_seconds.clone(),
        );
        registry.register(
            "sunmi_reload",
            "Files that changed, by whether what they hold now is in force",
            self.reload.clone(),
        );
        registry.register(
            "sunmi_reload_stale",
            "Whether what some files hold now is not in force",
            self.stale.clone(),
        );
        for outcome in OUTCOMES {
            // A series that is there from the start can be watched for its first change.
            drop(self.refunds.get_or_create(&[("outcome", outcome)]));
        }
        self
    }

    /// Counts the answer to a Refund call.
    pub fn count_refund(&self, answer: Result<&Refunded, &Error>) {
        let outcome = match answer {
            Ok(refunded) if refunded.replayed => "replayed",
            Ok(refunded) => match refunded.trade.state {
                Some(TradeState::Succeeded) => "succeeded",
                Some(TradeState::Failed) => "failed",
                Some(
                    TradeState::Created
                    | TradeState::Unpaid
                    | TradeState::Processing
                    | TradeState::Ended,
                )
                | None => "processing",
            },
            Err(error) => match error.fault().refund_outcome() {
                RefundOutcome::NotApplied => "not_applied",
                RefundOutcome::NotAttempted => "not_attempted",
                RefundOutcome::Unknown => "unknown",
            },
        };
        self.refunds.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// Where reloads are counted.
    pub fn reloads(&self) -> Arc<Counts> {
        Arc::clone(&self.reloads)
    }

    fn measure_reloads(&self) {
        for kind in Kind::ALL {
            let results = [("ok", self.reloads.loaded(kind)), ("error", self.reloads.failed(kind))];
            for (result, count) in results {
                let counter =
                    self.reload.get_or_create(&[("kind", kind.name()), ("result", result)]);
                counter.inner().store(count, Ordering::Relaxed);
            }
            let stale = self.stale.get_or_create(&[("kind", kind.name())]);
            stale.set(self.reloads.stale(kind).into());
        }
    }

    /// All of them, with these doubts.
    pub fn encode(&self, doubts: Doubts) -> String {
        self.in_doubt.set(doubts.in_doubt);
        self.processing.set(doubts.processing);
        self.oldest_seconds.set(i64::try_from(doubts.oldest.as_secs()).unwrap_or(i64::MAX));
        self.measure_reloads();
        let mut text = String::new();
        // Writing into a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}
