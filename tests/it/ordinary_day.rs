//! An ordinary day: whatever the weather at Sunmi, no refund needs a person, every answer comes
//! within its deadline, and what is sent is counted exactly.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::{RefundEvidence, TradeState};
use sunmi_trade::config;
use sunmi_trade::sandbox::book::Endpoint;
use sunmi_trade::sandbox::faults::{Answer, Fault};
use sunmi_trade::sandbox::http::Sandbox;
use tokio::net::TcpListener;
use tokio::time::Instant;
use tonic::Request;

use crate::calls;
use crate::failure::Failure;
use crate::measures::{measure, until};
use crate::server::{Server, refund, refund_within, settings, settle, with};

/// What a call may take beyond its deadline: none is answered later.
const GRACE: Duration = Duration::from_millis(500);

type Answered = Result<pb::RefundResponse, Failure>;

/// A server on the sandbox with a payment `P1` of 10,000 fen, under a lag of queries and totals.
async fn start(lag_ms: i64) -> (Sandbox, Server) {
    start_with(lag_ms, &[]).await
}

/// The same with these settings, too.
async fn start_with(lag_ms: i64, short: &[(&str, &str)]) -> (Sandbox, Server) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let env = [("SUNMI_TRADE__REFUND__LAG", "1s"), ("SUNMI_TRADE__REFUND__SETTLE_WINDOW", "2s")];
    let settings = with(with(settings(listener.local_addr().unwrap()), &env), short);
    let config = config::load(&settings, false).unwrap();
    let sandbox = Sandbox::new(config.credentials.iter());
    tokio::spawn(sandbox.clone().serve(listener));
    sandbox.with_book(|book| {
        book.add_payment("P1", 10_000, 0);
        book.settings_mut().number_lag_ms = lag_ms;
        book.settings_mut().total_lag_ms = lag_ms;
    });
    (sandbox, Server::start_with(config).await)
}

fn of(number: &str, amount: i64) -> pb::RefundRequest {
    pb::RefundRequest { amount_minor: amount, ..calls::refund(number) }
}

/// How often Sunmi was called: for the number, for its payment, and to send it.
fn requests(sandbox: &Sandbox, number: &str) -> (usize, usize, usize) {
    let calls = sandbox.calls();
    let count = |endpoint, number: &str| {
        let is_it = |it: &&sunmi_trade::sandbox::http::Call| {
            it.endpoint == endpoint && it.form["orderId"] == number
        };
        calls.iter().filter(is_it).count()
    };
    let (query, refund) = (Endpoint::Query, Endpoint::Refund);
    (count(query, number), count(query, "P1"), count(refund, number))
}

/// Each number was executed at most once, and exactly once if so said.
fn assert_executed(sandbox: &Sandbox, succeeded: &[String]) {
    let mut executed = BTreeMap::new();
    for execution in sandbox.with_book(|book| book.executions().to_vec()) {
        *executed.entry(execution.order_id).or_insert(0) += 1;
    }
    assert!(executed.values().all(|times| *times == 1), "{executed:?}");
    for number in succeeded {
        assert!(executed.contains_key(number), "{number} is said to have succeeded");
    }
}

async fn assert_needs_nobody(server: &Server) {
    assert_eq!(measure(server, "sunmi_refund_needs_person").await, 0);
    assert_eq!(measure(server, "sunmi_refund_disputed").await, 0);
    assert_eq!(measure(server, "sunmi_refund_contradictions_total").await, 0);
}

/// All refunds of the ledger come to rest by themselves.
async fn comes_to_rest(server: &Server) {
    until(server, "sunmi_refund_unknown_outcome", |refunds| refunds == 0).await;
    until(server, "sunmi_refund_processing", |refunds| refunds == 0).await;
    assert_needs_nobody(server).await;
}

/// The call, and that it is answered within its time.
async fn in_time(server: &Server, request: pb::RefundRequest, time: Duration) -> Answered {
    let began = Instant::now();
    let answer = refund_within(server, request, time).await;
    assert!(began.elapsed() < time + GRACE, "{:?}", began.elapsed());
    answer
}

#[tokio::test]
async fn refunds_in_part_and_in_full_are_made_and_refusals_told() {
    let (sandbox, server) = start(0).await;
    for (number, amount) in [("R1", 3_000), ("R2", 3_000), ("R3", 4_000)] {
        let made = refund(&server, of(number, amount)).await.unwrap();
        assert_eq!((made.state(), made.evidence()), (TradeState::Succeeded, RefundEvidence::Reply));
        assert_eq!(requests(&sandbox, number).2, 1, "{number}");
        assert_eq!(requests(&sandbox, number).0, 1, "{number}");
    }
    // One look at the payment for each.
    assert_eq!(requests(&sandbox, "R1").1, 3);
    // More than is left: the looks before it explain that it had to come, and one more look, at
    // the number and the payment, suffices.
    let failure = refund(&server, of("R4", 1)).await.unwrap_err();
    assert_eq!(
        (failure.reason.as_str(), failure.outcome.as_deref()),
        ("REFUND_AMOUNT_WRONG", Some("NOT_APPLIED"))
    );
    assert_eq!(requests(&sandbox, "R4"), (2, 5, 1));
    // No such payment.
    let nowhere = pb::refund_request::Original::OriOrderId("P9".to_owned());
    let failure =
        refund(&server, pb::RefundRequest { original: Some(nowhere), ..of("R5", 1) }).await;
    let failure = failure.unwrap_err();
    assert_eq!(
        (failure.reason.as_str(), failure.outcome.as_deref()),
        ("ORDER_NOT_FOUND", Some("NOT_APPLIED"))
    );
    assert_eq!(requests(&sandbox, "R5").2, 1);
    assert_executed(&sandbox, &["R1", "R2", "R3"].map(str::to_owned));
    assert_needs_nobody(&server).await;
}

/// Two equal ones, a second apart, whose answers are lost, while queries and totals trail by less
/// than the lag.
#[tokio::test]
async fn two_partial_refunds_in_a_row_are_told_apart_under_a_lag() {
    let (sandbox, server) = start(800).await;
    for (number, executed) in [("R1", true), ("R2", true), ("R3", false), ("R4", true)] {
        sandbox.spoil(Fault {
            endpoint: Some(Endpoint::Refund),
            execute: executed,
            ..Fault::of(if executed { Answer::Reset } else { Answer::Code("E22".to_owned()) })
        });
        let answer = in_time(&server, of(number, 100), Duration::from_secs(8)).await;
        match (executed, answer) {
            (true, Ok(made)) => assert_eq!(made.state(), TradeState::Succeeded, "{number}"),
            // Not explained by what was seen before it: two looks, a lag apart, bear it out.
            (false, Err(failure)) => {
                assert_eq!(failure.verdict().2, "NOT_APPLIED", "{number}: {failure:?}");
            }
            (_, answer) => panic!("{number}: {answer:?}"),
        }
        assert_eq!(requests(&sandbox, number).2, 1, "{number}");
    }
    assert_executed(&sandbox, &["R1", "R2", "R4"].map(str::to_owned));
    comes_to_rest(&server).await;
}

#[tokio::test]
async fn two_hundred_callers_of_one_number_share_one_pair_of_looks_and_one_send() {
    let (sandbox, server) = start(0).await;
    let client = server.client().await;
    let time = Duration::from_secs(20);
    let answers = join_all((0..200).map(|_| {
        let mut client = client.clone();
        let mut request = Request::new(calls::refund("R1"));
        request.set_timeout(time);
        async move { settle(client.refund(request)).await }
    }))
    .await;
    let made: Vec<_> = answers.into_iter().map(|answer| answer.expect("it was made")).collect();
    assert_eq!(made.iter().filter(|made| !made.replayed).count(), 1);
    let first = made.iter().find(|made| !made.replayed).unwrap();
    for again in made.iter().filter(|made| made.replayed) {
        assert_eq!(*again, pb::RefundResponse { replayed: true, ..first.clone() });
    }
    assert_eq!(requests(&sandbox, "R1"), (1, 1, 1));
    assert_executed(&sandbox, &["R1".to_owned()]);
    assert_needs_nobody(&server).await;
}

/// Which of them come in time depends on the machine; what each is told does not.
#[tokio::test]
async fn two_hundred_numbers_of_one_payment_go_one_after_another() {
    let (sandbox, server) = start(0).await;
    let client = server.client().await;
    let (time, began) = (Duration::from_secs(10), Instant::now());
    let answers = join_all((0..200).map(|at| {
        let mut client = client.clone();
        let mut request = Request::new(of(&format!("R{at}"), 100));
        request.set_timeout(time);
        async move {
            let answer = settle(client.refund(request)).await;
            assert!(began.elapsed() < time + GRACE * 4, "{:?}", began.elapsed());
            (format!("R{at}"), answer)
        }
    }))
    .await;
    let mut succeeded = Vec::new();
    for (number, answer) in answers {
        match answer {
            Ok(made) => {
                assert_eq!(made.state(), TradeState::Succeeded);
                succeeded.push(number);
            }
            Err(failure) => {
                let told = (failure.reason.as_str(), failure.outcome.as_deref());
                let known = [
                    ("REFUND_AMOUNT_WRONG", Some("NOT_APPLIED")),
                    ("REFUND_IN_FLIGHT", Some("NOT_ATTEMPTED")),
                    ("DEADLINE_EXCEEDED", Some("NOT_ATTEMPTED")),
                ];
                assert!(known.contains(&told), "{number}: {failure:?}");
                let (_, _, sends) = requests(&sandbox, &number);
                assert_eq!(sends, usize::from(told.0 == "REFUND_AMOUNT_WRONG"), "{number}");
            }
        }
    }
    assert!(!succeeded.is_empty() && succeeded.len() <= 100, "{}", succeeded.len());
    assert_executed(&sandbox, &succeeded);
    assert_needs_nobody(&server).await;
}

#[tokio::test]
async fn a_slow_sunmi_is_waited_for() {
    let (sandbox, server) = start(0).await;
    sandbox.spoil(Fault { times: 3, delay_ms: 1_000, ..Fault::of(Answer::Normal) });
    let made = in_time(&server, calls::refund("R1"), Duration::from_secs(10)).await.unwrap();
    assert_eq!((made.state(), made.evidence()), (TradeState::Succeeded, RefundEvidence::Reply));
    assert_eq!(requests(&sandbox, "R1"), (1, 1, 1));
    comes_to_rest(&server).await;
}

/// Slower than the caller has time for: nothing is sent by looks that come too late.
#[tokio::test]
async fn looks_that_take_too_long_leave_nothing_behind() {
    let (sandbox, server) = start(0).await;
    sandbox.spoil(Fault { times: 2, delay_ms: 3_000, ..Fault::of(Answer::Normal) });
    let failure = in_time(&server, calls::refund("R1"), Duration::from_secs(2)).await.unwrap_err();
    assert_eq!(failure.outcome.as_deref(), Some("NOT_ATTEMPTED"), "{failure:?}");
    let made = refund(&server, calls::refund("R1")).await.unwrap();
    assert!(!made.replayed);
    assert_eq!(requests(&sandbox, "R1").2, 1);
    comes_to_rest(&server).await;
}

#[tokio::test]
async fn a_throttling_sunmi_is_asked_again_for_reads_and_never_for_the_refund() {
    let (sandbox, server) = start(0).await;
    let throttled = || Fault::of(Answer::Code("R03".to_owned()));
    // Both looks are throttled once, and made again.
    sandbox.spoil(Fault { endpoint: Some(Endpoint::Query), times: 2, ..throttled() });
    refund(&server, calls::refund("R1")).await.unwrap();
    let (by_number, by_payment, sends) = requests(&sandbox, "R1");
    assert_eq!((by_number + by_payment, sends), (4, 1));
    // The refund itself is: two looks bear that out.
    sandbox.spoil(Fault { endpoint: Some(Endpoint::Refund), ..throttled() });
    let failure = in_time(&server, calls::refund("R2"), Duration::from_secs(9)).await.unwrap_err();
    assert_eq!(failure.reason, "TOO_MANY_REQUESTS");
    assert_eq!(failure.outcome.as_deref(), Some("NOT_APPLIED"));
    assert_eq!(requests(&sandbox, "R2").2, 1);
    refund(&server, calls::refund("R2")).await.unwrap();
    assert_eq!(requests(&sandbox, "R2").2, 2);
    assert_executed(&sandbox, &["R1", "R2"].map(str::to_owned));
    comes_to_rest(&server).await;
}

/// Whatever it fails with, by an HTTP status or by hanging up, on reads and on the refund.
#[tokio::test]
async fn a_sunmi_that_is_down_for_a_while_leaves_nothing_to_persons() {
    // A short lease: its end is where the window begins.
    let short = [
        ("SUNMI_TRADE__DEADLINES__DEFAULT", "3s"),
        ("SUNMI_TRADE__DEADLINES__MAX", "3s"),
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "1s"),
        ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "2s"),
        ("SUNMI_TRADE__REFUND__CEILING", "4s"),
    ];
    let (sandbox, server) = start_with(0, &short).await;
    let time = Duration::from_secs(3);
    for (at, answer) in
        [Answer::status(503), Answer::Reset, Answer::Code("S03".to_owned())].into_iter().enumerate()
    {
        sandbox.spoil(Fault { times: 6, ..Fault::of(answer) });
        let number = format!("R{at}");
        let failure = in_time(&server, calls::refund(&number), time).await.unwrap_err();
        assert_eq!(failure.outcome.as_deref(), Some("NOT_ATTEMPTED"), "{failure:?}");
        assert_eq!(requests(&sandbox, &number).2, 0);
    }
    // It goes down while the refund is on its way, which was not executed.
    sandbox.spoil(Fault { endpoint: Some(Endpoint::Refund), ..Fault::of(Answer::Reset) });
    let lost = in_time(&server, calls::refund("R9"), time).await.unwrap_err();
    assert_eq!(lost.verdict(), crate::failure::IN_DOUBT);
    let mut told = lost;
    while told.reason == "REFUND_OUTCOME_UNKNOWN" {
        told = in_time(&server, calls::refund("R9"), time).await.unwrap_err();
    }
    assert_eq!((told.reason.as_str(), requests(&sandbox, "R9").2), ("REFUND_NOT_APPLIED", 1));
    for number in ["R0", "R1", "R2", "R9"] {
        let made = refund(&server, calls::refund(number)).await.unwrap();
        assert!(!made.replayed, "{number}");
    }
    assert_executed(&sandbox, &["R0", "R1", "R2", "R9"].map(str::to_owned));
    comes_to_rest(&server).await;
}
