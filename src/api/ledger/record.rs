//! From a row of the ledger to the contract.

use prost_types::Timestamp;

use crate::api::{convert, pb, status};
use crate::ledger::{Row, State};
use crate::refund::{Refunds, last_error, reply};
use crate::trade::{Method, OrderRef, TradeState};

/// The refund of this row.
pub(super) fn of(row: &Row, refunds: &Refunds) -> pb::RefundRecord {
    let names = row.evidence.names.clone();
    let reply = reply(row).map(convert::refund_response);
    let (decided_by, decided_reason) =
        row.decided.clone().map(|decision| (decision.by, decision.reason)).unzip();
    pb::RefundRecord {
        app_id: row.key.app_id.to_string(),
        order_id: row.key.order_id.to_string(),
        msn: filled(&row.msn),
        amount_minor: row.amount,
        original: Some(original(&row.original)),
        business_id: filled(&row.business_id),
        state: state(row.state).into(),
        needs_person: refunds.needs_person(row),
        outcome: convert::trade_state(outcome(row)),
        evidence: reply.as_ref().map_or_else(i32::default, |reply| reply.evidence),
        reply,
        last_error: last_error(row).map(|error| status::trade_error(&error, Method::Refund)),
        doubt_reason: row.doubt.as_ref().and_then(|doubt| filled(&doubt.why)),
        dispute: row.disputed.clone(),
        claim_time: Some(timestamp(row.claimed_at)),
        change_time: Some(timestamp(row.changed_at)),
        lease_end_time: Some(timestamp(row.lease_until)),
        epoch: row.epoch,
        told: row.told && row.state == State::NotApplied,
        caller: row.caller.clone(),
        operator: row.note.operator.clone(),
        reason: row.note.reason.clone(),
        decided_by,
        decided_reason,
        payment_platform_id: names.platform_id,
        payment_order_id: names.order_id,
        payment_mis_id: names.mis_id,
        emptied: row.amount.is_none(),
    }
}

fn filled(text: &str) -> Option<String> {
    Some(text.to_owned()).filter(|text| !text.is_empty())
}

fn original(original: &OrderRef) -> pb::refund_record::Original {
    use pb::refund_record::Original;
    match original {
        OrderRef::MisId(id) => Original::OriMisId(id.to_string()),
        OrderRef::OrderId(id) => Original::OriOrderId(id.to_string()),
        OrderRef::PlatformId(id) => Original::OriPlatformId(id.to_string()),
    }
}

fn outcome(row: &Row) -> Option<TradeState> {
    match row.state {
        State::Settled => row.outcome,
        State::Processing => Some(TradeState::Processing),
        State::Claimed | State::InDoubt | State::NotApplied => None,
    }
}

pub(super) fn state(state: State) -> pb::RefundRecordState {
    match state {
        State::Claimed => pb::RefundRecordState::Claimed,
        State::InDoubt => pb::RefundRecordState::InDoubt,
        State::Processing => pb::RefundRecordState::Processing,
        State::Settled => pb::RefundRecordState::Settled,
        State::NotApplied => pb::RefundRecordState::NotApplied,
    }
}

/// A time of the ledger.
fn timestamp(millis: i64) -> Timestamp {
    let nanos = i32::try_from(millis.rem_euclid(1000)).unwrap_or_default() * 1_000_000;
    Timestamp { seconds: millis.div_euclid(1000), nanos }
}
