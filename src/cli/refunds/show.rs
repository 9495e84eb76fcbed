//! All that the ledger has of a refund, as a page: a name and a value on each line.

use super::ask::{self, Asked};
use super::words::{amount, field, time, time_from, value, yes};
use super::{advice, out, record};
use crate::error::BoxError;
use crate::ledger::{Baseline, PaymentThen, Pending, Row, State};
use crate::refund::{Rules, reply};
use crate::trade::{PaymentNames, RefundTrade};

type Lines = Vec<(&'static str, String)>;

/// The page. `asked` is what Sunmi said just now, if it was asked.
pub(super) fn page(row: &Row, rules: &Rules, asked: Lines) -> String {
    let mut lines = content(row);
    lines.extend(course(row, rules));
    lines.extend(evidence(row));
    lines.extend(doubt(row));
    lines.extend(end(row));
    lines.extend(answer(row));
    lines.extend(asked);
    lines.push(("next", advice::next(row, rules)));
    lines.into_iter().map(|(name, value)| field(name, &value)).collect()
}

/// Prints the same as a JSON object: the record of the list, the evidence, the payment as it is
/// now, and what to do next.
///
/// # Errors
/// That standard output cannot be written.
pub(super) fn json(row: &Row, rules: &Rules, asked: Option<&Asked>) -> Result<(), BoxError> {
    let mut record = record::of(row, rules);
    record.extend(record::evidence(row, rules));
    record.extend(asked.map(|asked| ("payment_now".to_owned(), ask::as_json(asked))));
    record.insert("next".to_owned(), advice::next(row, rules).into());
    out::json_line(std::io::stdout().lock(), &record)
}

/// What was asked for.
fn content(row: &Row) -> Lines {
    let (kind, original) = row.original.named();
    let mut lines =
        vec![("order_id", row.key.order_id.to_string()), ("app_id", row.key.app_id.to_string())];
    match row.amount {
        None => lines.push(("content", "emptied: it is past its retention".to_owned())),
        Some(_) => lines.extend([
            ("amount_minor", amount(row.amount)),
            ("msn", row.msn.clone()),
            ("business_id", row.business_id.clone()),
        ]),
    }
    lines.push(("original", format!("{kind} {original}")));
    lines.extend(row.caller.clone().map(|caller| ("caller", caller)));
    lines.extend(row.note.operator.clone().map(|operator| ("operator", operator)));
    lines.extend(row.note.reason.clone().map(|reason| ("reason", reason)));
    lines.extend(row.content_hash.clone().map(|hash| ("content sha256", hash)));
    lines
}

/// Where it is.
fn course(row: &Row, rules: &Rules) -> Lines {
    let person = row.needs_person(rules.patience());
    let mut lines = vec![
        ("state", row.state.name().to_owned()),
        ("epoch", row.epoch.to_string()),
        ("needs a person", yes(person).to_owned()),
        ("claimed", time(row.claimed_at)),
        ("claim order", row.claim_order.to_string()),
        ("changed", time(row.changed_at)),
        ("change", row.change.to_string()),
        ("lease until", lease(row)),
    ];
    if !row.is_at_rest() {
        let window = row.window_until(rules.settle_window);
        lines.push(("window until", time_from(window, row.now)));
    }
    lines.push(("looks", row.looks.to_string()));
    lines
}

/// Of a claim that lives, how long it still may.
fn lease(row: &Row) -> String {
    match row.state {
        State::Claimed => time_from(row.lease_until, row.now),
        State::InDoubt | State::Processing | State::Settled | State::NotApplied => {
            time(row.lease_until)
        }
    }
}

/// What is known of its number and its payment.
fn evidence(row: &Row) -> Lines {
    let known = &row.evidence;
    let not_there = |known: bool, when: &str| match known {
        true => format!("yes: the number was not there before {when}"),
        false => "not known".to_owned(),
    };
    let told = match row.told {
        true => "yes: a caller was told that it was not applied",
        false => "no",
    };
    let accepted = match known.accepted {
        true => "yes: Sunmi accepted a refund under the number",
        false => "not as far as is known",
    };
    let mut lines = vec![
        ("told", told.to_owned()),
        ("free", not_there(known.free, "its first send")),
        ("absent", not_there(known.absent, "this claim's send")),
        ("accepted", accepted.to_owned()),
    ];
    if row.was_found_before_send() {
        let how = "yes: Sunmi has something under the number, in a way that proves nothing";
        lines.push(("found before", how.to_owned()));
    }
    if row.is_of_first_edition() {
        lines.push(("edition", "the first, which kept no evidence".to_owned()));
    }
    lines.extend(baseline(&known.payment));
    lines.push(("payment names", names(&known.names)));
    lines
}

/// What the look at the payment before the send showed.
fn baseline(then: &PaymentThen) -> Lines {
    let none = |why: &str| vec![("baseline", format!("none: {why}"))];
    let base = match then {
        PaymentThen::NotLooked => return none("nobody looked at the payment before the send"),
        PaymentThen::NotFound => return none("the payment was not found before the send"),
        PaymentThen::NotShown => return none("Sunmi did not show the payment before the send"),
        PaymentThen::Found(base) => base,
    };
    let Baseline { total, floor, refunded, state, amount: of, open } = base;
    let mut lines = vec![(
        "baseline",
        format!("total {total}, state {}, amount {}", value(state), amount(*of)),
    )];
    lines.push(("ledger then", format!("{refunded} refunded")));
    if *floor > 0 {
        lines.push(("at least then", format!("{floor} refunded, some of it just before")));
    }
    let open = open.iter().map(|other| {
        format!("{} of {}, epoch {}, {}", other.order_id, other.app_id, other.epoch, other.amount)
    });
    let open: Vec<String> = open.collect();
    let open = if open.is_empty() { "none".to_owned() } else { open.join("; ") };
    lines.push(("others open then", open));
    lines
}

fn names(names: &PaymentNames) -> String {
    let named = [
        ("platform_id", &names.platform_id),
        ("order_id", &names.order_id),
        ("mis_id", &names.mis_id),
    ];
    let found = named.into_iter().filter_map(|(kind, name)| Some((kind, name.as_ref()?)));
    let found: Vec<String> = found.map(|(kind, name)| format!("{kind} {name}")).collect();
    if found.is_empty() { "none found".to_owned() } else { found.join(", ") }
}

/// Why it is as it is, and what Sunmi last said of it.
fn doubt(row: &Row) -> Lines {
    let Some(doubt) = &row.doubt else {
        let silent = row.state == State::InDoubt;
        let why = "whoever sent it left no answer".to_owned();
        return if silent { vec![("why", why)] } else { Vec::new() };
    };
    let name = match row.state {
        State::Claimed | State::InDoubt | State::Processing | State::NotApplied => "why",
        State::Settled => "was in doubt",
    };
    let mut lines = vec![(name, doubt.why.clone())];
    lines.extend(doubt.code.clone().map(|code| ("Sunmi's code", code)));
    let words = doubt.message.clone().filter(|words| !words.is_empty());
    lines.extend(words.map(|words| ("Sunmi said", words)));
    lines.extend(doubt.http_status.map(|status| ("HTTP status", status.to_string())));
    let pending = match &doubt.pending {
        Some(Pending::Refusal { reason, explained: true }) => {
            format!("{reason}: the looks before the send show that it had to come")
        }
        Some(Pending::Refusal { reason, explained: false }) => {
            format!("{reason}: nothing that was seen before the send explains it")
        }
        Some(Pending::Failure) => "Sunmi answered that it failed".to_owned(),
        None => return lines,
    };
    let name = if row.is_at_rest() { "refused with" } else { "pending" };
    lines.push((name, pending));
    lines
}

/// How it ended.
fn end(row: &Row) -> Lines {
    let mut lines = Vec::new();
    lines.extend(row.outcome.map(|outcome| ("outcome", value(outcome))));
    lines.extend(row.answer.as_ref().map(|answer| ("evidence", value(answer.evidence))));
    lines.extend(row.disputed.clone().map(|why| ("disputed", why)));
    if let Some(decision) = &row.decided {
        lines.push(("decided by", decision.by.clone()));
        lines.push(("because", decision.reason.clone()));
    }
    lines
}

/// The recorded answer, as a repeat of the refund would be given it.
fn answer(row: &Row) -> Lines {
    let Some(reply) = reply(row) else { return Lines::new() };
    let pay_time = record::pay_time(&reply.trade);
    let RefundTrade {
        amount: refunded,
        business_id,
        mis_id,
        msn,
        order_id,
        order_type,
        ori_mis_id,
        ori_order_id,
        pay_time: _,
        platform,
        platform_id,
        result_code,
        result_message,
        state,
        doubtful: _,
        unrecognized,
    } = reply.trade;
    let of_answer = [
        ("amount_minor", refunded.map(|amount| amount.to_string())),
        ("state", state.map(value)),
        ("order_type", order_type.map(value)),
        ("pay_time", pay_time),
        ("platform", platform.map(value)),
        ("platform_id", platform_id),
        ("mis_id", mis_id),
        ("order_id", order_id),
        ("ori_mis_id", ori_mis_id),
        ("ori_order_id", ori_order_id),
        ("business_id", business_id),
        ("msn", msn),
        ("result_code", result_code),
        ("result_message", result_message),
    ];
    let of_answer = of_answer.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let unrecognized = unrecognized.iter().map(|(name, value)| (name.as_str(), value.clone()));
    let all: Vec<String> =
        of_answer.chain(unrecognized).map(|(name, value)| format!("{name} {value}")).collect();
    match all.is_empty() {
        true => Lines::new(),
        false => vec![("answer", all.join(", "))],
    }
}
