//! Lists of refunds, page by page.

use std::time::Duration;

use prost::Message;
use sunmi_trade::api::pb;
use sunmi_trade::ledger::{Ledger, State};
use sunmi_trade::trade::{Note, Refund};
use tonic::Code;

use crate::server::settle;
use crate::world::{Client, World, client, key, own, put};

async fn page(
    client: &mut Client,
    request: &pb::ListRefundsRequest,
    token: &str,
) -> (Vec<String>, String) {
    let request = pb::ListRefundsRequest { page_token: token.to_owned(), ..request.clone() };
    let page = settle(client.list_refunds(request)).await.unwrap();
    let numbers = page.refunds.into_iter().map(|refund| refund.order_id).collect();
    (numbers, page.next_page_token)
}

async fn fill(ledger: &Ledger, count: usize) {
    for number in 0..count {
        let state = if number % 3 == 0 { State::InDoubt } else { State::Settled };
        put(ledger, &own(&format!("R{number}")), state).await;
    }
}

#[tokio::test]
async fn pages_hold_each_refund_once_though_others_are_claimed_meanwhile() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    fill(&ledger, 25).await;
    let server = world.serve().await;
    let mut client = client(&server).await;
    let request = pb::ListRefundsRequest { page_size: 4, ..Default::default() };
    let (mut all, mut token) = (Vec::new(), String::new());
    let mut pages = 0;
    loop {
        let (numbers, next) = page(&mut client, &request, &token).await;
        assert!(numbers.len() == 4 || next.is_empty());
        all.extend(numbers);
        pages += 1;
        put(&ledger, &own(&format!("new-{pages}")), State::Settled).await;
        if next.is_empty() {
            break;
        }
        token = next;
    }
    assert_eq!((pages, all.len()), (7, 25));
    let mut sorted = all.clone();
    sorted.sort();
    sorted.dedup();
    assert_eq!(sorted.len(), 25);
    assert!(all.iter().all(|number| number.starts_with('R')));
    assert_eq!(all[0], "R24");
    // A page whose last refund is the last of all has no next one.
    let exact = pb::ListRefundsRequest { page_size: 32, ..Default::default() };
    let (numbers, next) = page(&mut client, &exact, "").await;
    assert_eq!((numbers.len(), next.as_str()), (32, ""));
    assert_eq!(world.upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_page_is_as_long_as_asked_for_and_bounded() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    fill(&ledger, 120).await;
    let server = world.serve().await;
    let mut client = client(&server).await;
    for (page_size, expected) in [(0, 50), (1, 1), (50, 50), (51, 51), (101, 101), (i32::MAX, 120)]
    {
        let request = pb::ListRefundsRequest { page_size, ..Default::default() };
        let (numbers, next) = page(&mut client, &request, "").await;
        assert_eq!((numbers.len(), next.is_empty()), (expected, expected == 120), "{page_size}");
    }
}

/// Answers that a caller does not take are kept in memory.
#[tokio::test]
async fn a_page_ends_where_it_becomes_large() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    let note = Note { operator: None, reason: Some("坏".repeat(500)) };
    for number in 0..100 {
        let large = Refund { note: note.clone(), ..own(&format!("R{number}")) };
        put(&ledger, &large, State::Settled).await;
    }
    let server = world.serve().await;
    let mut client = client(&server).await;
    let (mut request, mut sizes) = (pb::ListRefundsRequest::default(), Vec::new());
    request.page_size = 500;
    loop {
        let page = settle(client.list_refunds(request.clone())).await.unwrap();
        assert!(page.encoded_len() < 80 << 10, "{}", page.encoded_len());
        sizes.push(page.refunds.len());
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert!(sizes.len() > 2 && sizes.iter().sum::<usize>() == 100, "{sizes:?}");
}

#[tokio::test]
async fn a_filter_finds_what_fits_all_of_it() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    fill(&ledger, 6).await;
    put(&ledger, &Refund { caller: Some("till".into()), ..own("T1") }, State::Processing).await;
    ledger.dispute(&key("R5"), "a contradiction").await.unwrap();
    let server = world.serve().await;
    let mut client = client(&server).await;
    let all = pb::ListRefundsRequest::default;
    let in_doubt = i32::from(pb::RefundRecordState::InDoubt);
    let claimed = ledger.of_number("T1").await.unwrap()[0].claimed_at;
    let at = |millis: i64| prost_types::Timestamp {
        seconds: millis / 1000,
        nanos: i32::try_from(millis % 1000).unwrap() * 1_000_000,
    };
    for (request, expected) in [
        (pb::ListRefundsRequest { states: vec![in_doubt], ..all() }, &["R3", "R0"][..]),
        (pb::ListRefundsRequest { original: "P-R4".to_owned(), ..all() }, &["R4"]),
        (pb::ListRefundsRequest { caller: "till".to_owned(), ..all() }, &["T1"]),
        (pb::ListRefundsRequest { needs_person: true, ..all() }, &[]),
        (pb::ListRefundsRequest { disputed: true, ..all() }, &["R5"]),
        (pb::ListRefundsRequest { business_id: "none".to_owned(), ..all() }, &[]),
        (pb::ListRefundsRequest { app_id: "other".to_owned(), ..all() }, &[]),
        (
            pb::ListRefundsRequest {
                caller: "till".to_owned(),
                claimed_since: Some(at(claimed)),
                claimed_until: Some(at(claimed + 1)),
                ..all()
            },
            &["T1"],
        ),
        (
            pb::ListRefundsRequest {
                caller: "till".to_owned(),
                claimed_until: Some(at(claimed)),
                ..all()
            },
            &[],
        ),
    ] {
        let (numbers, next) = page(&mut client, &request, "").await;
        assert_eq!(
            (numbers, next.as_str()),
            (expected.iter().map(|it| (*it).to_owned()).collect(), ""),
            "{request:?}"
        );
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_told_all_at_once() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    fill(&ledger, 3).await;
    let server = world.serve().await;
    let mut client = client(&server).await;
    let request = pb::ListRefundsRequest { page_size: 1, ..Default::default() };
    let (_, token) = page(&mut client, &request, "").await;
    let time = |seconds, nanos| Some(prost_types::Timestamp { seconds, nanos });
    let wrong = pb::ListRefundsRequest {
        page_size: -1,
        page_token: token.clone(),
        app_id: "a b".to_owned(),
        states: vec![7],
        original: "x".repeat(129),
        business_id: "a&b".to_owned(),
        claimed_since: time(0, -1),
        changed_until: time(i64::MAX, 0),
        ..Default::default()
    };
    let failure = settle(client.list_refunds(wrong)).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", ""));
    let mut fields = failure.fields();
    fields.sort_unstable();
    let expected = [
        "app_id",
        "business_id",
        "changed_until",
        "claimed_since",
        "original",
        "page_size",
        "page_token",
        "states",
    ];
    assert_eq!(fields, expected);
    // The size of a page may change from one to the next.
    let larger = pb::ListRefundsRequest { page_size: 5, ..Default::default() };
    assert_eq!(page(&mut client, &larger, &token).await.0.len(), 2);
    for token in ["x", "00", &token[2..]] {
        let request = pb::ListRefundsRequest { page_token: token.to_owned(), ..request.clone() };
        let failure = settle(client.list_refunds(request)).await.unwrap_err();
        assert_eq!(failure.fields(), ["page_token"]);
    }
}

#[tokio::test]
async fn a_ledger_that_cannot_be_read_is_unavailable_for_now() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    let server = world.serve().await;
    put(&ledger, &own("R1"), State::Settled).await;
    let mut client = client(&server).await;
    assert_eq!(page(&mut client, &Default::default(), "").await.0, ["R1"]);
    world.damage().await;
    let failure = settle(client.list_refunds(pb::ListRefundsRequest::default())).await.unwrap_err();
    assert_eq!(failure.verdict(), (Code::Unavailable, "LEDGER_UNAVAILABLE", ""));
    assert_eq!(failure.next_step, "RETRY");
    assert!(failure.retry_delay.is_some_and(|delay| delay >= Duration::from_secs(1)));
}
