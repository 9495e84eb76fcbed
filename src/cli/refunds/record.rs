//! A row as JSON, and what of it a table has as well: the names of `RefundRecord`.

use serde_json::{Map, Value, json};

use super::words::{time, value};
use crate::ledger::{Baseline, PaymentThen, Pending, Row, State};
use crate::refund::{Rules, reply};
use crate::trade::{RefundTrade, Refunded, TradeState};

/// All that the ledger has of it, by name. What is absent is not there.
pub(super) type Record = Map<String, Value>;

/// The record of this row, without what [`evidence`] adds.
pub(super) fn of(row: &Row, rules: &Rules) -> Record {
    let mut record = content(row);
    extend(&mut record, course(row, rules));
    extend(&mut record, doubt(row));
    extend(&mut record, end(row));
    record
}

fn extend(record: &mut Record, more: Value) {
    let Value::Object(more) = more else { return };
    record.extend(more.into_iter().filter(|(_, value)| !value.is_null()));
}

fn content(row: &Row) -> Record {
    let (kind, original) = row.original.named();
    let mut record = Record::new();
    extend(
        &mut record,
        json!({
            "app_id": row.key.app_id.as_str(),
            "order_id": row.key.order_id.as_str(),
            "msn": filled(&row.msn),
            "amount_minor": row.amount,
        }),
    );
    record.insert(format!("ori_{kind}"), original.as_str().into());
    extend(
        &mut record,
        json!({
            "business_id": filled(&row.business_id),
            "caller": row.caller,
            "operator": row.note.operator,
            "reason": row.note.reason,
            "emptied": row.amount.is_none(),
        }),
    );
    record
}

fn course(row: &Row, rules: &Rules) -> Value {
    let names = &row.evidence.names;
    json!({
        "state": row.state.name(),
        "needs_person": row.needs_person(rules.patience()),
        "outcome": outcome(row).map(value),
        "evidence": reply(row).map(|reply| value(reply.evidence)),
        "claim_time": time(row.claimed_at),
        "change_time": time(row.changed_at),
        "lease_end_time": time(row.lease_until),
        "epoch": row.epoch,
        "told": row.told,
        "payment_platform_id": names.platform_id,
        "payment_order_id": names.order_id,
        "payment_mis_id": names.mis_id,
    })
}

/// What became of it, as far as that is known.
pub(super) fn outcome(row: &Row) -> Option<TradeState> {
    match row.state {
        State::Settled => row.outcome,
        State::Processing => Some(TradeState::Processing),
        State::Claimed | State::InDoubt | State::NotApplied => None,
    }
}

fn doubt(row: &Row) -> Value {
    let Some(doubt) = &row.doubt else { return Value::Null };
    let pending = doubt.pending.as_ref().map(|pending| match pending {
        Pending::Refusal { reason, explained } => json!({"reason": reason, "explained": explained}),
        Pending::Failure => json!({"outcome": value(TradeState::Failed)}),
    });
    json!({
        "doubt_reason": filled(&doubt.why),
        "sunmi_code": doubt.code,
        "sunmi_message": doubt.message,
        "http_status": doubt.http_status,
        "pending": pending,
    })
}

fn end(row: &Row) -> Value {
    let decided = row.decided.as_ref();
    json!({
        "dispute": row.disputed,
        "decided_by": decided.map(|it| &it.by),
        "decided_reason": decided.map(|it| &it.reason),
        "reply": reply(row).map(|Refunded { trade, .. }| answer(&trade)),
    })
}

/// The recorded answer, with the names of `RefundResponse`.
fn answer(trade: &RefundTrade) -> Value {
    let mut answer = Record::new();
    extend(
        &mut answer,
        json!({
            "amount_minor": trade.amount,
            "business_id": trade.business_id,
            "mis_id": trade.mis_id,
            "msn": trade.msn,
            "order_id": trade.order_id,
            "order_type": trade.order_type.map(value),
            "ori_mis_id": trade.ori_mis_id,
            "ori_order_id": trade.ori_order_id,
            "pay_time": pay_time(trade),
            "platform": trade.platform.map(value),
            "platform_id": trade.platform_id,
            "result_code": trade.result_code,
            "result_message": trade.result_message,
            "state": trade.state.map(value),
            "unrecognized": Some(&trade.unrecognized).filter(|fields| !fields.is_empty()),
        }),
    );
    Value::Object(answer)
}

/// When Sunmi made the refund.
pub(super) fn pay_time(trade: &RefundTrade) -> Option<String> {
    trade.pay_time.map(|seconds| time(seconds.get().saturating_mul(1000)))
}

/// What `refunds show` knows besides: the evidence of the number and the payment, and the course
/// of the claim.
pub(super) fn evidence(row: &Row, rules: &Rules) -> Record {
    let known = &row.evidence;
    let window = || time(row.window_until(rules.settle_window));
    let mut record = Record::new();
    extend(
        &mut record,
        json!({
            "claim_order": row.claim_order,
            "change": row.change,
            "looks": row.looks,
            "window_end_time": (!row.is_at_rest()).then(window),
            "free": known.free,
            "absent": known.absent,
            "accepted": known.accepted,
            "found_before": row.was_found_before_send(),
            "first_edition": row.is_of_first_edition(),
            "content_sha256": row.content_hash,
            "payment_then": payment_then(&known.payment),
            "baseline": baseline(&known.payment),
        }),
    );
    record
}

fn payment_then(then: &PaymentThen) -> &'static str {
    match then {
        PaymentThen::NotLooked => "NOT_LOOKED",
        PaymentThen::NotFound => "NOT_FOUND",
        PaymentThen::NotShown => "NOT_SHOWN",
        PaymentThen::Found(_) => "FOUND",
    }
}

fn baseline(then: &PaymentThen) -> Value {
    let PaymentThen::Found(base) = then else { return Value::Null };
    let Baseline { total, floor, refunded, state, amount, open } = base;
    let open: Vec<Value> = open
        .iter()
        .map(|other| {
            json!({
                "app_id": other.app_id,
                "order_id": other.order_id,
                "epoch": other.epoch,
                "amount_minor": other.amount,
            })
        })
        .collect();
    json!({
        "refunded_minor": total,
        "at_least_minor": floor,
        "ledger_refunded_minor": refunded,
        "state": value(state),
        "amount_minor": amount,
        "open": open,
    })
}

fn filled(text: &str) -> Option<&str> {
    Some(text).filter(|text| !text.is_empty())
}
