//! What is said of a refund: done, not done, or not known, and never more than is known.

use std::time::Duration;

use serde_json::{Value, json};
use sunmi_trade::api::pb;
use sunmi_trade::config;
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer as Spoilt, Fault};
use sunmi_trade::sandbox::http::Sandbox;
use tokio::net::TcpListener;
use tonic::Code;

use crate::calls::{self, code, success};
use crate::failure::{Failure, IN_DOUBT};
use crate::server::{BRIEF, Server, impatient, refund, refund_within, settings, side_by_side};
use crate::upstream::{Answer, QUERY, REFUND, Upstream};

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    let server = Server::start(&impatient(settings(upstream.address))).await;
    (upstream, server)
}

/// A refund that is refused as over-refund, and then looked for.
async fn looked_for(found: Answer) -> (Upstream, Result<pb::RefundResponse, Failure>) {
    let (upstream, server) = start().await;
    upstream.next(REFUND, code("E22", "退款金额有误")).always(QUERY, found);
    // Longer than three attempts to look for it.
    let time = Duration::from_secs(2);
    let answer = refund_within(&server, calls::refund("R1"), time).await;
    (upstream, answer)
}

#[tokio::test]
async fn a_refusal_that_a_second_execution_would_get_is_no_refusal_if_the_refund_is_found() {
    let found = success(&json!({
        "amount": "100", "orderType": "1", "state": "3", "orderId": "R1", "platform": "wxpay",
        "payTime": "1561454238", "new": "x"
    }));
    let (upstream, answer) = looked_for(found).await;
    let expected = pb::RefundResponse {
        amount_minor: Some(100),
        order_id: Some("R1".to_owned()),
        order_type: pb::OrderType::Refund.into(),
        pay_time: Some(prost_types::Timestamp { seconds: 1_561_454_238, nanos: 0 }),
        platform: pb::PaymentPlatform::Wxpay.into(),
        state: pb::TradeState::Succeeded.into(),
        evidence: pb::RefundEvidence::Query.into(),
        unrecognized: [("new".to_owned(), "x".to_owned())].into(),
        ..pb::RefundResponse::default()
    };
    assert_eq!(answer, Ok(expected));
    let seen = upstream.seen();
    assert_eq!(seen.iter().map(|seen| seen.path.as_str()).collect::<Vec<_>>(), [REFUND, QUERY]);
    assert_eq!(seen[1].form["orderId"], "R1");
    assert_eq!(seen[1].form["msn"], "M1");
}

#[tokio::test]
async fn it_is_a_refusal_if_two_looks_do_not_find_the_refund() {
    let (upstream, answer) = looked_for(calls::not_found()).await;
    let failure = answer.unwrap_err();
    let expected = (Code::FailedPrecondition, "REFUND_AMOUNT_WRONG", "NOT_APPLIED");
    assert_eq!(failure.verdict(), expected);
    assert_eq!(failure.sunmi_code.as_deref(), Some("E22"));
    assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY]);
}

#[tokio::test]
async fn it_is_in_doubt_if_something_else_is_found_or_there_is_no_answer() {
    let table = [
        success(&json!({"amount": "99", "orderType": "1", "state": "3"})),
        success(&json!({"amount": "100", "orderType": "0", "state": "3"})),
        success(&json!({"amount": "100", "orderType": "1", "state": "4"})),
        success(&json!({"amount": "100", "orderType": "1", "state": "9"})),
        success(&json!({"amount": "100", "orderType": "1"})),
        success(&json!({"amount": "100", "state": "3"})),
        success(&json!({"orderType": "1", "state": "3"})),
        success(&json!({"amount": "1e2", "orderType": "1", "state": "3"})),
        code("E05", ""),
        Answer::BytesThenReset(vec![]),
        Answer::Silence,
    ];
    side_by_side(table, async |found| {
        let name = format!("{found:?}");
        let (upstream, answer) = looked_for(found).await;
        let failure = answer.expect_err(&name);
        assert_eq!(failure.verdict(), IN_DOUBT, "{name}");
        assert_eq!(failure.next_step, "REPEAT_SAME_REFUND", "{name}");
        assert_eq!(failure.sunmi_code.as_deref(), Some("E22"), "{name}");
        assert!(failure.retry_delay.is_some(), "{name}");
        assert_eq!(failure.attempts(), Some(1), "{name}");
        upstream.assert_sent("R1", 1, &name);
    })
    .await;
}

/// Nothing contradicts it, and there is no total to ask for.
#[tokio::test]
async fn it_is_a_refusal_if_sunmi_does_not_find_refunds_by_number() {
    let (upstream, answer) = looked_for(code("X99", "")).await;
    let expected = (Code::FailedPrecondition, "REFUND_AMOUNT_WRONG", "NOT_APPLIED");
    assert_eq!(answer.unwrap_err().verdict(), expected);
    assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY]);
}

#[tokio::test]
async fn a_success_settles_only_what_it_is_about() {
    let settled: [(Value, pb::TradeState); 7] = [
        (json!({"amount": "100", "orderType": "1", "state": "3"}), pb::TradeState::Succeeded),
        (json!({"amount": "100", "orderType": "1", "state": "5"}), pb::TradeState::Failed),
        (json!({"amount": "100", "orderType": "1", "state": "1"}), pb::TradeState::Created),
        (json!({"amount": "100", "orderType": "1", "state": "2"}), pb::TradeState::Unpaid),
        (json!({"orderType": "1", "state": "3"}), pb::TradeState::Succeeded),
        (json!({"amount": "100", "state": "3"}), pb::TradeState::Succeeded),
        (json!({"amount": "", "orderType": null, "state": "3"}), pb::TradeState::Succeeded),
    ];
    let (upstream, server) = start().await;
    upstream.always(QUERY, calls::not_found());
    for (at, (data, state)) in settled.into_iter().enumerate() {
        upstream.next(REFUND, success(&data));
        let answer = refund(&server, calls::refund(&format!("R{at}"))).await.unwrap();
        assert!(!answer.replayed, "{data}");
        assert_eq!(answer.state(), state, "{data}");
        assert_eq!(answer.evidence(), pb::RefundEvidence::Reply, "{data}");
    }
}

#[tokio::test]
async fn a_success_that_is_not_of_this_refund_leaves_it_in_doubt() {
    let table = [
        json!({"amount": "100", "orderType": "0", "state": "3"}),
        json!({"amount": "100", "orderType": "7", "state": "3"}),
        json!({"amount": "101", "orderType": "1", "state": "3"}),
        json!({"amount": "1.00", "orderType": "1", "state": "3"}),
        json!({"amount": [100], "orderType": "1", "state": "3"}),
        json!({"amount": "100", "orderType": "1", "state": "4"}),
        json!({"amount": "100", "orderType": "1", "state": "0"}),
        json!({"amount": "100", "orderType": "1", "state": "ok"}),
        json!({"amount": "100", "orderType": "1", "state": ""}),
        json!({"amount": "100", "orderType": "1"}),
    ];
    side_by_side(table, async |data| {
        let (upstream, server) = start().await;
        upstream.next(REFUND, success(&data)).always(QUERY, calls::not_found());
        let answer = refund_within(&server, calls::refund("R1"), BRIEF).await;
        let failure = answer.expect_err(&data.to_string());
        assert_eq!(failure.verdict(), IN_DOUBT, "{data}");
        assert_eq!(failure.attempts(), Some(1), "{data}");
        upstream.assert_sent("R1", 1, &data.to_string());
    })
    .await;
}

fn spoilt(endpoint: Endpoint, times: u32, answer: Spoilt) -> Fault {
    Fault { endpoint: Some(endpoint), times, execute: true, ..Fault::of(answer) }
}

/// The sandbox executes the refund and then spoils the answer: what really happened stands
/// in its books. The server finds it there; and where it cannot look, it does not claim to
/// know better.
#[tokio::test]
async fn a_refund_that_happened_is_never_said_not_to_have() {
    let table = [
        Spoilt::Hang,
        Spoilt::Reset,
        Spoilt::Close,
        Spoilt::Cut,
        Spoilt::Code("S03".to_owned()),
        Spoilt::Code("X99".to_owned()),
        Spoilt::status(502),
        Spoilt::status(204),
    ];
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = impatient(settings(listener.local_addr().unwrap()));
    let config = config::load(&settings, false).unwrap();
    let sandbox = Sandbox::new(config.credentials.iter());
    tokio::spawn(sandbox.clone().serve(listener));
    sandbox.with_book(|book| book.add_payment("P1", 10_000, 0));
    let server = Server::start_with(config).await;
    for (at, answer) in table.into_iter().enumerate() {
        sandbox.spoil(spoilt(Endpoint::Refund, 1, answer.clone()));
        let number = format!("R{at}");
        let found = refund(&server, calls::refund(&number)).await.expect("it is found");
        assert_eq!(found.evidence(), pb::RefundEvidence::Query, "{answer:?}");
        assert_eq!(found.state(), pb::TradeState::Succeeded, "{answer:?}");
        assert!(!found.replayed, "{answer:?}");
        let executions = sandbox.with_book(|book| book.executions().to_vec());
        assert_eq!(executions.iter().filter(|it| it.order_id == number).count(), 1, "{answer:?}");
    }
    // A refusal spoils nothing: the sandbox finds the refund that it had executed.
    sandbox.spoil(spoilt(Endpoint::Refund, 1, Spoilt::Code("E22".to_owned())));
    let found = refund(&server, calls::refund("R-found")).await.unwrap();
    assert_eq!(found.evidence(), pb::RefundEvidence::Query);
    sandbox.spoil(spoilt(Endpoint::Refund, 1, Spoilt::Reset));
    // The looks before it are answered, those after it are not.
    let looks = spoilt(Endpoint::Query, 2, Spoilt::Normal);
    sandbox.spoil(looks);
    sandbox.spoil(spoilt(Endpoint::Query, u32::MAX, Spoilt::Code("S03".to_owned())));
    let failure = refund_within(&server, calls::refund("R-lost"), BRIEF).await.unwrap_err();
    assert_eq!(failure.verdict(), IN_DOUBT);
    let executions = sandbox.with_book(|book| book.executions().to_vec());
    assert_eq!(executions.iter().filter(|it| it.order_id == "R-lost").count(), 1);
    let calls = sandbox.calls();
    assert_eq!(calls.iter().filter(|call| call.endpoint == Endpoint::Refund).count(), 10);
}
