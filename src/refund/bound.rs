//! What a caller may refund on one day in China: a call that is past it is refused before anything
//! is asked of Sunmi, if that is known by then, and by the claim, which decides.

use jiff::Timestamp;

use super::recall::Recalled;
use super::{Begun, Refunds, unavailable};
use crate::error::{DayBound, Error, Fault};
use crate::ledger::{Row, Spent};
use crate::trade::Refund;

impl Refunds {
    /// Checks that its caller may still refund so much today, so that nothing is looked for in
    /// vain. The row of the refund, if its number was claimed meanwhile.
    ///
    /// # Errors
    /// `CALLER_NOT_ALLOWED`.
    pub(super) async fn known_or_within_bound(
        &self,
        refund: &Refund,
        begun: &Begun,
    ) -> Result<Option<Box<Row>>, Error> {
        let Some((caller, most)) = refund.bounded() else { return Ok(None) };
        let spent = self.ledger.spent_today(caller).await.map_err(unavailable)?;
        if spent.leaves(refund.amount, most) {
            return Ok(None);
        }
        // What is spent may be this very refund, claimed by another process since it was recalled.
        match self.recall(refund, begun).await? {
            Recalled::Known(row) => Ok(Some(row)),
            Recalled::Free(_) => Err(beyond(refund, spent)),
        }
    }
}

/// A refund is more than what is left to its caller today.
pub(super) fn beyond(refund: &Refund, spent: Spent) -> Error {
    let error = Error::new(Fault::CallerNotAllowed);
    let Some((caller, most)) = refund.bounded() else { return error };
    let (left, resets_at) = (spent.left_of(most), Timestamp::from_millisecond(spent.until).ok());
    let until = resets_at.map_or_else(String::new, |time| format!(" until {time}"));
    let why = format!("caller {caller} has {left} of its day's {most} minor units left{until}");
    let bound = DayBound { caller: caller.to_owned(), most, left, resets_at };
    error.because(why).with(|context| context.day_bound = Some(bound))
}
