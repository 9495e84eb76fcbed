//! What a person asks of Sunmi about one refund, beside a server that goes on: nothing is judged
//! absent, and what is settled stays so.

use std::time::Duration;

use super::Refunds;
pub(crate) use super::judgement::seen::PaymentSeen;
pub(crate) use super::judgement::standing::Standing;
use super::judgement::standing::{self, Recorded};
use super::resolve::{answered_names, refund_of};
use crate::deadline::Deadline;
use crate::error::BoxError;
use crate::ledger::Row;
use crate::trade::Evidence;

/// So long a person waits for an answer of Sunmi's at most.
const PATIENCE: Duration = Duration::from_secs(20);

impl Refunds {
    /// What there is of the payment of this refund now.
    ///
    /// # Errors
    /// If that cannot be read, or the row has been emptied.
    pub(crate) async fn payment_now(&self, row: &Row) -> Result<PaymentSeen, BoxError> {
        let refund = refund_of(row)?;
        Ok(self.look_at_payment(&refund, self.a_persons_patience()).await?)
    }

    /// Whether a settled refund still stands at Sunmi. That it does not is an error in the log and
    /// kept in the row, which stays settled as it is.
    ///
    /// # Errors
    /// If Sunmi cannot be asked, or the ledger cannot be written; if the row has been emptied.
    pub(crate) async fn verify(&self, row: &Row) -> Result<Standing, BoxError> {
        let refund = refund_of(row)?;
        let deadline = self.a_persons_patience();
        let (number, _) = self.look_at_number(&refund, deadline).await?;
        let mut names = Vec::new();
        for name in answered_names(row) {
            names.push(self.look_at_name(&refund, name, deadline).await?.0);
        }
        let by_query = row.answer.as_ref().is_some_and(|it| it.evidence == Evidence::Query);
        let recorded = Recorded { succeeded: row.has_succeeded(), by_query };
        let standing = standing::judge(recorded, number, &names);
        if let Standing::Differs(why) = standing {
            self.ledger.dispute(&row.key, why).await?;
        }
        Ok(standing)
    }

    fn a_persons_patience(&self) -> Deadline {
        Deadline::after(self.rules.ceiling.min(PATIENCE))
    }
}
