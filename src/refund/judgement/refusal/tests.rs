use super::*;
use crate::ledger::Baseline;

fn found(total: i64, refunded: i64, state: TradeState, amount: Option<i64>) -> PaymentThen {
    PaymentThen::Found(Baseline { total, floor: 0, refunded, state, amount, open: Vec::new() })
}

#[test]
fn a_refusal_is_explained_by_what_was_seen_before_the_send_alone() {
    let paid = |total, committed| found(total, committed, TradeState::Succeeded, Some(100));
    let ended = || found(0, 0, TradeState::Ended, Some(100));
    use Fault::{
        NotARefundOrder, OrderNotFound, OrderNumberIllegal, RefundAmountWrong,
        SameDayPartialRefundNotSupported, SunmiCodeUnrecognized, TooManyRequests, TransactionEnded,
        TransactionInvalid, TransactionNotSupported,
    };
    let table = [
        (RefundAmountWrong, paid(91, 0), 10, true),
        (RefundAmountWrong, paid(90, 0), 10, false),
        (RefundAmountWrong, paid(0, 91), 10, true),
        (RefundAmountWrong, paid(50, 41), 10, false),
        (RefundAmountWrong, paid(i64::MIN, 0), 10, false),
        (RefundAmountWrong, found(0, 0, TradeState::Succeeded, None), 10, false),
        (RefundAmountWrong, PaymentThen::NotFound, 10, false),
        (TransactionEnded, ended(), 10, true),
        (TransactionNotSupported, ended(), 10, true),
        (TransactionInvalid, ended(), 10, true),
        (TransactionEnded, paid(0, 0), 10, false),
        (TransactionInvalid, PaymentThen::NotShown, 10, false),
        (OrderNotFound, PaymentThen::NotFound, 10, true),
        (OrderNotFound, PaymentThen::NotShown, 10, false),
        (OrderNotFound, PaymentThen::NotLooked, 10, false),
        (OrderNotFound, paid(0, 0), 10, false),
        (SameDayPartialRefundNotSupported, paid(0, 0), 99, false),
        (SameDayPartialRefundNotSupported, paid(0, 0), 100, false),
        (SameDayPartialRefundNotSupported, PaymentThen::NotFound, 99, false),
        (TooManyRequests, ended(), 10, false),
        (OrderNumberIllegal, ended(), 10, false),
        (NotARefundOrder, ended(), 10, false),
        (SunmiCodeUnrecognized, ended(), 10, false),
    ];
    for (fault, payment, amount, expected) in table {
        assert_eq!(is_explained(fault, &payment, amount), expected, "{fault:?} {payment:?}");
    }
}

const NUMBERS: [NumberSeen; 8] = [
    NumberSeen::Absent,
    NumberSeen::Unanswered,
    NumberSeen::Refund(Course::Succeeded),
    NumberSeen::Refund(Course::UnderWay),
    NumberSeen::Refund(Course::Failed),
    NumberSeen::Refund(Course::Odd),
    NumberSeen::Unclear,
    NumberSeen::Other,
];

const TOTALS: [Total; 4] =
    [Total::NotAsked, Total::Excludes, Total::PaymentUnfindable, Total::Silent("nothing")];

#[test]
fn a_refusal_is_believed_at_once_if_it_had_to_come_and_else_after_two_looks() {
    let paid = || found(0, 0, TradeState::Succeeded, Some(100));
    let nowhere = || PaymentThen::NotFound;
    for (number, total) in NUMBERS.into_iter().flat_map(|it| TOTALS.map(|total| (it, total))) {
        for (explained, payment) in
            [(true, paid()), (true, nowhere()), (false, paid()), (false, nowhere())]
        {
            let absent = number == NumberSeen::Absent;
            let clean = match payment {
                PaymentThen::Found(_) => absent && total == Total::Excludes,
                PaymentThen::NotLooked | PaymentThen::NotFound | PaymentThen::NotShown => {
                    absent || number == NumberSeen::Unanswered
                }
            };
            let expected = match (explained && absent, clean) {
                (true, true) => [Belief::Believed; 2],
                (false, true) => [Belief::LookAgain, Belief::Believed],
                (_, false) => [Belief::Doubt; 2],
            };
            let believed = [false, true]
                .map(|before| believe_refusal(explained, &payment, (number, total), before));
            assert_eq!(believed, expected, "{explained} {payment:?} {number:?} {total:?}");
        }
    }
}

#[test]
fn a_failure_is_believed_after_two_looks_that_show_no_money_moved() {
    for (number, total) in NUMBERS.into_iter().flat_map(|it| TOTALS.map(|total| (it, total))) {
        let number_fits =
            [NumberSeen::Absent, NumberSeen::Refund(Course::Failed)].contains(&number);
        let clean = number_fits && [Total::Excludes, Total::PaymentUnfindable].contains(&total);
        let expected = match clean {
            true => [Belief::LookAgain, Belief::Believed],
            false => [Belief::Doubt; 2],
        };
        let believed = [false, true].map(|before| believe_failure((number, total), before));
        assert_eq!(believed, expected, "{number:?} {total:?}");
    }
}

#[test]
fn what_holds_of_refunds_in_processing_explains_that_too_little_was_left() {
    let paid = |total, refunded| found(total, refunded, TradeState::Succeeded, Some(25));
    let table = [
        (Fault::RefundAmountWrong, paid(0, 0), 20, true),
        (Fault::RefundAmountWrong, paid(0, 0), 15, false),
        (Fault::RefundAmountWrong, paid(0, 10), 10, true),
        (Fault::RefundAmountWrong, paid(20, 0), 0, true),
        (Fault::TransactionInvalid, paid(0, 0), 20, false),
        (Fault::RefundAmountWrong, PaymentThen::NotFound, 20, false),
    ];
    for (fault, payment, hold, expected) in table {
        assert_eq!(is_used_up(fault, &payment, hold, 10), expected, "{fault:?} {payment:?} {hold}");
    }
}
