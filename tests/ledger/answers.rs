//! A recorded answer is read as it was written, whatever Sunmi put into it.

use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use sunmi_trade::ledger::{Key, Settled};
use sunmi_trade::trade::{
    Evidence, OrderType, PaymentPlatform, RefundTrade, Refunded, TradeState, UnixSeconds,
};

use crate::bench::{Bench, claim, on_every_ledger, refund, row};

on_every_ledger! {
    answers_are_read_as_they_were_written
}

const ANSWERS: usize = 64;

fn text() -> BoxedStrategy<Option<String>> {
    option::of(any::<String>()).boxed()
}

fn refund_trade() -> impl Strategy<Value = RefundTrade> {
    let states = [
        TradeState::Created,
        TradeState::Unpaid,
        TradeState::Succeeded,
        TradeState::Ended,
        TradeState::Failed,
        TradeState::Processing,
    ];
    let platforms = [PaymentPlatform::Wxpay, PaymentPlatform::Alipay, PaymentPlatform::Unionpay];
    let seconds =
        (-62_135_596_800..=253_402_300_799i64).prop_map(|at| UnixSeconds::new(at).unwrap());
    let numbers = (any::<Option<i64>>(), option::of(seconds), any::<bool>());
    let enums = (
        option::of(select(vec![OrderType::Payment, OrderType::Refund])),
        option::of(select(platforms.to_vec())),
        option::of(select(states.to_vec())),
    );
    let texts = proptest::collection::vec(text(), 9);
    let unrecognized = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4);
    (numbers, enums, texts, unrecognized).prop_map(|(numbers, enums, texts, unrecognized)| {
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap();
        RefundTrade {
            amount: numbers.0,
            business_id: text(),
            mis_id: text(),
            msn: text(),
            order_id: text(),
            order_type: enums.0,
            ori_mis_id: text(),
            ori_order_id: text(),
            pay_time: numbers.1,
            platform: enums.1,
            platform_id: text(),
            result_code: text(),
            result_message: text(),
            state: enums.2,
            doubtful: numbers.2,
            unrecognized,
        }
    })
}

fn refunded() -> impl Strategy<Value = Refunded> {
    let evidence = select(vec![Evidence::Reply, Evidence::Query, Evidence::Operator]);
    (refund_trade(), evidence).prop_map(|(trade, evidence)| Refunded {
        trade,
        evidence,
        replayed: false,
    })
}

async fn answers_are_read_as_they_were_written(bench: &Bench) {
    let ledger = bench.ledger().await;
    let mut runner = TestRunner::default();
    for at in 0..ANSWERS {
        let written = refunded().new_tree(&mut runner).unwrap().current();
        let refund = refund(&format!("R{at}"));
        claim(&ledger, &refund).await;
        let settled = ledger.settle(&Key::of(&refund), &written).await.unwrap();
        assert_eq!(settled, Settled::Written);
        assert_eq!(row(&ledger, &refund).await.answer, Some(written));
    }
}
