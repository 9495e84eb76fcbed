//! Finds out what became of a refund that may have happened, with two witnesses: the refund
//! by its number, and the payment by its total.

use super::evidence::{Found, judge_found, total_is_known};
use super::{Claimed, Refunds};
use crate::deadline::Deadline;
use crate::error::{BoxError, Chain, Fault};
use crate::ledger::{Row, State};
use crate::telemetry::shown;
use crate::trade::{Identifier, OrderRef, Query, Refund, Refunded, Trade};

/// What was found, by its number, of a refund that was refused.
pub(super) enum Look {
    /// It is finished.
    Settled(Refunded),
    /// It is accepted and not finished.
    Processing(Refunded),
    NotFound,
    /// Nothing that proves anything.
    NoAnswer,
}

impl Refunds {
    /// Looks for a refund that was refused.
    pub(super) async fn look(&self, claimed: &Claimed) -> Look {
        let Claimed { refund, epoch, ceiling, .. } = claimed;
        match self.client.query(&by_number(refund), *ceiling).await {
            Ok(found) => match judge_found(refund.amount, *epoch, found.value) {
                Found::Settled(refunded) => Look::Settled(refunded),
                Found::Processing(refunded) => Look::Processing(refunded),
                Found::Nothing(_) => Look::NoAnswer,
            },
            Err(error) if error.fault() == Fault::OrderNotFound => Look::NotFound,
            Err(_) => Look::NoAnswer,
        }
    }

    /// Looks once, and records what is proved. What is not proved stays as it is, for the
    /// reason that comes back.
    pub(super) async fn resolve(&self, row: &Row) -> Option<BoxError> {
        let why = self.try_resolve(row).await.err()?;
        let refund = shown(row.key.order_id.as_str());
        tracing::debug!(refund = refund.as_deref(), why = %Chain(why.as_ref()), "not resolved yet");
        Some(why)
    }

    async fn try_resolve(&self, row: &Row) -> Result<(), BoxError> {
        let refund = refund_of(row)?;
        let deadline = Deadline::after(self.times.ceiling);
        // A claim may yet be executed until the window is over, so before that its absence
        // proves nothing. What is known of the payment is read first: a refund that settles
        // meanwhile makes the total larger than what is known, never smaller.
        let window = self.times.settle_window;
        let known = match row.state == State::InDoubt && row.is_past(window) {
            true => Some(self.ledger.refunded(row).await?),
            false => None,
        };
        match self.client.query(&by_number(&refund), deadline).await {
            Ok(found) => self.record(row, &refund, found.value).await,
            Err(error) if error.fault() == Fault::OrderNotFound => match known {
                Some(known) => self.judge_absent(row, &refund, known, deadline).await,
                None => Err("not found by its number; it may yet be executed".into()),
            },
            Err(error) => Err(error.into()),
        }
    }

    async fn record(&self, row: &Row, refund: &Refund, found: Trade) -> Result<(), BoxError> {
        match judge_found(refund.amount, row.epoch, found) {
            Found::Settled(refunded) => {
                self.ledger.settle(refund, row.epoch, &refunded).await?;
                Ok(())
            }
            Found::Processing(refunded) => {
                if row.state != State::Processing {
                    self.ledger.processing(&row.key, row.epoch, &refunded).await?;
                }
                Ok(())
            }
            Found::Nothing(why) => Err(why.into()),
        }
    }

    /// The refund is not found by its number, which the document does not promise. The
    /// payment is the second witness.
    async fn judge_absent(
        &self,
        row: &Row,
        refund: &Refund,
        known: i64,
        deadline: Deadline,
    ) -> Result<(), BoxError> {
        let query = Query {
            app_id: refund.app_id.clone(),
            msn: refund.msn.clone(),
            order: refund.original.clone(),
        };
        let original = self.client.query(&query, deadline).await?.value;
        if !total_is_known(&original, known) {
            return Err("the payment's total is not what is known to be refunded of it".into());
        }
        match self.ledger.judge_not_applied(row, self.times.settle_window).await? {
            true => Ok(()),
            false => Err("another refund of the payment is too recent to judge".into()),
        }
    }
}

fn by_number(refund: &Refund) -> Query {
    Query {
        app_id: refund.app_id.clone(),
        msn: refund.msn.clone(),
        order: OrderRef::OrderId(refund.order_id.clone()),
    }
}

/// The refund that a row is of.
fn refund_of(row: &Row) -> Result<Refund, &'static str> {
    let identifier = |text: &str| Identifier::parse(text.to_owned());
    let refund = (|| {
        Some(Refund {
            app_id: row.key.app_id.clone(),
            msn: identifier(&row.msn)?,
            amount: row.amount?,
            original: row.original.clone(),
            order_id: row.key.order_id.clone(),
            business_id: identifier(&row.business_id)?,
            caller: None,
        })
    })();
    refund.ok_or("the row has been emptied")
}
