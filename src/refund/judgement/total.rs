//! Whether a payment's total shows that a refund is not in it.

use super::seen::{Course, NumberSeen, PaymentFacts, PaymentSeen};
use crate::ledger::{Baseline, PaymentThen};
use crate::trade::PaymentNames;

/// What the payment's total says of a refund.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Total {
    /// Nobody asked.
    NotAsked,
    /// The amount is not in it.
    Excludes,
    /// The payment could not be found before the send, and cannot be found now.
    PaymentUnfindable,
    /// It says nothing, for this reason.
    Silent(&'static str),
}

/// Another refund of the payment, as the ledger has it after the total was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Other {
    pub(crate) app_id: String,
    pub(crate) order_id: String,
    pub(crate) epoch: i64,
    /// Absent once its row was emptied.
    pub(crate) amount: Option<i64>,
    /// Whether it was claimed after the claim of the refund in question.
    pub(crate) claimed_after: bool,
    /// Whether it is surely of this payment: its names may only be like this one's.
    pub(crate) surely: bool,
    /// Whether it succeeded.
    pub(crate) succeeded: bool,
    /// Whether it did so by a person's word alone.
    pub(crate) by_person: bool,
    /// Whether it had been at rest for the lag when the total was read, by both clocks.
    pub(crate) at_rest: bool,
}

/// Whether the total, by the ledger's sums, leaves no room for `amount`.
///
/// With `T` the total now, `B` the baseline's total, or, if more, what the ledger knew as
/// refunded when some of that was recent; `L` the other refunds, surely of this payment and claimed
/// since, which succeeded by Sunmi's word and have been at rest for the lag; `D` the other refunds that were open at the
/// baseline and have not succeeded in that claim: it does if `B - D <= T < B + L + amount - D`.
///
/// A total below `B - D` shows that something was returned, which could hide this refund.
pub(crate) fn weigh(
    (then, known): (&PaymentThen, &PaymentNames),
    now: &PaymentSeen,
    others: &[Other],
    amount: i64,
) -> Total {
    match (then, now) {
        (PaymentThen::Found(base), PaymentSeen::Found(now)) if now.state != base.state => {
            Total::Silent("the payment's state is not what it was before the send")
        }
        (PaymentThen::Found(base), PaymentSeen::Found(now)) if !is_it(base, known, now) => {
            Total::Silent("what is found of the payment now is not what was found before the send")
        }
        (PaymentThen::Found(base), PaymentSeen::Found(now)) => match now.total {
            Some(total) => weigh_sums(base, total, others, amount),
            None => Total::Silent("Sunmi gives no total of the payment"),
        },
        (PaymentThen::Found(_), PaymentSeen::NotFound | PaymentSeen::NotShown) => {
            Total::Silent("the payment was found before the send, and is not found now")
        }
        (PaymentThen::NotFound | PaymentThen::NotShown, PaymentSeen::NotFound) => {
            Total::PaymentUnfindable
        }
        (PaymentThen::NotFound | PaymentThen::NotShown, PaymentSeen::NotShown) => {
            Total::PaymentUnfindable
        }
        (PaymentThen::NotLooked, _) => {
            Total::Silent("nobody looked at the payment before the send")
        }
        (PaymentThen::NotFound | PaymentThen::NotShown, PaymentSeen::Found(_)) => {
            Total::Silent("the payment was not found before the send")
        }
    }
}

/// Whether what is found now is the payment of the baseline: its amount is what it was, no name
/// differs from what is known, and where any name is known one is there.
fn is_it(base: &Baseline, known: &PaymentNames, now: &PaymentFacts) -> bool {
    let pairs = [
        (&known.platform_id, &now.names.platform_id),
        (&known.order_id, &now.names.order_id),
        (&known.mis_id, &now.names.mis_id),
    ];
    let differs = pairs.iter().any(|(known, now)| {
        known.as_ref().zip(now.as_ref()).is_some_and(|(known, now)| known != now)
    });
    let named = pairs.iter().any(|(known, now)| known.is_some() && now.is_some());
    let nameless = pairs.iter().all(|(known, _)| known.is_none());
    base.amount == now.amount && !differs && (named || nameless)
}

fn weigh_sums(base: &Baseline, total: i64, others: &[Other], amount: i64) -> Total {
    let since = || others.iter().filter(|other| other.claimed_after);
    if since().any(|other| other.amount.is_none()) {
        return Total::Silent("the amount of another refund of the payment is not known any more");
    }
    let counted =
        |other: &&Other| other.surely && other.succeeded && !other.by_person && other.at_rest;
    let since: i128 =
        since().filter(counted).filter_map(|other| other.amount).map(i128::from).sum();
    let succeeded = |then: &crate::ledger::OpenThen| {
        others.iter().any(|other| {
            (&other.app_id, &other.order_id, other.epoch)
                == (&then.app_id, &then.order_id, then.epoch)
                && other.succeeded
                && !other.by_person
        })
    };
    let dropped = base.open.iter().filter(|then| !succeeded(then));
    let dropped: i128 = dropped.map(|then| i128::from(then.amount)).sum();
    let least = i128::from(base.total.max(base.floor)) - dropped;
    let total = i128::from(total);
    if total < least {
        Total::Silent("the payment's total shrank: something was returned")
    } else if total < least + since + i128::from(amount) {
        Total::Excludes
    } else {
        Total::Silent("the payment's total grew by enough to hold this refund")
    }
}

/// Whether another refund that succeeded still stands, as far as Sunmi finds it by its number: one
/// that was returned would make the total smaller, and so hide this refund. `None` is a look that
/// could not be read.
pub(crate) fn still_stands(seen: Option<NumberSeen>) -> bool {
    match seen {
        Some(
            NumberSeen::Absent | NumberSeen::Unanswered | NumberSeen::Refund(Course::Succeeded),
        ) => true,
        Some(NumberSeen::Refund(Course::UnderWay | Course::Failed | Course::Odd))
        | Some(NumberSeen::Unclear | NumberSeen::Other)
        | None => false,
    }
}

#[cfg(test)]
mod tests;
