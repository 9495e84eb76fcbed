//! What a person is shown of all refunds.

use super::Refunds;
use crate::ledger::{LedgerError, Row, State};
use crate::metrics::Doubts;
use crate::trade::AppIds;

/// All refunds at a glance.
#[derive(Clone, Debug)]
pub struct Overview {
    /// How many there are in each state; see [`count_by_state`](crate::ledger::Ledger::count_by_state).
    pub states: Vec<(State, i64)>,
    /// How many are open, need a person, or are contradicted.
    pub doubts: Doubts,
    /// Those that need a person, the oldest first.
    pub persons: Vec<Row>,
    /// Those that Sunmi contradicts, the oldest first.
    pub disputed: Vec<Row>,
}

impl Refunds {
    /// All refunds at a glance, with so many at most of those that need a person, and of those
    /// that are contradicted.
    ///
    /// # Errors
    /// If the ledger cannot be read.
    pub async fn overview(&self, limit: i64) -> Result<Overview, LedgerError> {
        Ok(Overview {
            states: self.ledger.count_by_state().await?,
            doubts: self.doubts().await?,
            persons: self.ledger.needing_persons(self.rules.patience(), limit).await?,
            disputed: self.ledger.disputed(limit).await?,
        })
    }

    /// As whom this server can sign now.
    pub(crate) fn app_ids(&self) -> AppIds {
        self.client.app_ids()
    }
}
