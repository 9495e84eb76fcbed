//! What the ledger knows of a number, before Sunmi is asked anything.

use super::follow::with_words;
use super::{Begun, Refunds, reused, reused_as, unavailable};
use crate::error::{Error, Fault};
use crate::ledger::{Content, Key, Row, State};
use crate::trade::Refund;

/// What the ledger knows of a number.
pub(super) enum Recalled {
    /// It may be claimed: there is no row, or one that a caller was told not to have been applied
    /// before this call began.
    Free(Option<Box<Row>>),
    /// It was claimed with this content: only its row tells what became of it.
    Known(Box<Row>),
}

impl Refunds {
    /// What the ledger knows of the number.
    ///
    /// # Errors
    /// That the number stands for another content, or that it was not applied, which is told here.
    pub(super) async fn recall(&self, refund: &Refund, begun: &Begun) -> Result<Recalled, Error> {
        loop {
            let own = self.ledger.read(&Key::of(refund)).await.map_err(unavailable)?;
            let row = match own {
                None if refund.app_id_named => return Ok(Recalled::Free(None)),
                None => match self.elsewhere(refund, begun).await? {
                    None => return Ok(Recalled::Free(None)),
                    Some(row) => row,
                },
                // Once it was not applied, it may have been sent under another app_id since.
                Some(row) if !refund.app_id_named && was_not_applied(&row, refund) => {
                    self.elsewhere(refund, begun).await?.unwrap_or(row)
                }
                Some(row) => row,
            };
            match row.compare(refund) {
                Content::Same => {}
                Content::Differs(fields) => return Err(reused(fields)),
                Content::Forgotten => return Err(forgotten()),
            }
            if row.state != State::NotApplied {
                return Ok(Recalled::Known(Box::new(row)));
            }
            if row.told && begun.follows_what_was_told(&row) {
                return Ok(Recalled::Free(Some(Box::new(row))));
            }
            // A repeat asks before it acts: this one is told, and a later one may send.
            if self.tell(&row, begun).await.map_err(unavailable)? {
                return Err(with_words(Error::new(Fault::RefundNotApplied), &row));
            }
        }
    }

    /// The row of this number under another `app_id`, for a refund that names none: a server
    /// whose only credential was exchanged must not send it again. One that a caller was told
    /// not to have been applied is in nobody's way; nor is one of other content, where the number
    /// stands for this content under the refund's own `app_id`.
    async fn elsewhere(&self, refund: &Refund, begun: &Begun) -> Result<Option<Row>, Error> {
        let own = Key::of(refund);
        let rows = self.ledger.of_number(refund.order_id.as_str()).await.map_err(unavailable)?;
        let is_bound = rows.iter().any(|row| row.key == own);
        let mut differs = false;
        for row in rows.into_iter().filter(|row| row.key != own) {
            match row.compare(refund) {
                Content::Same
                    if row.state == State::NotApplied
                        && row.told
                        && begun.follows_what_was_told(&row) => {}
                Content::Same => return Ok(Some(row)),
                Content::Differs(_) if is_bound => {}
                Content::Differs(_) | Content::Forgotten => differs = true,
            }
        }
        let rule = "was another when this order_id was used for a refund with other content";
        if differs { Err(reused_as(vec!["app_id"], rule)) } else { Ok(None) }
    }
}

/// Whether this row is of this refund, which moved no money under it.
fn was_not_applied(row: &Row, refund: &Refund) -> bool {
    row.state == State::NotApplied && row.compare(refund) == Content::Same
}

fn forgotten() -> Error {
    Error::refund_outcome_unknown(
        "the refund of this number was emptied after its retention, and does not tell its content",
    )
}
