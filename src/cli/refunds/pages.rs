//! All refunds that fit a filter, one after another, with a few of them in memory at a time.

use crate::error::BoxError;
use crate::ledger::{ClaimedAt, Filter, Row, Snapshot};

/// So many rows are read at once. What Sunmi answered is kept with them, and may be long.
const AT_ONCE: i64 = 200;

/// Does it with each that fits, the most recently claimed first, up to so many.
///
/// # Errors
/// That the ledger cannot be read, or what it could not do.
pub(super) async fn each(
    ledger: &mut Snapshot,
    filter: &Filter,
    limit: i64,
    mut with: impl FnMut(Row) -> Result<(), BoxError>,
) -> Result<(), BoxError> {
    let (mut after, mut left) = (None, limit);
    while left > 0 {
        let asked = left.min(AT_ONCE);
        let rows = ledger.search(filter, after.as_ref(), asked).await?;
        let Some(last) = rows.last() else { break };
        let full = i64::try_from(rows.len()).is_ok_and(|found| found == asked);
        after = Some(ClaimedAt::of(last));
        for row in rows {
            with(row)?;
        }
        if !full {
            break;
        }
        left -= asked;
    }
    Ok(())
}
