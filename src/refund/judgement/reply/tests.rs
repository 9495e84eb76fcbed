use proptest::prelude::*;

use super::*;
use crate::error::{Accepted, SunmiWords};
use crate::trade::{Identifier, Note, TradeState};

fn id(text: &str) -> Identifier {
    Identifier::parse(text.to_owned()).unwrap()
}

fn asked_by(original: OrderRef) -> Refund {
    Refund {
        app_id: id("app"),
        msn: id("device"),
        amount: 10,
        original,
        order_id: id("R1"),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

fn asked() -> Refund {
    asked_by(OrderRef::OrderId(id("P1")))
}

fn done() -> RefundTrade {
    RefundTrade { state: Some(TradeState::Succeeded), ..RefundTrade::default() }
}

fn word(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Succeeded(_) => "succeeded",
        Verdict::Processing(_) => "processing",
        Verdict::Failed(_) => "failed",
        Verdict::Refused(_) => "refused",
        Verdict::RefusedTrade(_) => "refused trade",
        Verdict::NotSent(_) => "not sent",
        Verdict::Doubt(_) => "doubt",
    }
}

fn judged(refund: &Refund, trade: RefundTrade) -> Verdict {
    judge(refund, Ok(Answered { value: trade, attempts: 1 }), &[])
}

#[test]
fn a_success_goes_by_its_state() {
    let table = [
        (Some(TradeState::Succeeded), "succeeded"),
        (Some(TradeState::Created), "processing"),
        (Some(TradeState::Unpaid), "processing"),
        (Some(TradeState::Processing), "processing"),
        (Some(TradeState::Failed), "failed"),
        (Some(TradeState::Ended), "doubt"),
        (None, "doubt"),
    ];
    for (state, expected) in table {
        let verdict = judged(&asked(), RefundTrade { state, ..done() });
        assert_eq!(word(&verdict), expected, "{state:?}");
    }
}

#[test]
fn a_success_that_contradicts_is_a_doubt_in_which_something_was_accepted() {
    let some = |text: &str| Some(text.to_owned());
    let of = |original| asked_by(original);
    let (order, register, platform) = (
        of(OrderRef::OrderId(id("P1"))),
        of(OrderRef::MisId(id("P1"))),
        of(OrderRef::PlatformId(id("P1"))),
    );
    let table: [(&Refund, RefundTrade, bool); 12] = [
        (&order, RefundTrade { order_type: Some(OrderType::Refund), ..done() }, true),
        (&order, RefundTrade { order_type: Some(OrderType::Payment), ..done() }, false),
        (&order, RefundTrade { amount: Some(10), ..done() }, true),
        (&order, RefundTrade { amount: Some(11), ..done() }, false),
        (&order, RefundTrade { doubtful: true, ..done() }, false),
        (&order, RefundTrade { ori_order_id: some("P1"), ..done() }, true),
        (&order, RefundTrade { ori_order_id: some("P2"), ..done() }, false),
        (&order, RefundTrade { ori_mis_id: some("P2"), ..done() }, true),
        (&register, RefundTrade { ori_mis_id: some("P2"), ..done() }, false),
        (&register, RefundTrade { ori_order_id: some("P2"), ..done() }, true),
        (&platform, RefundTrade { ori_order_id: some("P2"), ..done() }, true),
        (&order, RefundTrade { order_id: some("PS1"), business_id: some("other"), ..done() }, true),
    ];
    for (refund, trade, fits) in table {
        match judged(refund, trade.clone()) {
            Verdict::Succeeded(_) => assert!(fits, "{trade:?}"),
            Verdict::Doubt(error) => {
                assert!(!fits, "{trade:?}");
                assert_eq!(error.context().accepted, Some(Accepted::Unusable));
            }
            other @ (Verdict::Processing(_)
            | Verdict::Failed(_)
            | Verdict::Refused(_)
            | Verdict::RefusedTrade(_)
            | Verdict::NotSent(_)) => panic!("{other:?}"),
        }
    }
}

/// Section 6 of the design, code by code.
#[test]
fn each_fault_of_a_refund_call_is_refused_looked_at_or_in_doubt() {
    use Fault::{
        AlipayAuthorizationMissing, DeviceLacksAlipayAuthorization, InsufficientAuthorization,
        IpIllegal, MerchantIllegal, MerchantNotFound, NotARefundOrder, OrderNotFound,
        OrderNumberIllegal, ParameterIllegal, ParameterMalformed, ParameterMissing,
        ParameterRequired, PaymentChannelNotOpened, RefundAmountWrong,
        SameDayPartialRefundNotSupported, ServerParameterMissing, ServerParameterRequired,
        SignatureRejected, TooManyRequests, TransactionEnded, TransactionInvalid,
        TransactionNotSupported, UpstreamUnreachable, VendorIllegal,
    };
    let refused = [
        InsufficientAuthorization,
        ParameterMissing,
        ServerParameterMissing,
        ParameterIllegal,
        MerchantNotFound,
        SignatureRejected,
        DeviceLacksAlipayAuthorization,
        AlipayAuthorizationMissing,
        MerchantIllegal,
        ParameterRequired,
        ServerParameterRequired,
        ParameterMalformed,
        VendorIllegal,
        IpIllegal,
        PaymentChannelNotOpened,
    ];
    let of_trade = [
        TooManyRequests,
        TransactionEnded,
        OrderNumberIllegal,
        OrderNotFound,
        TransactionNotSupported,
        RefundAmountWrong,
        NotARefundOrder,
        TransactionInvalid,
        SameDayPartialRefundNotSupported,
    ];
    for fault in Fault::ALL {
        let verdict = judge(&asked(), Err(Error::new(fault)), &[]);
        let expected = if refused.contains(&fault) {
            "refused"
        } else if of_trade.contains(&fault) {
            "refused trade"
        } else if fault == UpstreamUnreachable || is_before_the_send(fault) {
            "not sent"
        } else {
            "doubt"
        };
        if fault != Fault::RefundNotApplied {
            assert_eq!(word(&verdict), expected, "{fault:?}");
        }
    }
}

/// What this server says before it sends anything.
fn is_before_the_send(fault: Fault) -> bool {
    fault.row().on_refund == OnRefund::NotAttempted
}

#[test]
fn a_code_that_the_operator_calls_a_refusal_is_one_of_the_trade() {
    let answered = |code: &str| {
        let words = SunmiWords { code: code.to_owned(), message: String::new() };
        let error = Error::new(Fault::SunmiCodeUnrecognized);
        let answer = Err(error.with(|context| context.sunmi = Some(words)));
        word(&judge(&asked(), answer, &["T04".to_owned()]))
    };
    assert_eq!(answered("T04"), "refused trade");
    assert_eq!(answered("T05"), "doubt");
    assert_eq!(answered("t04"), "doubt");
}

proptest! {
    /// Whatever else an answer has, what contradicts makes it a doubt.
    #[test]
    fn more_doubt_in_an_answer_never_makes_a_more_definite_verdict(
        state in proptest::sample::select(vec![
            TradeState::Created, TradeState::Unpaid, TradeState::Succeeded, TradeState::Ended,
            TradeState::Failed, TradeState::Processing,
        ]),
        amount in proptest::option::of(9i64..12),
        original in proptest::option::of("P[12]"),
    ) {
        let trade =
            RefundTrade { state: Some(state), amount, ori_order_id: original, ..done() };
        let plain = word(&judged(&asked(), trade.clone()));
        for doubtful in [
            RefundTrade { doubtful: true, ..trade.clone() },
            RefundTrade { amount: Some(99), ..trade.clone() },
            RefundTrade { order_type: Some(OrderType::Payment), ..trade.clone() },
            RefundTrade { ori_order_id: Some("P9".to_owned()), ..trade.clone() },
            RefundTrade { state: None, ..trade },
        ] {
            prop_assert_eq!(word(&judged(&asked(), doubtful)), "doubt", "of {}", plain);
        }
    }
}
