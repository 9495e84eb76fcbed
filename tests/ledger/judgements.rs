//! What must hold before a refund in doubt is judged never to have happened.

use std::time::Duration;

use sunmi_trade::ledger::{Key, Ledger, State};
use sunmi_trade::trade::{OrderRef, Refund, TradeState};

use crate::bench::{Bench, LEASE, WINDOW, answer, bring, claim, id, on_every_ledger, refund, row};

on_every_ledger! {
    a_window_must_be_over
    another_refund_of_the_payment_must_not_be_recent
    a_refund_of_another_payment_is_in_nobodys_way
    what_is_known_to_be_refunded_is_what_is_settled_as_succeeded
}

const MILLISECOND: Duration = Duration::from_millis(1);

async fn judge(ledger: &Ledger, refund: &Refund) -> bool {
    let row = row(ledger, refund).await;
    ledger.judge_not_applied(&row, WINDOW).await.unwrap()
}

async fn a_window_must_be_over(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund = refund("R1");
    bring(&ledger, &refund, State::InDoubt).await;
    bench.pass(LEASE + WINDOW - MILLISECOND);
    assert!(!row(&ledger, &refund).await.is_past(WINDOW));
    assert!(!judge(&ledger, &refund).await);
    assert_eq!(row(&ledger, &refund).await.state, State::InDoubt);
    bench.pass(MILLISECOND);
    assert!(row(&ledger, &refund).await.is_past(WINDOW));
    assert!(judge(&ledger, &refund).await);
    assert_eq!(row(&ledger, &refund).await.state, State::NotApplied);
}

async fn another_refund_of_the_payment_must_not_be_recent(bench: &Bench) {
    let ledger = bench.ledger().await;
    let refund_of = |payment: &str, number: &str| Refund {
        original: OrderRef::OrderId(id(payment)),
        ..refund(number)
    };
    // The other's state, and whether it is out of the way once its lease and the window are
    // over.
    let table = [
        ("sent, refused", State::NotApplied, true),
        ("sent, in doubt", State::InDoubt, true),
        ("sent, accepted", State::Processing, true),
        ("sent, settled", State::Settled, true),
        ("may be sent", State::Claimed, false),
    ];
    for (payment, (why, state, free_then)) in ["P1", "P2", "P3", "P4", "P5"].iter().zip(table) {
        let doubtful = refund_of(payment, &format!("{payment}-doubtful"));
        let other = refund_of(payment, &format!("{payment}-other"));
        bring(&ledger, &doubtful, State::InDoubt).await;
        bench.pass(LEASE + WINDOW);
        bring(&ledger, &other, state).await;
        assert!(!judge(&ledger, &doubtful).await, "{why}, just now");
        // It may be sent until its lease is over.
        bench.pass(LEASE + WINDOW - MILLISECOND);
        assert!(!judge(&ledger, &doubtful).await, "{why}, within the window");
        bench.pass(MILLISECOND);
        assert_eq!(judge(&ledger, &doubtful).await, free_then, "{why}, long ago");
    }

    // One that was sent long ago and is settled only now counts as recent once more.
    let (doubtful, slow) = (refund_of("P6", "doubtful"), refund_of("P6", "slow"));
    bring(&ledger, &doubtful, State::InDoubt).await;
    bring(&ledger, &slow, State::Processing).await;
    bench.pass(LEASE + WINDOW);
    let done = answer(&slow, TradeState::Succeeded);
    assert!(ledger.settle(&slow, 1, &done).await.unwrap());
    assert!(!judge(&ledger, &doubtful).await, "settled just now");
    bench.pass(WINDOW);
    assert!(judge(&ledger, &doubtful).await);
}

async fn a_refund_of_another_payment_is_in_nobodys_way(bench: &Bench) {
    let ledger = bench.ledger().await;
    let doubtful = refund("R1");
    bring(&ledger, &doubtful, State::InDoubt).await;
    bench.pass(LEASE + WINDOW);
    let others = [
        Refund { original: OrderRef::OrderId(id("Q")), ..refund("R2") },
        // The same text, but another kind of number.
        Refund { original: OrderRef::MisId(id("P")), ..refund("R3") },
        Refund { app_id: id("other"), ..refund("R1") },
    ];
    for other in &others {
        claim(&ledger, other).await;
    }
    assert!(judge(&ledger, &doubtful).await);
}

async fn what_is_known_to_be_refunded_is_what_is_settled_as_succeeded(bench: &Bench) {
    let ledger = bench.ledger().await;
    let asked = bring(&ledger, &refund("asked"), State::InDoubt).await;
    assert_eq!(ledger.refunded(&asked).await.unwrap(), 0);
    for (number, amount, state) in [
        ("R1", 1, State::Settled),
        ("R2", 10, State::Settled),
        ("R3", 100, State::Claimed),
        ("R4", 1_000, State::InDoubt),
        ("R5", 10_000, State::Processing),
        ("R6", 100_000, State::NotApplied),
    ] {
        bring(&ledger, &Refund { amount, ..refund(number) }, state).await;
    }
    let failed = Refund { amount: 1_000_000, ..refund("R7") };
    let epoch = claim(&ledger, &failed).await;
    let answer = answer(&failed, TradeState::Failed);
    assert!(ledger.settle(&failed, epoch, &answer).await.unwrap());
    for (number, other) in [
        ("R8", Refund { original: OrderRef::OrderId(id("Q")), ..refund("R8") }),
        ("R9", Refund { original: OrderRef::PlatformId(id("P")), ..refund("R9") }),
        ("R1", Refund { app_id: id("other"), ..refund("R1") }),
    ] {
        bring(&ledger, &Refund { amount: 10_000_000, ..other }, State::Settled).await;
        assert_eq!(ledger.refunded(&asked).await.unwrap(), 11, "{number}");
    }
    // Refunds of the largest amounts do not overflow what they are summed in.
    let large =
        Refund { original: OrderRef::OrderId(id("L")), amount: i64::MAX / 4, ..refund("L1") };
    bring(&ledger, &large, State::Settled).await;
    let more = Refund { order_id: id("L2"), ..large.clone() };
    let asked = bring(&ledger, &more, State::Settled).await;
    assert_eq!(ledger.refunded(&asked).await.unwrap(), i64::MAX / 4 * 2);
    assert!(ledger.read(&Key::of(&large)).await.unwrap().is_some());
}
