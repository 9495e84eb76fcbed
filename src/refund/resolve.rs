//! Finds out what became of a refund whose outcome is open, with two witnesses: the refund by its
//! number, and the payment by its total.

use std::time::Duration;

use super::Refunds;
use super::judgement::outcome::{Case, Conclusion, conclude, wants_total};
use super::judgement::refusal::{Belief, believe_failure, believe_refusal, is_used_up};
use super::judgement::seen::{self, Asked, Course, NumberSeen};
use super::judgement::total::{self, Other, Total};
use crate::clock::BootTime;
use crate::deadline::Deadline;
use crate::error::{BoxError, Chain, Fault};
use crate::ledger::{PaymentThen, Pending, Row, State};
use crate::telemetry::shown;
use crate::trade::{Evidence, Identifier, Note, OrderRef, Query, Refund, Refunded, Trade};

/// What may be concluded from one look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scope {
    /// All that the rules allow.
    All,
    /// Only what is there: nothing is judged absent.
    Evidence,
}

impl Refunds {
    /// Looks once, and records what is proved. What is not proved stays as it is, for the reason
    /// that comes back.
    pub(super) async fn resolve(&self, row: &Row) -> Option<BoxError> {
        self.resolve_within(row, Scope::All).await
    }

    pub(super) async fn resolve_within(&self, row: &Row, scope: Scope) -> Option<BoxError> {
        let why = self.try_resolve(row, scope).await.err()?;
        let refund = shown(row.key.order_id.as_str());
        tracing::debug!(refund = refund.as_deref(), why = %Chain(why.as_ref()), "not resolved yet");
        Some(why)
    }

    async fn try_resolve(&self, row: &Row, scope: Scope) -> Result<(), BoxError> {
        let refund = refund_of(row)?;
        let deadline = Deadline::after(self.rules.ceiling);
        let began = self.clock.now();
        let past_window = self.is_past_window(row) && scope == Scope::All;
        let others = self.ledger.of_payment(&row.payment()).await?;
        self.memory.note_succeeded(row, &others, self.clock.now());
        let (number, found) = self.look_by_all_names(row, &refund, deadline).await?;
        let case = case_of(row, past_window);
        let pending = row.doubt.as_ref().and_then(|doubt| doubt.pending.as_ref());
        let pending = pending.filter(|_| row.state == State::InDoubt && scope == Scope::All);
        let total = match pending.is_some() || wants_total(&case, number) {
            true => self.weigh_total(row, &refund, deadline).await?,
            false => Total::NotAsked,
        };
        if let Some(pending) = pending
            && self.believe(row, pending, (number, total), began).await?
        {
            return Ok(());
        }
        self.record(row, conclude(&case, number, total), found).await
    }

    /// Whether the refund's window is over, by the ledger's clock and by this process's own.
    pub(super) fn is_past_window(&self, row: &Row) -> bool {
        let window = self.rules.settle_window;
        row.is_past(window) && self.seen_past_lease(row) >= window
    }

    /// Whether no more is to be found out of a refund that needs a person. That it needs one by the
    /// ledger's clock alone is not enough: this process may still judge it.
    pub(super) fn is_left_to_a_person(&self, row: &Row) -> bool {
        let is_over = row.state == State::Processing || self.is_past_window(row);
        row.person && (row.was_found_before_send() || is_over)
    }

    /// For how long this process has seen the refund as it is, less a lease. By the ledger's clock
    /// the window begins with the lease's end; where that clock stepped ahead, the lease may have
    /// ended for it and go on for its owner. A window that is shorter than a lease, as where no
    /// money moves, is waited for twice.
    pub(super) fn seen_past_lease(&self, row: &Row) -> Duration {
        let age = self.memory.age(row, self.clock.now());
        age.saturating_sub(self.lease().min(self.rules.settle_window))
    }

    /// What is under the refund's number; if nothing is, under the names that Sunmi's own answer
    /// gave the refund.
    async fn look_by_all_names(
        &self,
        row: &Row,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<(NumberSeen, Option<Trade>), BoxError> {
        let by_number = self.look_at_number(refund, deadline).await?;
        if !is_ours(row, by_number.1.as_ref())
            && self.is_of_another(row, by_number.1.as_ref()).await?
        {
            return Ok((NumberSeen::Unclear, None));
        }
        if !matches!(by_number.0, NumberSeen::Absent | NumberSeen::Unanswered) {
            return Ok(by_number);
        }
        for name in answered_names(row) {
            let by_name = self.look_at_name(refund, name, deadline).await?;
            if matches!(by_name.0, NumberSeen::Refund(_)) && is_ours(row, by_name.1.as_ref()) {
                return Ok(by_name);
            }
        }
        Ok(by_number)
    }

    /// Whether what was found carries the number of another refund that the ledger knows: then it
    /// is the answer to another query. An unknown number may be Sunmi's own.
    async fn is_of_another(&self, row: &Row, found: Option<&Trade>) -> Result<bool, BoxError> {
        let Some(number) = found.and_then(|found| found.order_id.as_deref()) else {
            return Ok(false);
        };
        let known = self.ledger.of_number(number).await?;
        Ok(known.iter().any(|other| other.key != row.key))
    }

    /// What is under the number, and what the payment's total says, if there was a baseline. Whether
    /// its other refunds still stand is not asked: a refusal that had to come met the first copy of
    /// the request, too, and there may be many of them.
    pub(super) async fn look_at_both(
        &self,
        row: &Row,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<(NumberSeen, Total), BoxError> {
        let (number, _) = self.look_at_number(refund, deadline).await?;
        let total = match row.evidence.payment {
            PaymentThen::Found(_) => self.weigh_sums(row, refund, deadline).await?.0,
            PaymentThen::NotLooked | PaymentThen::NotFound | PaymentThen::NotShown => {
                Total::NotAsked
            }
        };
        Ok((number, total))
    }

    /// What the payment's total says by the ledger's sums, and its other refunds. It is read before
    /// the ledger's rows are.
    async fn weigh_sums(
        &self,
        row: &Row,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<(Total, Vec<Row>), BoxError> {
        let asked_at = self.clock.now();
        let payment = self.look_at_payment(refund, deadline).await?;
        let rows = self.ledger.of_payment(&row.payment()).await?;
        let others: Vec<Row> = rows.into_iter().filter(|other| other.key != row.key).collect();
        let facts: Vec<Other> =
            others.iter().map(|other| self.other(row, other, asked_at)).collect();
        let then = (&row.evidence.payment, &row.evidence.names);
        Ok((total::weigh(then, &payment, &facts, refund.amount), others))
    }

    /// The same, and whether the payment's other refunds, which could hide this one, still stand.
    async fn weigh_total(
        &self,
        row: &Row,
        refund: &Refund,
        deadline: Deadline,
    ) -> Result<Total, BoxError> {
        let (weighed, others) = self.weigh_sums(row, refund, deadline).await?;
        if weighed != Total::Excludes {
            return Ok(weighed);
        }
        for other in others.iter().filter(|other| other.has_succeeded()) {
            if !total::still_stands(self.look_at_other(other, refund, deadline).await) {
                let why = "another refund of the payment does not stand any more, or may not";
                return Ok(Total::Silent(why));
            }
        }
        Ok(weighed)
    }

    /// Whether a refusal is explained by refunds that were in processing before the send and, looked
    /// at by their numbers, still are or have succeeded; and nothing is under this one's number.
    pub(super) async fn is_used_up(
        &self,
        fault: Fault,
        row: &Row,
        refund: &Refund,
        deadline: Deadline,
    ) -> bool {
        let PaymentThen::Found(base) = &row.evidence.payment else { return false };
        let open: i64 = base.open.iter().fold(0, |sum, it| sum.saturating_add(it.amount));
        if !is_used_up(fault, &row.evidence.payment, open, refund.amount) {
            return false;
        }
        let Ok(rows) = self.ledger.of_payment(&row.payment()).await else { return false };
        let was_open = |other: &&Row| {
            base.open.iter().any(|then| {
                (then.app_id.as_str(), then.order_id.as_str(), then.epoch)
                    == (other.key.app_id.as_str(), other.key.order_id.as_str(), other.epoch)
            })
        };
        let mut hold: i64 = 0;
        for other in rows.iter().filter(was_open) {
            let seen = self.look_at_other(other, refund, deadline).await;
            let holds = NumberSeen::Refund(Course::UnderWay);
            if seen == Some(holds) || seen == Some(NumberSeen::Refund(Course::Succeeded)) {
                hold = hold.saturating_add(other.amount.unwrap_or_default());
            }
        }
        let absent =
            matches!(self.look_at_number(refund, deadline).await, Ok((NumberSeen::Absent, _)));
        absent && is_used_up(fault, &row.evidence.payment, hold, refund.amount)
    }

    /// Another refund of the payment of `row`, as it was when the total was asked for.
    fn other(&self, row: &Row, other: &Row, asked_at: BootTime) -> Other {
        let lag = self.rules.lag;
        let passed = self.clock.now().saturating_since(asked_at);
        let by_the_ledger = other.rested_before(lag + passed);
        Other {
            app_id: other.key.app_id.to_string(),
            order_id: other.key.order_id.to_string(),
            epoch: other.epoch,
            amount: other.amount,
            claimed_after: other.claim_order > row.claim_order,
            surely: other.is_surely_of(&row.payment(), &row.msn),
            succeeded: other.has_succeeded(),
            by_person: other.has_succeeded() && !other.has_shown_success(),
            at_rest: by_the_ledger && self.memory.succeeded_before(row, other, lag, asked_at),
        }
    }

    /// What is under the number of another refund of the payment; `None` if it cannot be read.
    async fn look_at_other(
        &self,
        other: &Row,
        refund: &Refund,
        deadline: Deadline,
    ) -> Option<NumberSeen> {
        let query = Query {
            app_id: other.key.app_id.clone(),
            // An emptied row has none.
            msn: Identifier::parse(other.msn.clone()).unwrap_or_else(|| refund.msn.clone()),
            order: OrderRef::OrderId(other.key.order_id.clone()),
        };
        let look = self.client.query(&query, deadline).await;
        let shown = look.as_ref().ok().and_then(|found| found.value.amount);
        let amount = other.amount.or(shown).unwrap_or_default();
        seen::number(&Asked { amount, original: &other.original }, &look)
    }

    /// Whether what Sunmi answered to the refund is borne out by now, and recorded.
    async fn believe(
        &self,
        row: &Row,
        pending: &Pending,
        seen: (NumberSeen, Total),
        began: BootTime,
    ) -> Result<bool, BoxError> {
        let before = self.memory.was_borne_out(row, self.rules.lag, began);
        let belief = match pending {
            Pending::Refusal { explained, .. } => {
                believe_refusal(*explained, &row.evidence.payment, seen, before)
            }
            Pending::Failure => believe_failure(seen, before),
        };
        self.memory.note_look(row, belief != Belief::Doubt, self.clock.now());
        if belief != Belief::Believed {
            return Ok(false);
        }
        let doubt = row.doubt.clone().unwrap_or_default();
        Ok(match (pending, &row.answer) {
            (Pending::Refusal { .. }, _) => self.ledger.refuse_borne_out(row, &doubt).await?,
            (Pending::Failure, Some(answer)) => self.ledger.fail(row, answer).await?,
            (Pending::Failure, None) => false,
        })
    }

    async fn record(
        &self,
        row: &Row,
        conclusion: Conclusion,
        found: Option<Trade>,
    ) -> Result<(), BoxError> {
        let by_query = |found: Option<Trade>| Refunded {
            trade: found.unwrap_or_default().into(),
            evidence: Evidence::Query,
            replayed: false,
        };
        match conclusion {
            Conclusion::Succeeded => drop(self.ledger.settle(&row.key, &by_query(found)).await?),
            Conclusion::Processing if row.state == State::Processing => {
                return Err("Sunmi has not finished it".into());
            }
            Conclusion::Processing => {
                self.ledger.processing(&row.key, &by_query(found)).await?;
            }
            Conclusion::Failed => {
                self.ledger.fail(row, &by_query(found)).await?;
            }
            Conclusion::NotApplied => {
                self.ledger.judge_not_applied(row, self.rules.settle_window).await?;
            }
            Conclusion::Nothing(why) => return Err(why.into()),
        }
        Ok(())
    }
}

/// What the ledger has of the refund, for the judgement.
fn case_of(row: &Row, past_window: bool) -> Case {
    let pending = row.doubt.as_ref().and_then(|doubt| doubt.pending.as_ref());
    Case {
        state: row.state,
        epoch: row.epoch,
        first_edition: row.is_of_first_edition(),
        free: row.evidence.free,
        absent: row.evidence.absent,
        accepted: row.evidence.accepted,
        explained: matches!(pending, Some(Pending::Refusal { explained: true, .. })),
        past_window,
    }
}

/// The names that Sunmi's answer to the refund call gave the refund.
pub(super) fn answered_names(row: &Row) -> Vec<OrderRef> {
    let Some(answer) = &row.answer else { return Vec::new() };
    let id = |name: &Option<String>| Identifier::parse(name.clone()?);
    let platform = id(&answer.trade.platform_id).map(OrderRef::PlatformId);
    let register = id(&answer.trade.mis_id).map(OrderRef::MisId);
    platform.into_iter().chain(register).collect()
}

/// Whether what was found under a name does not carry the number of another order.
fn is_ours(row: &Row, found: Option<&Trade>) -> bool {
    let answered = row.answer.as_ref().and_then(|answer| answer.trade.order_id.as_deref());
    let number = found.and_then(|found| found.order_id.as_deref());
    number.is_none_or(|number| number == row.key.order_id.as_str() || Some(number) == answered)
}

/// The refund that a row is of.
pub(super) fn refund_of(row: &Row) -> Result<Refund, &'static str> {
    let identifier = |text: &str| Identifier::parse(text.to_owned());
    let refund = (|| {
        Some(Refund {
            app_id: row.key.app_id.clone(),
            msn: identifier(&row.msn)?,
            amount: row.amount?,
            original: row.original.clone(),
            order_id: row.key.order_id.clone(),
            business_id: identifier(&row.business_id)?,
            app_id_named: true,
            acknowledged: Box::default(),
            caller: None,
            day_bound: None,
            note: Note::default(),
        })
    })();
    refund.ok_or("the row has been emptied")
}
