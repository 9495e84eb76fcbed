//! A row of the ledger, and what it keeps of the evidence.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Key, State, millis};
use crate::trade::{Evidence, Note, OrderRef, Payment, PaymentNames, Refund, Refunded, TradeState};

/// A row of the ledger, as it was at [`Row::now`]. Times are milliseconds by the ledger's clock.
#[derive(Clone, Debug)]
pub struct Row {
    /// Whose refund.
    pub key: Key,
    /// The merchant's device; empty once retention has emptied the row.
    pub msn: String,
    /// How much, in minor units; absent once retention has emptied the row.
    pub amount: Option<i64>,
    /// The payment, by the name that the request gave.
    pub original: OrderRef,
    /// The shop's business number; empty once retention has emptied the row.
    pub business_id: String,
    /// The SHA-256 of the content; absent in a row of the first edition.
    pub content_hash: Option<String>,
    /// Where it is.
    pub state: State,
    /// Which claim it is of, from 1.
    pub epoch: i64,
    /// Where this claim stands among the claims of its payment.
    pub claim_order: i64,
    /// Raised with every change of the row but looks.
    pub change: i64,
    /// Until when its owner may send.
    pub lease_until: i64,
    /// Whether a caller was told that it was not applied.
    pub told: bool,
    /// What is known of the number and the payment.
    pub evidence: Known,
    /// What Sunmi last said of it, and why it is in doubt.
    pub doubt: Option<Doubt>,
    /// Whether only a person can settle it.
    pub person: bool,
    /// What Sunmi said that contradicts how it is settled.
    pub disputed: Option<String>,
    /// When settled, how.
    pub outcome: Option<TradeState>,
    /// The recorded answer.
    pub answer: Option<Refunded>,
    /// When it was claimed.
    pub claimed_at: i64,
    /// When its state last changed.
    pub changed_at: i64,
    /// How often the resolver has looked at it.
    pub looks: i64,
    /// Who decided it, or an earlier claim of it, if a person did, and why.
    pub decided: Option<Decision>,
    /// Who asked for it, as far as that is known; absent once retention has emptied the row.
    pub caller: Option<String>,
    /// Who of the caller's people wanted it, and why; absent once retention has emptied the row.
    pub note: Note,
    /// When the row was read.
    pub now: i64,
}

/// For how long a refund may be open before only a person can settle it.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// The settle window: in doubt for twice as long, counted from the end of the lease.
    pub window: Duration,
    /// In processing for as long, counted from the claim.
    pub processing: Duration,
}

/// What the looks before a send, and Sunmi's answers since, tell of a number and its payment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// Whether the number was not there before its first send. It stays so for ever.
    pub free: bool,
    /// Whether the number was not there before this claim's send.
    pub absent: bool,
    /// Whether Sunmi ever accepted a refund under the number.
    pub accepted: bool,
    /// What the look at the payment showed before this claim's send.
    pub payment: PaymentThen,
    /// The names of the payment that it found.
    pub names: PaymentNames,
}

/// What the look at the payment showed before a claim's send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PaymentThen {
    /// Nobody looked.
    #[default]
    NotLooked,
    /// There was no such payment.
    NotFound,
    /// Sunmi answered another code, or something that is no payment.
    NotShown,
    /// There it was.
    Found(Baseline),
}

/// A payment as it was before a claim's send. Amounts are in minor units.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The total refunded of it, as Sunmi had it; 0 where Sunmi gave none.
    pub total: i64,
    /// At least so much was refunded of it: what the ledger knew, if some of that was so recent
    /// that Sunmi's total may not have shown it yet; else 0.
    pub floor: i64,
    /// What the ledger knew as refunded of it.
    pub refunded: i64,
    /// Its state.
    pub state: TradeState,
    /// Its amount.
    pub amount: Option<i64>,
    /// Its other refunds whose outcome was open.
    pub open: Vec<OpenThen>,
}

/// Another refund of a payment that was open at a baseline.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OpenThen {
    /// Who signed it.
    pub app_id: String,
    /// Its number.
    pub order_id: String,
    /// Which claim of it.
    pub epoch: i64,
    /// Its amount, in minor units.
    pub amount: i64,
}

/// Why a refund is in doubt or was refused, and what Sunmi last said of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Doubt {
    /// Why, in words.
    pub why: String,
    /// The result code that Sunmi answered.
    pub code: Option<String>,
    /// What it said about it, cut.
    pub message: Option<String>,
    /// The HTTP status, if not 200.
    pub http_status: Option<u16>,
    /// An answer that is believed once looks bear it out.
    pub pending: Option<Pending>,
}

/// An answer that is believed once looks bear it out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pending {
    /// A refusal of the trade.
    Refusal {
        /// The reason, as the contract names it.
        reason: String,
        /// Whether the looks before the send show that it had to come.
        explained: bool,
    },
    /// That the refund failed; the row has the answer.
    Failure,
}

/// What a person decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Who.
    pub by: String,
    /// Why.
    pub reason: String,
}

impl Row {
    /// Whether its owner may no longer send.
    pub fn lease_is_over(&self) -> bool {
        self.lease_until <= self.now
    }

    /// When so much time has passed since its owner could last send.
    pub fn window_until(&self, window: Duration) -> i64 {
        self.lease_until.saturating_add(millis(window))
    }

    /// Whether so much time has passed since its owner could last send.
    pub fn is_past(&self, window: Duration) -> bool {
        self.window_until(window) <= self.now
    }

    /// How long ago its owner could last send; nothing where that is to come.
    pub fn since_lease(&self) -> Duration {
        let passed = self.now.saturating_sub(self.lease_until);
        Duration::from_millis(u64::try_from(passed).unwrap_or_default())
    }

    /// Whether it was claimed so long ago.
    pub fn claimed_before(&self, time: Duration) -> bool {
        self.claimed_at.saturating_add(millis(time)) <= self.now
    }

    /// Whether its state has not changed for so long.
    pub fn rested_before(&self, time: Duration) -> bool {
        self.changed_at.saturating_add(millis(time)) <= self.now
    }

    /// Whether there is an outcome to be found out.
    pub fn is_open(&self) -> bool {
        matches!(self.state, State::InDoubt | State::Processing)
    }

    /// Whether only a person can settle it: what the resolver says so of, and what no process has
    /// lived long enough to say it of. `reads::needs_person` is the same rule
    /// for the database.
    pub fn needs_person(&self, patience: Patience) -> bool {
        match self.state {
            State::Claimed | State::InDoubt => self.person || self.is_past(patience.window * 2),
            State::Processing => self.person || self.claimed_before(patience.processing),
            State::Settled | State::NotApplied => false,
        }
    }

    /// Whether it was found under its number before it was ever sent, and not sent therefore: a
    /// claim has a lease, and it never had one.
    pub fn was_found_before_send(&self) -> bool {
        // PostgreSQL reads its clock for each of the two.
        let at_once = self.lease_until.abs_diff(self.claimed_at) <= 5;
        self.is_open() && self.person && at_once
    }

    /// Whether its outcome is known.
    pub fn is_at_rest(&self) -> bool {
        matches!(self.state, State::Settled | State::NotApplied)
    }

    /// Whether other refunds of its payment have to wait for it.
    pub fn blocks_payment(&self) -> bool {
        matches!(self.state, State::Claimed | State::InDoubt)
    }

    /// Whether it is known to have moved its money.
    pub fn has_succeeded(&self) -> bool {
        self.state == State::Settled && self.outcome == Some(TradeState::Succeeded)
    }

    /// The same, by what Sunmi answered or showed: a person's word moves no total.
    pub fn has_shown_success(&self) -> bool {
        let by_person = |answer: &Refunded| answer.evidence == Evidence::Operator;
        self.has_succeeded() && !self.answer.as_ref().is_some_and(by_person)
    }

    /// Whether it was written by the first edition, which knew nothing of evidence, and took
    /// other content for a number that was not applied.
    pub fn is_of_first_edition(&self) -> bool {
        self.content_hash.is_none()
    }

    /// Whether it is surely of this payment of this device: what only may be is counted where
    /// one has to wait for the other, and not where amounts are added up.
    pub fn is_surely_of(&self, payment: &Payment, msn: &str) -> bool {
        let own = self.payment();
        let by_platform = own.platform_ids().any(|id| payment.platform_ids().any(|it| it == id));
        let as_asked = own.app_id == payment.app_id && own.asked == payment.asked;
        by_platform || (as_asked && self.msn == msn)
    }

    /// The payment that it is of.
    pub fn payment(&self) -> Payment {
        Payment {
            app_id: self.key.app_id.clone(),
            asked: self.original.clone(),
            found: self.evidence.names.clone(),
        }
    }

    /// How `refund` compares with this one.
    pub fn compare(&self, refund: &Refund) -> Content {
        let differing = |table: &[(&'static str, bool)]| {
            let fields = table.iter().filter(|(_, same)| !same).map(|(field, _)| *field);
            Some(fields.collect::<Vec<_>>()).filter(|fields| !fields.is_empty())
        };
        let original = ("original", self.original == refund.original);
        let differing = match self.amount {
            Some(amount) => differing(&[
                ("msn", self.msn == refund.msn.as_str()),
                ("amount_minor", amount == refund.amount),
                original,
                ("business_id", self.business_id == refund.business_id.as_str()),
            ]),
            None => differing(&[original]),
        };
        match (differing, self.amount, &self.content_hash) {
            (Some(fields), _, _) => Content::Differs(fields),
            (None, Some(_), _) => Content::Same,
            (None, None, Some(hash)) if *hash == refund.content_hash() => Content::Same,
            // Which of the fields it is, the hash does not tell.
            (None, None, Some(_)) => Content::Differs(vec!["msn", "amount_minor", "business_id"]),
            (None, None, None) => Content::Forgotten,
        }
    }
}

/// How the content of a request compares with that of the row of its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// It is the same.
    Same,
    /// It differs in these fields of the request; of an emptied row, in one or more of them.
    Differs(Vec<&'static str>),
    /// The row was emptied by the first edition, and does not tell.
    Forgotten,
}

#[cfg(test)]
mod tests;
