//! A seam for simulations: statements that take long, fail, or fail after they were committed.

use std::fmt;
use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{Ledger, LedgerError, Result};
use crate::error::BoxError;

/// When trouble comes to a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Before it is made: if it fails here, it has no effect.
    Before,
    /// After it was made: if it fails here, it had its effect, and nobody knows.
    After,
}

/// What goes wrong with the statements of a ledger: awaited at each moment of each.
#[derive(Clone)]
pub struct Trouble(Arc<dyn Fn(Moment) -> BoxFuture<'static, Outcome> + Send + Sync>);

/// Whether a statement goes on.
type Outcome = std::result::Result<(), BoxError>;

impl Trouble {
    /// Trouble as this makes it.
    pub fn new(make: Arc<dyn Fn(Moment) -> BoxFuture<'static, Outcome> + Send + Sync>) -> Self {
        Self(make)
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Trouble")
    }
}

impl Ledger {
    /// The same ledger, with this trouble: for simulations.
    #[must_use]
    pub fn troubled_by(mut self, trouble: Trouble) -> Self {
        self.trouble = Some(trouble);
        self
    }

    pub(super) async fn meet(&self, moment: Moment) -> Result<()> {
        match &self.trouble {
            Some(Trouble(make)) => make(moment).await.map_err(LedgerError),
            None => Ok(()),
        }
    }
}
