//! Why a call fails: one closed enum, [`Fault`], and one table, [`Fault::row`], that says
//! for each fault what the caller is told. `docs/errors.md` is the same table for
//! users. An [`Error`] is a fault with what is known of this one occurrence.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

mod fault;

pub use fault::{Again, Code, Fault, NextStep, OnRefund, RefundOutcome, Row};

/// The cause of an error, of whatever type.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// A field of the request, and the rule that it breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field in the request message; empty where it is not known.
    pub field: &'static str,
    /// The rule.
    pub rule: &'static str,
}

/// Sunmi's own words, as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SunmiWords {
    /// The result code.
    pub code: String,
    /// What it says about it.
    pub message: String,
}

/// How an answer that accepts a call is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepted {
    /// It has no result.
    WithoutData,
    /// Its result cannot be read, or its HTTP status contradicts it.
    Unusable,
}

/// What a caller may refund on one day in China, which a refund goes beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayBound {
    /// What logs call it.
    pub caller: String,
    /// The bound, in minor units.
    pub most: i64,
    /// What of it was left when the refund was refused, in minor units.
    pub left: i64,
    /// When the next day begins, by the ledger's clock; absent where no date tells.
    pub resets_at: Option<Timestamp>,
}

/// A call that failed.
#[derive(Debug)]
pub struct Error {
    fault: Fault,
    context: Box<Context>,
}

/// What is known of one occurrence of a fault.
#[derive(Debug, Default)]
pub struct Context {
    /// What Sunmi said, if it answered.
    pub sunmi: Option<SunmiWords>,
    /// The HTTP status that Sunmi answered, if not 200.
    pub http_status: Option<u16>,
    /// How many times Sunmi was called; absent where that is not known.
    pub attempts: Option<u32>,
    /// How long Sunmi asked to be left alone.
    pub retry_after: Option<Duration>,
    /// What is wrong with the request.
    pub violations: Vec<Violation>,
    /// Whether Sunmi said that it accepted the call, in an answer that is of no use.
    pub accepted: Option<Accepted>,
    /// The number of another refund that is in the way.
    pub open_order_id: Option<String>,
    /// What the caller may refund on one day, if the refund goes beyond that.
    pub day_bound: Option<DayBound>,
    /// What is known of the money, where that is not what the fault says.
    outcome: Option<RefundOutcome>,
    source: Option<BoxError>,
}

impl Error {
    /// An occurrence of which nothing more is known, before Sunmi was called.
    pub fn new(fault: Fault) -> Self {
        let context = Context { attempts: Some(0), ..Context::default() };
        Self { fault, context: Box::new(context) }
    }

    /// A refund that may have happened, of which nothing more is known.
    pub fn refund_outcome_unknown(because: impl Into<BoxError>) -> Self {
        Self::new(Fault::RefundOutcomeUnknown)
            .with(|context| context.attempts = None)
            .because(because)
    }

    /// A request that breaks these rules.
    pub fn invalid(violations: Vec<Violation>) -> Self {
        Self::new(Fault::RequestInvalid).with(|context| context.violations = violations)
    }

    /// The same, of a refund of which this call sent nothing: it says nothing of earlier ones.
    #[must_use]
    pub fn not_attempted(self) -> Self {
        self.with(|context| context.outcome = Some(RefundOutcome::NotAttempted))
    }

    /// The same, of a refund of which it is known that no money moved under its number.
    #[must_use]
    pub fn not_applied(self) -> Self {
        self.with(|context| context.outcome = Some(RefundOutcome::NotApplied))
    }

    /// What it says of the money when the call was a refund.
    pub fn refund_outcome(&self) -> RefundOutcome {
        self.context.outcome.unwrap_or_else(|| self.fault.refund_outcome())
    }

    /// Adds to what is known.
    #[must_use]
    pub fn with(mut self, add: impl FnOnce(&mut Context)) -> Self {
        add(&mut self.context);
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(self, source: impl Into<BoxError>) -> Self {
        self.with(|context| context.source = Some(source.into()))
    }

    /// The same occurrence, of which the caller is told only that the refund may have
    /// happened. What led there stays, as words and as cause.
    #[must_use]
    pub fn into_refund_outcome_unknown(self) -> Self {
        let context = Context {
            sunmi: self.context.sunmi.clone(),
            http_status: self.context.http_status,
            attempts: self.context.attempts,
            retry_after: self.context.retry_after,
            accepted: self.context.accepted,
            ..Context::default()
        };
        Self { fault: Fault::RefundOutcomeUnknown, context: Box::new(context) }.because(self)
    }

    /// What went wrong.
    pub fn fault(&self) -> Fault {
        self.fault
    }

    /// What is known of it.
    pub fn context(&self) -> &Context {
        &self.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.fault.row().message)
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.context.source.as_deref().map(|source| source as _)
    }
}

/// An error and its causes, on one line, for a log.
#[derive(Debug)]
pub struct Chain<'a>(pub &'a (dyn StdError + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(cause) = next {
            let text = cause.to_string();
            // Some errors say what their cause says, too.
            if !said.ends_with(&text) {
                write!(f, ": {text}")?;
            }
            said = text;
            next = cause.source();
        }
        Ok(())
    }
}
