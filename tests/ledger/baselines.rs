//! What the ledger adds to a look at the payment before a claim.

use std::time::Duration;

use sunmi_trade::ledger::{Baseline, Ledger, Looked, OpenThen, PaymentThen, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{
    Bench, acknowledging, answer, bring, claim, claim_after, fresh, looked, on_every_ledger,
    refund_of, row,
};

on_every_ledger! {
    a_baseline_has_what_the_ledger_knows_of_the_payment
    a_floor_is_there_only_while_a_total_may_trail
    what_was_not_found_has_no_baseline
    the_largest_amounts_are_summed
}

const LAG: Duration = Duration::from_secs(5);
const MILLISECOND: Duration = Duration::from_millis(1);

/// The payment, as a look finds it.
fn found() -> Baseline {
    Baseline {
        total: 11,
        floor: 0,
        refunded: 0,
        state: TradeState::Succeeded,
        amount: Some(10_000_000),
        open: Vec::new(),
    }
}

async fn claimed_then(ledger: &Ledger, refund: &Refund) -> Baseline {
    let payment = PaymentThen::Found(found());
    let seen = Looked { payment, unseen: LAG, ..looked(ledger, refund).await };
    let claimed = fresh(claim_after(ledger, refund, &seen).await);
    match claimed.evidence.payment {
        PaymentThen::Found(then) => then,
        other @ (PaymentThen::NotLooked | PaymentThen::NotFound | PaymentThen::NotShown) => {
            panic!("no baseline: {other:?}")
        }
    }
}

async fn a_baseline_has_what_the_ledger_knows_of_the_payment(bench: &Bench) {
    let ledger = bench.ledger().await;
    let mut numbers = Vec::new();
    for (number, amount, state) in [
        ("R1", 1, State::Settled),
        ("R2", 10, State::Settled),
        ("R3", 100, State::Claimed),
        ("R4", 1_000, State::InDoubt),
        ("R5", 10_000, State::Processing),
        ("R6", 100_000, State::NotApplied),
    ] {
        let refund = Refund { amount, ..acknowledging(refund_of("P", number), &numbers) };
        bring(&ledger, &refund, state).await;
        numbers.push(number);
    }
    let failed = Refund { amount: 1_000_000, ..acknowledging(refund_of("P", "R7"), &numbers) };
    claim(&ledger, &failed).await;
    let answer = answer(&failed, TradeState::Failed);
    assert!(ledger.fail(&row(&ledger, &failed).await, &answer).await.unwrap());
    bring(&ledger, &refund_of("Q", "of-another-payment"), State::Settled).await;

    let asked = acknowledging(refund_of("P", "R8"), &numbers);
    let mut then = claimed_then(&ledger, &asked).await;
    then.open.sort_by(|a, b| a.order_id.cmp(&b.order_id));
    let open = |number: &str, amount| OpenThen {
        app_id: "app".to_owned(),
        order_id: number.to_owned(),
        epoch: 1,
        amount,
    };
    let open = vec![open("R3", 100), open("R4", 1_000), open("R5", 10_000)];
    assert_eq!(then, Baseline { floor: 11, refunded: 11, open, ..found() });
}

async fn a_floor_is_there_only_while_a_total_may_trail(bench: &Bench) {
    let ledger = bench.ledger().await;
    bring(&ledger, &refund_of("P", "old"), State::Settled).await;
    bench.pass(2 * LAG);
    bring(&ledger, &refund_of("P", "new"), State::Settled).await;
    // All of it: what the total has of it, nobody can tell.
    for (number, passes, floor) in [("R1", LAG - MILLISECOND, 200), ("R2", MILLISECOND, 0)] {
        bench.pass(passes);
        let refund = acknowledging(refund_of("P", number), &["R1"]);
        let then = claimed_then(&ledger, &refund).await;
        assert_eq!((then.floor, then.refunded), (floor, 200), "{number}");
    }
    // Settled in the future: the clock went back.
    bench.step_back(20 * LAG);
    let refund = acknowledging(refund_of("P", "R3"), &["R1", "R2"]);
    assert_eq!(claimed_then(&ledger, &refund).await.floor, 200);
}

async fn what_was_not_found_has_no_baseline(bench: &Bench) {
    let ledger = bench.ledger().await;
    bring(&ledger, &refund_of("P", "R0"), State::Settled).await;
    let none = [PaymentThen::NotLooked, PaymentThen::NotFound, PaymentThen::NotShown];
    let mut claimed = Vec::new();
    for (number, payment) in ["R1", "R2", "R3"].into_iter().zip(none) {
        let refund = acknowledging(refund_of("P", number), &claimed);
        let seen = Looked { payment: payment.clone(), ..looked(&ledger, &refund).await };
        let row = fresh(claim_after(&ledger, &refund, &seen).await);
        assert_eq!(row.evidence.payment, payment);
        claimed.push(number);
    }
}

async fn the_largest_amounts_are_summed(bench: &Bench) {
    let ledger = bench.ledger().await;
    for number in ["R1", "R2", "R3"] {
        let refund = Refund { amount: i64::MAX, ..refund_of("P", number) };
        bring(&ledger, &refund, State::Settled).await;
    }
    let then = claimed_then(&ledger, &refund_of("P", "R4")).await;
    assert_eq!((then.floor, then.refunded), (i64::MAX, i64::MAX));
}
