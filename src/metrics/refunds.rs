//! How refunds end, and those that have not ended.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus::{IntCounter, Registry};

use super::{Pulled, Type, counters};
use crate::error::RefundOutcome;
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

/// How much is in doubt, and since when.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Doubts {
    /// Refunds in doubt, those whose lease ran out included.
    pub in_doubt: i64,
    /// Refunds that Sunmi has not finished.
    pub processing: i64,
    /// How long ago the oldest of both was claimed.
    pub oldest: Duration,
    /// Of both, those that only a person can settle.
    pub persons: i64,
    /// Refunds of which Sunmi said what contradicts how they are settled.
    pub disputed: i64,
}

/// Refunds, by how they ended or that they did not.
#[derive(Debug)]
pub struct RefundMetrics {
    outcomes: [IntCounter; Outcome::ALL.len()],
    /// As the ledger has them now, or `None` if it cannot be read.
    doubts: Arc<Mutex<Option<Doubts>>>,
}

impl RefundMetrics {
    pub(super) fn new(registry: &Registry) -> prometheus::Result<Self> {
        let doubts = Arc::new(Mutex::new(None));
        for (name, help, of) in DOUBTS {
            let doubts = Arc::clone(&doubts);
            let read = move || known(&doubts).map(|doubts| ([], of(doubts))).into_iter().collect();
            registry.register(Box::new(Pulled::new(Type::Gauge, (name, help), [], read)?))?;
        }
        let up = ("sunmi_ledger_up", "Whether the ledger could be read for this page.");
        let ledger = Arc::clone(&doubts);
        let read = move || vec![([], f64::from(u8::from(known(&ledger).is_some())))];
        registry.register(Box::new(Pulled::new(Type::Gauge, up, [], read)?))?;
        let outcomes = counters(
            registry,
            ("sunmi_refund_total", "Refund calls by how they were answered."),
            &["outcome"],
        )?;
        Ok(Self {
            outcomes: Outcome::ALL.map(|it| outcomes.with_label_values(&[it.name()])),
            doubts,
        })
    }

    /// Counts the answer to a Refund call.
    pub fn count(&self, outcome: Outcome) {
        self.outcomes[outcome as usize].inc();
    }

    pub(super) fn set(&self, doubts: Option<Doubts>) {
        *self.doubts.lock().unwrap_or_else(PoisonError::into_inner) = doubts;
    }
}

/// A family: its name, its help and its value.
type Doubt = (&'static str, &'static str, fn(Doubts) -> f64);

/// What is not shown where it is not known: a number that is stale would be believed.
const DOUBTS: [Doubt; 5] = [
    (
        "sunmi_refund_unknown_outcome",
        "Refunds that may have happened, now in the ledger.",
        |doubts| doubts.in_doubt as f64,
    ),
    (
        "sunmi_refund_processing",
        "Refunds that Sunmi accepted and has not finished, now in the ledger.",
        |doubts| doubts.processing as f64,
    ),
    (
        "sunmi_refund_unresolved_oldest_age_seconds",
        "How long ago the oldest refund of both kinds was claimed.",
        |doubts| doubts.oldest.as_secs() as f64,
    ),
    (
        "sunmi_refund_needs_person",
        "Refunds whose outcome neither this server nor Sunmi can tell, now in the ledger.",
        |doubts| doubts.persons as f64,
    ),
    (
        "sunmi_refund_disputed",
        "Refunds of which Sunmi said what contradicts how they are settled, now in the ledger.",
        |doubts| doubts.disputed as f64,
    ),
];

fn known(doubts: &Mutex<Option<Doubts>>) -> Option<Doubts> {
    *doubts.lock().unwrap_or_else(PoisonError::into_inner)
}
