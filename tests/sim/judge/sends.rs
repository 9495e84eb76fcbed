//! What was sent.

use sunmi_trade::error::RefundOutcome;

use super::{Left, Verdict, ensure};
use crate::callers::{Call, Told};
use crate::sent::Sent;

impl Left {
    pub(super) fn judge_send(&self, at: usize) -> Verdict {
        let sent = &self.books.sent[at];
        let faults = [
            self.is_known(sent),
            self.is_only_one(sent),
            self.is_asked_anew(sent, &self.books.sent[..at]),
            self.is_alone(sent),
        ];
        faults.into_iter().collect::<Result<(), _>>().map_err(|why| {
            format!("{}: send {at} of {} was made, but {why}: {sent:?}", sent.number, sent.amount)
        })
    }

    /// What is sent is in the ledger, with this content.
    fn is_known(&self, sent: &Sent) -> Verdict {
        let number = self.number(&sent.app_id, &sent.number);
        let known = self.rows_of(&number).any(|row| {
            let amount = row.amount.is_none_or(|amount| amount == sent.amount);
            let original = row.original.named().1.as_str();
            amount && crate::sent::payment_named(original) == sent.payment
        });
        ensure(known || self.restored, || "the ledger does not know it".to_owned())
    }

    /// Two requests under one number do not both move money. One request may, if something in
    /// between repeated it.
    fn is_only_one(&self, sent: &Sent) -> Verdict {
        if !self.moves(sent) || self.is_lost() {
            return Ok(());
        }
        let number = self.number(&sent.app_id, &sent.number);
        let times = self.sends(&number).filter(|it| self.moves(it)).count();
        ensure(times == 1, || format!("{times} requests under its number moved money"))
    }

    /// A second request under a number is sent only for who asked after somebody was told that
    /// the first moved no money.
    fn is_asked_anew(&self, sent: &Sent, before: &[Sent]) -> Verdict {
        let number = self.number(&sent.app_id, &sent.number);
        let earlier = |it: &&Sent| self.number(&it.app_id, &it.number) == number;
        let Some(last) = before.iter().rfind(earlier).filter(|_| !self.restored) else {
            return Ok(());
        };
        let Some(asker) = self.calls.iter().find(|it| Some(&it.name) == sent.by.as_ref()) else {
            return Ok(());
        };
        let heard = |it: &&Call| {
            let told = match it.told {
                Told::Failed(_, RefundOutcome::NotApplied | RefundOutcome::NotAttempted) => true,
                // It may have been told, and not have heard it.
                Told::Nothing => true,
                Told::Failed(_, RefundOutcome::Unknown) => self.is_disturbed(),
                Told::Refunded(_) | Told::Panic => false,
            };
            // Whoever sent it may have been gone by then.
            let in_time = it.ended >= last.at || Some(&it.name) == last.by.as_ref();
            told && it.name != asker.name && in_time && it.started <= sent.at
        };
        let asked = self.calls_of(&number).any(|it| heard(&it));
        ensure(asked, || format!("nobody was told that {last:?} moved no money"))
    }

    /// Whether a caller's time may be over between that it is noted as told, and that it is.
    fn is_disturbed(&self) -> bool {
        let options = &self.options;
        options.pause > 0.0
            || options.suspension > 0.0
            || options.commit_unknown > 0.0
            || options.statement_fails > 0.0
            || options.short_deadlines > 0.0
    }

    /// No other refund of the payment is open that its caller does not know of.
    fn is_alone(&self, sent: &Sent) -> Verdict {
        let asker = self.calls.iter().find(|it| Some(&it.name) == sent.by.as_ref());
        let Some(asker) = asker.filter(|_| self.options.payments_queryable) else { return Ok(()) };
        // It may have become open only after the claim.
        let only_now = self.restored || self.options.used_before > 0 || !self.options.look_first;
        let known = |number: &String| {
            asker.refund.acknowledged.iter().any(|it| it.as_str() == number) || only_now
        };
        let other = sent.beside.iter().find(|it| !known(it));
        ensure(other.is_none(), || format!("{other:?} was open, and it was not acknowledged"))
    }
}
