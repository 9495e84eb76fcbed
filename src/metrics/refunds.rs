//! How refunds end, and those that have not ended.

use prometheus::{IntCounter, IntGauge, Registry};

use super::{counters, registered};
use crate::error::RefundOutcome;
use crate::ledger::Doubts;
use crate::trade::{Refunded, TradeState};

/// How a Refund call was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "docs/metrics.md says what each is")]
pub enum Outcome {
    Succeeded,
    Failed,
    Processing,
    Replayed,
    NotApplied,
    NotAttempted,
    Unknown,
}

impl Outcome {
    const ALL: [Self; 7] = [
        Self::Succeeded,
        Self::Failed,
        Self::Processing,
        Self::Replayed,
        Self::NotApplied,
        Self::NotAttempted,
        Self::Unknown,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Processing => "processing",
            Self::Replayed => "replayed",
            Self::NotApplied => "not_applied",
            Self::NotAttempted => "not_attempted",
            Self::Unknown => "unknown",
        }
    }

    /// Of a call that had this reply.
    pub fn of(refunded: &Refunded) -> Self {
        if refunded.replayed {
            return Self::Replayed;
        }
        match refunded.trade.state {
            Some(TradeState::Succeeded) => Self::Succeeded,
            Some(TradeState::Failed) => Self::Failed,
            Some(
                TradeState::Created
                | TradeState::Unpaid
                | TradeState::Processing
                | TradeState::Ended,
            )
            | None => Self::Processing,
        }
    }
}

impl From<RefundOutcome> for Outcome {
    /// Of a call that failed.
    fn from(outcome: RefundOutcome) -> Self {
        match outcome {
            RefundOutcome::NotApplied => Self::NotApplied,
            RefundOutcome::NotAttempted => Self::NotAttempted,
            RefundOutcome::Unknown => Self::Unknown,
        }
    }
}

/// Refunds, by how they ended or that they did not.
#[derive(Debug)]
pub struct RefundMetrics {
    outcomes: [IntCounter; Outcome::ALL.len()],
    in_doubt: IntGauge,
    processing: IntGauge,
    oldest_seconds: IntGauge,
}

impl RefundMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let gauge = |name, help| registered(registry, IntGauge::new(name, help)?);
        let outcomes = counters(
            registry,
            ("sunmi_refund_total", "Refund calls by how they were answered."),
            &["outcome"],
        )?;
        Ok(Self {
            outcomes: Outcome::ALL.map(|it| outcomes.with_label_values(&[it.name()])),
            in_doubt: gauge(
                "sunmi_refund_unknown_outcome",
                "Refunds that may have happened, now in the ledger.",
            )?,
            processing: gauge(
                "sunmi_refund_processing",
                "Refunds that Sunmi accepted and has not finished, now in the ledger.",
            )?,
            oldest_seconds: gauge(
                "sunmi_refund_unresolved_oldest_age_seconds",
                "How long ago the oldest refund of both kinds was claimed.",
            )?,
        })
    }

    /// Counts the answer to a Refund call.
    pub fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].inc();
    }

    pub(super) fn set(&self, doubts: Doubts) {
        self.in_doubt.set(doubts.in_doubt);
        self.processing.set(doubts.processing);
        self.oldest_seconds.set(i64::try_from(doubts.oldest.as_secs()).unwrap_or(i64::MAX));
    }
}
