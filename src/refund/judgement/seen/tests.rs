use proptest::prelude::*;

use super::*;
use crate::trade::Identifier;

fn look(trade: Trade) -> Look {
    Ok(Answered { value: trade, attempts: 1 })
}

/// What a look shows for a refund of 10 of the payment that the shop calls P1.
fn shown(look: &Look) -> Option<NumberSeen> {
    let original = OrderRef::OrderId(Identifier::parse("P1".to_owned()).unwrap());
    number(&Asked { amount: 10, original: &original }, look)
}

fn refund(amount: i64, state: TradeState) -> Trade {
    Trade {
        order_type: Some(OrderType::Refund),
        amount: Some(amount),
        state: Some(state),
        ..Trade::default()
    }
}

#[test]
fn a_number_shows_a_refund_of_the_amount_or_something_less() {
    let this = || refund(10, TradeState::Succeeded);
    let table = [
        (this(), NumberSeen::Refund(Course::Succeeded)),
        (refund(10, TradeState::Created), NumberSeen::Refund(Course::UnderWay)),
        (refund(10, TradeState::Unpaid), NumberSeen::Refund(Course::UnderWay)),
        (refund(10, TradeState::Processing), NumberSeen::Refund(Course::UnderWay)),
        (refund(10, TradeState::Failed), NumberSeen::Refund(Course::Failed)),
        (refund(10, TradeState::Ended), NumberSeen::Refund(Course::Odd)),
        (Trade { state: None, ..this() }, NumberSeen::Refund(Course::Odd)),
        (refund(11, TradeState::Succeeded), NumberSeen::Other),
        (Trade { order_type: Some(OrderType::Payment), ..this() }, NumberSeen::Other),
        (Trade { order_type: None, ..refund(11, TradeState::Failed) }, NumberSeen::Other),
        (Trade { order_type: None, ..this() }, NumberSeen::Unclear),
        (Trade { amount: None, ..this() }, NumberSeen::Unclear),
        (Trade::default(), NumberSeen::Unclear),
    ];
    for (trade, expected) in table {
        assert_eq!(shown(&look(trade.clone())), Some(expected), "{trade:?}");
    }
    let others =
        Trade { unrecognized: [("oriOrderId".to_owned(), "P2".to_owned())].into(), ..this() };
    assert_eq!(shown(&look(others)), Some(NumberSeen::Unclear));
    let under_way = Trade { state: Some(TradeState::Processing), ..Trade::default() };
    assert_eq!(shown(&look(under_way)), None);
}

#[test]
fn a_payment_is_found_only_under_the_name_that_was_asked_for() {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    let some = |text: &str| Some(text.to_owned());
    let paid = || Trade {
        order_type: Some(OrderType::Payment),
        state: Some(TradeState::Succeeded),
        amount: Some(100),
        refunded: Some(7),
        ..Trade::default()
    };
    let facts = PaymentFacts {
        total: Some(7),
        state: TradeState::Succeeded,
        amount: Some(100),
        names: PaymentNames::default(),
    };
    let found = |trade: &Trade| {
        let names = PaymentNames::from(trade);
        PaymentSeen::Found(PaymentFacts { names, ..facts.clone() })
    };
    let (order, register, platform) =
        (OrderRef::OrderId(id("1")), OrderRef::MisId(id("1")), OrderRef::PlatformId(id("1")));
    let table = [
        (&order, paid(), Some(true)),
        (&order, Trade { order_id: some("1"), ..paid() }, Some(true)),
        (&order, Trade { order_id: some("2"), ..paid() }, None),
        (&order, Trade { mis_id: some("2"), platform_id: some("2"), ..paid() }, Some(true)),
        (&register, Trade { mis_id: some("2"), ..paid() }, None),
        (&platform, Trade { platform_id: some("2"), ..paid() }, None),
        (&order, refund(100, TradeState::Succeeded), Some(false)),
        (&order, Trade { order_type: None, ..paid() }, Some(false)),
        (&order, Trade { state: None, ..paid() }, Some(false)),
    ];
    for (asked, trade, expected) in table {
        let expected = expected.map(|is_found| match is_found {
            true => found(&trade),
            false => PaymentSeen::NotShown,
        });
        assert_eq!(payment(asked, &look(trade.clone())), expected, "{asked:?} {trade:?}");
    }
}

/// Section 4 of the design: what keeps a refund from being begun, code by code.
#[test]
fn a_look_that_fails_says_something_only_if_sunmi_answered_of_the_order() {
    let by_sunmi = crate::sunmi::codes::CODES.iter().filter_map(|row| match row.meaning {
        crate::sunmi::codes::Meaning::Fault(fault) => Some((row.code, fault)),
        crate::sunmi::codes::Meaning::Success | crate::sunmi::codes::Meaning::Processing => None,
    });
    for (code, fault) in by_sunmi.chain([("X99", Fault::SunmiCodeUnrecognized)]) {
        let unread = ["20000", "S03", "F04", "R03", "E05", "R02"].contains(&code);
        let answered = match code {
            "E19" => NumberSeen::Absent,
            _ => NumberSeen::Unanswered,
        };
        let expected = Some(answered).filter(|_| !unread);
        assert_eq!(shown(&Err(Error::new(fault))), expected, "{code}");
    }
    for fault in [
        Fault::UpstreamUnreachable,
        Fault::UpstreamInterrupted,
        Fault::UpstreamHttpUnavailable,
        Fault::UpstreamHttpThrottled,
        Fault::UpstreamHttpRefused,
        Fault::UpstreamHttpOther,
        Fault::UpstreamReplyUnreadable,
        Fault::DeadlineExceeded,
        Fault::Overloaded,
        Fault::Internal,
    ] {
        assert_eq!(shown(&Err(Error::new(fault))), None, "{fault:?}");
    }
    let accepted = |how| {
        let error = Error::new(Fault::UpstreamReplyUnreadable);
        Err(error.with(|context| context.accepted = Some(how)))
    };
    let without_data = shown(&accepted(Accepted::WithoutData));
    assert_eq!(without_data, Some(NumberSeen::Unanswered));
    assert_eq!(shown(&accepted(Accepted::Unusable)), None);
}

proptest! {
    /// What is told less never shows more: a refund, of the amount, is shown only by an answer
    /// that says both.
    #[test]
    fn less_in_an_answer_never_shows_a_refund(
        order_type in proptest::option::of(proptest::sample::select(vec![
            OrderType::Payment, OrderType::Refund,
        ])),
        amount in proptest::option::of(9i64..12),
    ) {
        let trade = Trade { order_type, amount, ..refund(10, TradeState::Succeeded) };
        let seen = shown(&look(trade));
        let is_it = order_type == Some(OrderType::Refund) && amount == Some(10);
        prop_assert_eq!(matches!(seen, Some(NumberSeen::Refund(_))), is_it);
    }
}
