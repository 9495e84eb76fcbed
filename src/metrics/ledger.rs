//! What is done with the ledger, how long it takes, and how often it fails.

use std::sync::Arc;

use prometheus::{Histogram, HistogramOpts, IntCounter, Registry};
use tokio::time::Instant;

use super::{counters, histograms, registered};

/// What is done with the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A refund is claimed.
    Claim,
    /// How it ended is recorded.
    Settle,
    /// Its row is moved to any other state.
    Move,
    /// A row is read.
    Read,
    /// Rows are taken that the resolver should look at.
    TakeDue,
    /// Refunds that need a person by their age are marked.
    CallPersons,
    /// What is in doubt is counted.
    Doubts,
    /// Old rows are emptied.
    Purge,
}

impl Work {
    const ALL: [Self; 8] = [
        Self::Claim,
        Self::Settle,
        Self::Move,
        Self::Read,
        Self::TakeDue,
        Self::CallPersons,
        Self::Doubts,
        Self::Purge,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Settle => "settle",
            Self::Move => "move",
            Self::Read => "read",
            Self::TakeDue => "take_due",
            Self::CallPersons => "call_persons",
            Self::Doubts => "doubts",
            Self::Purge => "purge",
        }
    }
}

/// Measures what is done with the ledger. The default measures nothing.
#[derive(Clone, Debug, Default)]
pub struct LedgerMetrics(Option<Arc<Families>>);

#[derive(Debug)]
struct Families {
    work: [Measured; Work::ALL.len()],
    contradictions: IntCounter,
}

#[derive(Debug)]
struct Measured {
    seconds: Histogram,
    errors: IntCounter,
}

impl LedgerMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let seconds = histograms(
            registry,
            HistogramOpts::new(
                "sunmi_ledger_operation_duration_seconds",
                "How long the refund ledger took, the wait for a connection included.",
            ),
            &["operation"],
        )?;
        let errors = ("sunmi_ledger_errors_total", "How often the refund ledger failed.");
        let errors = counters(registry, errors, &["operation"])?;
        let measured = Work::ALL.map(|work| Measured {
            seconds: seconds.with_label_values(&[work.name()]),
            errors: errors.with_label_values(&[work.name()]),
        });
        let contradictions = registered(
            registry,
            IntCounter::new(
                "sunmi_refund_contradictions_total",
                "How often Sunmi said of a refund what contradicts how it is settled.",
            )?,
        )?;
        Ok(Self(Some(Arc::new(Families { work: measured, contradictions }))))
    }

    /// Counts what contradicts how a refund is settled.
    pub fn contradiction(&self) {
        if let Self(Some(families)) = self {
            families.contradictions.inc();
        }
    }

    /// Does it, and measures it. What is given up half way is not measured.
    pub async fn measure<T, E>(
        &self,
        work: Work,
        doing: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let Some(families) = &self.0 else { return doing.await };
        let started = Instant::now();
        let done = doing.await;
        let measured = &families.work[work as usize];
        measured.seconds.observe(started.elapsed().as_secs_f64());
        if done.is_err() {
            measured.errors.inc();
        }
        done
    }
}

#[cfg(test)]
mod tests {
    use prometheus::TextEncoder;

    use super::*;

    #[tokio::test]
    async fn what_fails_is_counted_and_timed() {
        let registry = Registry::new();
        let metrics = LedgerMetrics::new(&registry).unwrap();
        for outcome in [Ok(()), Err("down"), Err("down")] {
            assert_eq!(metrics.measure(Work::Claim, async { outcome }).await, outcome);
        }
        let text = TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
        for line in [
            "sunmi_ledger_errors_total{operation=\"claim\"} 2",
            "sunmi_ledger_errors_total{operation=\"settle\"} 0",
            "sunmi_ledger_operation_duration_seconds_count{operation=\"claim\"} 3",
        ] {
            assert!(text.lines().any(|it| it == line), "{line}: {text}");
        }
    }
}
