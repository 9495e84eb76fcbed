use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::bench::{Bench, E19, found, id, payment, refund};
use crate::error::{Fault, RefundOutcome};
use crate::ledger::{Decision, Key, PaymentThen, Row, State};
use crate::refund::Refunds;
use crate::sunmi::Answered;
use crate::trade::{Evidence, OrderRef, Refund, RefundTrade, Refunded};

const DONE: &str = r#"{"code":"1","data":{"orderType":"1","state":"3","amount":"10"}}"#;

/// A refusal, or D01, without data.
fn code(code: &str) -> String {
    format!(r#"{{"code":"{code}","msg":"x"}}"#)
}

/// What a caller is told.
async fn told(bench: &Bench, refund: &Refund) -> Result<(), (Fault, RefundOutcome)> {
    let answer: Result<Answered<Refunded>, _> = bench.refund(refund).await;
    answer.map(drop).map_err(|error| (error.fault(), error.refund_outcome()))
}

async fn row(bench: &Bench, refund: &Refund) -> Row {
    bench.ledger.row(&Key::of(refund)).await.unwrap()
}

/// The resolver looks now, and once more when the window is over.
async fn judge(bench: &Bench) {
    bench.refunds.work_off().await;
    bench.pass(3_700);
    bench.refunds.work_off().await;
    bench.pass(3_700);
    bench.refunds.work_off().await;
}

/// The refund was sent, and a repeated request's refusal came back; its number is not shown, but
/// as being processed.
#[tokio::test]
async fn that_something_is_being_processed_never_bears_out_a_refusal() {
    let mut sent = false;
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            sent = true;
            return Some(code("E20"));
        }
        Some(if sent && form.contains_key("orderId") { code("D01") } else { code("E19") })
    })
    .await;
    let asked = refund("R1", 10);
    for _ in 0..3 {
        let unknown = Err((Fault::RefundOutcomeUnknown, RefundOutcome::Unknown));
        assert_eq!(told(&bench, &asked).await, unknown);
        bench.pass(6);
        bench.refunds.work_off().await;
        assert_eq!(row(&bench, &asked).await.state, State::InDoubt);
    }
    assert_eq!(bench.posts(), 1);
}

/// A number that was refused is found under way by the look before the next send; the look after
/// that trails.
#[tokio::test]
async fn a_refusal_of_an_earlier_claim_is_not_believed_of_what_was_found_since() {
    let looks = AtomicUsize::new(0);
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            return Some(code("S04"));
        }
        Some(match form.get("orderId") {
            Some(_) if looks.fetch_add(1, Ordering::SeqCst) == 1 => found("R1", 10, "1"),
            Some(_) => E19.to_owned(),
            None => payment("X", 0),
        })
    })
    .await;
    let asked = refund("R1", 10);
    let refused = Err((Fault::PaymentChannelNotOpened, RefundOutcome::NotApplied));
    assert_eq!(told(&bench, &asked).await, refused);
    for _ in 0..3 {
        let unknown = Err((Fault::RefundOutcomeUnknown, RefundOutcome::Unknown));
        assert_eq!(told(&bench, &asked).await, unknown);
    }
    assert_eq!((bench.posts(), row(&bench, &asked).await.state), (1, State::InDoubt));
}

#[tokio::test]
async fn what_a_person_called_refunded_hides_no_other_refund() {
    let mut total = 0;
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            total += if form["orderId"] == "R1" { 10 } else { 0 };
            return None;
        }
        Some(match form.get("orderId") {
            Some(_) => E19.to_owned(),
            None => payment("X", total),
        })
    })
    .await;
    let (paid_in_cash, asked) = (refund("R0", 10), refund("R1", 10));
    assert!(told(&bench, &paid_in_cash).await.is_err());
    let trade = RefundTrade::default();
    let word = Refunded { trade, evidence: Evidence::Operator, replayed: false };
    let decision = Decision { by: "somebody".to_owned(), reason: "in cash".to_owned() };
    let seen = row(&bench, &paid_in_cash).await;
    assert!(bench.ledger.decide(&seen, Some(&word), &decision).await.unwrap());
    bench.pass(1);
    assert!(told(&bench, &asked).await.is_err());
    judge(&bench).await;
    assert_eq!(row(&bench, &asked).await.state, State::InDoubt);
}

/// Two merchants of one vendor number their tills alike.
#[tokio::test]
async fn a_refund_of_another_shops_payment_hides_none_of_this_one() {
    let mut total = 0;
    let bench = Bench::new(move |path, form| {
        let ours = form["msn"] == "M1";
        if path.ends_with("refund") {
            total += if ours { 10 } else { 0 };
            return (!ours).then(|| DONE.to_owned());
        }
        Some(match form.get("orderId") {
            None if ours => payment("X", total),
            _ => E19.to_owned(),
        })
    })
    .await;
    let theirs = Refund { msn: id("M2"), ..refund("R2", 10) };
    let ours = refund("R1", 10);
    assert_eq!(told(&bench, &theirs).await, Ok(()));
    bench.pass(1);
    assert!(told(&bench, &ours).await.is_err());
    judge(&bench).await;
    let row = row(&bench, &ours).await;
    assert_eq!(row.state, State::InDoubt);
    let PaymentThen::Found(base) = row.evidence.payment else { panic!("no baseline") };
    assert_eq!((base.floor, base.refunded), (0, 0));
}

#[tokio::test]
async fn a_repeat_of_who_hung_up_before_a_refusal_is_told_of_it_and_sends_nothing() {
    let mut sent = 0;
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            sent += 1;
            return Some(if sent == 1 { code("S04") } else { DONE.to_owned() });
        }
        Some(match form.get("orderId") {
            Some(_) => E19.to_owned(),
            None => payment("X", 0),
        })
    })
    .await;
    let asked = refund("R1", 10);
    let mut changes = bench.ledger.changes(&Key::of(&asked));
    tokio::select! {
        biased;
        // Until it is claimed: the answer takes a while.
        () = changes.next() => {}
        _ = bench.refund(&asked) => panic!("it was answered"),
    }
    while !row(&bench, &asked).await.is_at_rest() {
        changes.next().await;
    }
    bench.refunds.idle().await;
    assert!(!row(&bench, &asked).await.told);
    let not_applied = Err((Fault::RefundNotApplied, RefundOutcome::NotApplied));
    assert_eq!((told(&bench, &asked).await, bench.posts()), (not_applied, 1));
    assert_eq!((told(&bench, &asked).await, bench.posts()), (Ok(()), 2));
}

#[tokio::test]
async fn another_refund_that_has_a_name_of_the_answer_is_not_taken_for_this_one() {
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            let under_way = r#"{"orderType":"1","state":"1","amount":"10","platformId":"Y"}"#;
            return Some(format!(r#"{{"code":"1","data":{under_way}}}"#));
        }
        Some(match (form.get("orderId"), form.get("platformId")) {
            (Some(_), _) => E19.to_owned(),
            (_, Some(_)) => found("R9", 10, "3"),
            _ => payment("X", 10),
        })
    })
    .await;
    let asked = refund("R1", 10);
    assert_eq!(told(&bench, &asked).await, Ok(()));
    bench.refunds.work_off().await;
    assert_eq!(row(&bench, &asked).await.state, State::Processing);
}

#[tokio::test]
async fn a_name_of_the_payment_that_was_found_once_is_not_forgotten() {
    let sent = Arc::new(AtomicUsize::new(0));
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            let first = sent.fetch_add(1, Ordering::SeqCst) == 0;
            return (form["orderId"] != "R1" || first)
                .then(|| if first { code("S04") } else { DONE.to_owned() });
        }
        let found = form.contains_key("misId") && sent.load(Ordering::SeqCst) == 0;
        Some(if found { payment("X", 0) } else { E19.to_owned() })
    })
    .await;
    let asked = refund("R1", 10);
    assert!(told(&bench, &asked).await.is_err());
    assert!(told(&bench, &asked).await.is_err());
    assert_eq!(row(&bench, &asked).await.state, State::InDoubt);
    let by_platform = Refund { original: OrderRef::PlatformId(id("X")), ..refund("R2", 10) };
    let in_flight = Err((Fault::RefundInFlight, RefundOutcome::NotAttempted));
    assert_eq!((told(&bench, &by_platform).await, bench.posts()), (in_flight, 2));
}

/// A refund in processing has failed, and its money can be refunded again; a proxy repeats the
/// request, of which the second copy is refused.
#[tokio::test]
async fn a_refusal_is_not_explained_by_what_was_in_processing() {
    let total = AtomicI64::new(0);
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            let first = form["orderId"] == "R0";
            total.store(if first { 0 } else { 600 }, Ordering::SeqCst);
            return Some(code(if first { "D01" } else { "E22" }));
        }
        Some(match form.get("orderId") {
            Some(_) => E19.to_owned(),
            None => payment("X", total.load(Ordering::SeqCst)),
        })
    })
    .await;
    assert_eq!(told(&bench, &refund("R0", 900)).await, Ok(()));
    let unknown = Err((Fault::RefundOutcomeUnknown, RefundOutcome::Unknown));
    assert_eq!(told(&bench, &refund("R1", 600)).await, unknown);
}

#[tokio::test]
async fn a_failure_is_not_written_over_what_another_process_found_meanwhile() {
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            return Some(found("x", 10, "5"));
        }
        Some(match form.get("orderId") {
            Some(_) => E19.to_owned(),
            None => payment("X", 0),
        })
    })
    .await;
    let asked = refund("R1", 10);
    assert!(told(&bench, &asked).await.is_err());
    let before = row(&bench, &asked).await;
    bench.pass(6);
    let trade = RefundTrade::default();
    let seen = Refunded { trade, evidence: Evidence::Query, replayed: false };
    assert!(bench.ledger.processing(&before.key, &seen).await.unwrap());
    bench.refunds.resolve(&before).await;
    assert_eq!(row(&bench, &asked).await.state, State::Processing);
}

/// The record of a refusal is made, and its answer is lost: the caller hears that nothing is
/// known, and asks again.
#[tokio::test]
async fn a_repeat_of_who_was_told_unknown_is_told_of_the_refusal_and_sends_nothing() {
    let lose = Arc::new(OnceLock::<Arc<AtomicBool>>::new());
    let loses = Arc::clone(&lose);
    let bench = Bench::new(move |path, form| {
        if path.ends_with("refund") {
            if let Some(loses) = loses.get() {
                loses.store(true, Ordering::SeqCst);
            }
            return Some(code("S04"));
        }
        Some(match form.get("orderId") {
            Some(_) => E19.to_owned(),
            None => payment("X", 0),
        })
    })
    .await;
    lose.set(Arc::clone(&bench.loses_record)).unwrap();
    let asked = refund("R1", 10);
    let unknown = Err((Fault::RefundOutcomeUnknown, RefundOutcome::Unknown));
    assert_eq!(told(&bench, &asked).await, unknown);
    bench.refunds.idle().await;
    let not_applied = Err((Fault::RefundNotApplied, RefundOutcome::NotApplied));
    assert_eq!((told(&bench, &asked).await, bench.posts()), (not_applied, 1));
}

impl Refunds {
    /// Waits until nothing works on a refund any more.
    async fn idle(&self) {
        while !self.tasks.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}
