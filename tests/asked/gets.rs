//! What is told of one refund, and what is sent for it.

use std::time::Duration;

use futures_util::future::join_all;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_record::Original;
use sunmi_trade::ledger::{Decision, State};
use sunmi_trade::trade::Refund;
use tonic::Code;

use crate::bench::id;
use crate::server::{APP_ID, GUARD, refund, settle, with};
use crate::upstream::{QUERY, REFUND, held};
use crate::world::{World, ask, client, get, key, not_found, own, put, refunded, request};

#[tokio::test]
async fn a_refund_that_was_made_is_told_as_it_was_answered_and_nothing_is_sent() {
    let world = World::new().await;
    world.upstream.always(QUERY, not_found()).always(REFUND, refunded());
    let server = world.serve().await;
    let made = pb::RefundRequest { operator: "李雷".to_owned(), ..request("R1") };
    let answered = refund(&server, made).await.unwrap();
    world.upstream.take_paths();
    let mut client = client(&server).await;
    for number in 0..20 {
        let request = if number % 2 == 0 { get("R1") } else { ask("R1") };
        let told = settle(client.get_refund(request)).await.unwrap();
        assert_eq!((told.sunmi_asked, told.unresolved_reason), (false, None));
        let told = told.refund.unwrap();
        let replayed = pb::RefundResponse { replayed: true, ..answered.clone() };
        assert_eq!(told.reply.as_ref(), Some(&replayed));
        assert_eq!(told.state(), pb::RefundRecordState::Settled);
        assert_eq!(told.outcome(), pb::TradeState::Succeeded);
        assert_eq!(told.evidence(), pb::RefundEvidence::Reply);
        assert_eq!((told.app_id.as_str(), told.order_id.as_str()), (APP_ID, "R1"));
        assert_eq!((told.amount_minor, told.msn.as_deref()), (Some(100), Some("device")));
        assert_eq!(told.original, Some(Original::OriOrderId("P-R1".to_owned())));
        assert_eq!(told.business_id.as_deref(), Some("business"));
        assert_eq!(told.operator.as_deref(), Some("李雷"));
        assert_eq!((told.reason, told.last_error, told.decided_by), (None, None, None));
        assert_eq!((told.epoch, told.needs_person, told.emptied), (1, false, false));
        let (claimed, lease) = (told.claim_time.unwrap(), told.lease_end_time.unwrap());
        assert!(lease.seconds >= claimed.seconds + 60 && told.change_time.is_some());
    }
    assert_eq!(world.upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn each_state_tells_what_is_known_in_it() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    let server = world.serve().await;
    let mut client = client(&server).await;
    let states = [
        (State::Claimed, pb::RefundRecordState::Claimed, pb::TradeState::Unspecified),
        (State::InDoubt, pb::RefundRecordState::InDoubt, pb::TradeState::Unspecified),
        (State::Processing, pb::RefundRecordState::Processing, pb::TradeState::Processing),
        (State::Settled, pb::RefundRecordState::Settled, pb::TradeState::Succeeded),
        (State::NotApplied, pb::RefundRecordState::NotApplied, pb::TradeState::Unspecified),
    ];
    for (state, expected, outcome) in states {
        let number = state.name();
        put(&ledger, &own(number), state).await;
        let told = settle(client.get_refund(get(number))).await.unwrap().refund.unwrap();
        assert_eq!((told.state(), told.outcome()), (expected, outcome));
        let has_reply = matches!(state, State::Processing | State::Settled);
        assert_eq!(told.reply.is_some(), has_reply, "{number}");
        let error = told.last_error.map(|error| (error.reason(), error.refund_outcome()));
        let reason = match state {
            State::InDoubt => {
                Some((pb::ErrorReason::RefundOutcomeUnknown, pb::RefundOutcome::Unknown))
            }
            State::NotApplied => {
                Some((pb::ErrorReason::RefundNotApplied, pb::RefundOutcome::NotApplied))
            }
            State::Claimed | State::Processing | State::Settled => None,
        };
        assert_eq!(error, reason, "{number}");
        assert_eq!(told.doubt_reason.is_some(), reason.is_some(), "{number}");
        assert_eq!(told.told, state == State::NotApplied, "{number}");
    }
    let row = ledger.row(&key("in_doubt")).await.unwrap();
    let decision = Decision { by: "Han".to_owned(), reason: "statement".to_owned() };
    assert!(ledger.decide(&row, None, &decision).await.unwrap());
    let told = settle(client.get_refund(get("in_doubt"))).await.unwrap().refund.unwrap();
    let decided = (told.decided_by.as_deref(), told.decided_reason.as_deref());
    assert_eq!(decided, (Some("Han"), Some("statement")));
    assert_eq!(world.upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_number_that_is_not_there_or_not_clear_is_told_so() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    for app_id in [APP_ID, "gone"] {
        let twice = Refund { app_id: id(app_id), ..own("R1") };
        put(&ledger, &twice, State::Settled).await;
    }
    let server = world.serve().await;
    let mut client = client(&server).await;
    let none = settle(client.get_refund(get("R2"))).await.unwrap_err();
    assert_eq!(none.verdict(), (Code::NotFound, "REFUND_NOT_FOUND", ""));
    let named = |app_id: &str| pb::GetRefundRequest { app_id: app_id.to_owned(), ..get("R1") };
    let other = settle(client.get_refund(named("other"))).await.unwrap_err();
    assert_eq!(other.verdict(), (Code::NotFound, "REFUND_NOT_FOUND", ""));
    let unclear = settle(client.get_refund(get("R1"))).await.unwrap_err();
    assert_eq!(unclear.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", ""));
    assert_eq!(unclear.fields(), ["app_id"]);
    // A credential that is gone does not take its refunds with it.
    let told = settle(client.get_refund(named("gone"))).await.unwrap().refund.unwrap();
    assert_eq!(told.app_id, "gone");
    let malformed = pb::GetRefundRequest { app_id: "a b".to_owned(), ..get("") };
    let malformed = settle(client.get_refund(malformed)).await.unwrap_err();
    assert_eq!(malformed.fields(), ["app_id", "order_id"]);
}

#[tokio::test]
async fn without_being_told_to_nothing_is_sent_and_then_one_look_is_made() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    put(&ledger, &own("R1"), State::InDoubt).await;
    let server = world.serve().await;
    let mut client = client(&server).await;
    for _ in 0..50 {
        settle(client.get_refund(get("R1"))).await.unwrap();
    }
    assert_eq!(world.upstream.everything().len(), 0);
    world.upstream.had("R1").always(QUERY, not_found());
    let told = settle(client.get_refund(ask("R1"))).await.unwrap();
    let paths = world.upstream.take_paths();
    assert!(!paths.is_empty() && paths.iter().all(|path| path == QUERY), "{paths:?}");
    assert!(told.sunmi_asked && told.unresolved_reason.is_some());
    assert_eq!(told.refund.unwrap().state(), pb::RefundRecordState::InDoubt);
    world.upstream.finds("R1", refunded());
    let told = settle(client.get_refund(ask("R1"))).await.unwrap();
    assert_eq!((told.sunmi_asked, told.unresolved_reason), (true, None));
    let told = told.refund.unwrap();
    assert_eq!(told.state(), pb::RefundRecordState::Settled);
    assert_eq!(told.evidence(), pb::RefundEvidence::Query);
    assert_eq!(world.upstream.take_paths(), [QUERY]);
}

#[tokio::test]
async fn those_who_ask_at_once_share_one_look_which_outlives_them() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    put(&ledger, &own("R1"), State::InDoubt).await;
    let brief = [("SUNMI_TRADE__DEADLINES__DEFAULT", "1s")];
    let server = World::serve_with(&with(world.settings(), &brief)).await;
    let (answer, release) = held(&refunded());
    world.upstream.had("R1").next(QUERY, answer);
    let client = client(&server).await;
    let asks = (0..20).map(|_| {
        let mut client = client.clone();
        async move { settle(client.get_refund(ask("R1"))).await.unwrap_err().code }
    });
    assert_eq!(join_all(asks).await, [Code::DeadlineExceeded; 20]);
    assert_eq!(world.upstream.seen().len(), 1);
    release.send(()).unwrap();
    let settled = async {
        let mut changes = ledger.news();
        while ledger.row(&key("R1")).await.unwrap().state != State::Settled {
            // What another process changes is not told here: the time is what bounds it.
            let _ = tokio::time::timeout(Duration::from_millis(20), changes.next()).await;
        }
    };
    tokio::time::timeout(GUARD, settled).await.expect("a look that is recorded");
    assert_eq!(world.upstream.seen().len(), 1);
}

#[tokio::test]
async fn who_wants_a_refund_and_why_is_kept_and_neither_sent_nor_content() {
    let world = World::new().await;
    world.upstream.always(QUERY, not_found()).always(REFUND, refunded());
    let server = world.serve().await;
    let noted = |operator: &str, reason: &str| pb::RefundRequest {
        operator: operator.to_owned(),
        reason: reason.to_owned(),
        ..request("R1")
    };
    let first = refund(&server, noted("till-7", "broken, 坏了")).await.unwrap();
    let again = refund(&server, noted("someone else", "")).await.unwrap();
    assert!(!first.replayed && again.replayed);
    for seen in world.upstream.seen() {
        let text = format!("{:?}", seen.form);
        assert!(!text.contains("till-7") && !text.contains("broken"), "{text}");
    }
    let mut client = client(&server).await;
    let told = settle(client.get_refund(get("R1"))).await.unwrap().refund.unwrap();
    let note = (told.operator.as_deref(), told.reason.as_deref());
    assert_eq!(note, (Some("till-7"), Some("broken, 坏了")));
    world.upstream.take_paths();
    let (long, longer) = ("李".repeat(128), "李".repeat(500));
    for (operator, reason, fields) in [
        (format!("{long}x"), String::new(), vec!["operator"]),
        (" a".to_owned(), "a\nb".to_owned(), vec!["operator", "reason"]),
        ("a\tb".to_owned(), format!("{longer}x"), vec!["operator", "reason"]),
    ] {
        let wrong = pb::RefundRequest { operator, reason, ..request("R2") };
        let failure = refund(&server, wrong).await.unwrap_err();
        assert_eq!((failure.reason.as_str(), failure.fields()), ("REQUEST_INVALID", fields));
    }
    assert_eq!(world.upstream.take_paths(), [""; 0]);
    let longest = pb::RefundRequest { operator: long, reason: longer, ..request("R2") };
    refund(&server, longest).await.unwrap();
}
