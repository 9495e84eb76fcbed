//! Streams of changes.

use std::collections::BTreeMap;
use std::time::Duration;

use sunmi_trade::api::pb;
use sunmi_trade::ledger::State;
use sunmi_trade::trade::{Note, Refund};
use tonic::transport::Endpoint;
use tonic::{Code, Request, Streaming};

use crate::bench::move_to;
use crate::server::{GUARD, settle, with};
use crate::world::{Client, World, client, key, own, put};

type Stream = Streaming<pb::WatchRefundsResponse>;

async fn watch(client: &mut Client, cursor: &str) -> Stream {
    let request = pb::WatchRefundsRequest { cursor: cursor.to_owned(), only_new: false };
    settle(client.watch_refunds(request)).await.unwrap()
}

/// The next message, or `None` at an end in good order.
async fn next(stream: &mut Stream) -> Option<pb::WatchRefundsResponse> {
    tokio::time::timeout(GUARD, stream.message()).await.expect("a message in time").unwrap()
}

/// The changes until a message that has none, by number and state, and the last cursor.
async fn until_quiet(stream: &mut Stream) -> (Vec<(String, pb::RefundRecordState)>, String) {
    let mut changes = Vec::new();
    loop {
        let message = next(stream).await.expect("a stream that goes on");
        match message.refund {
            Some(refund) => changes.push((refund.order_id.clone(), refund.state())),
            None => return (changes, message.cursor),
        }
    }
}

#[tokio::test]
async fn a_stream_tells_what_there_is_and_then_what_another_process_changes() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    for number in 0..120 {
        put(&ledger, &own(&format!("R{number}")), State::InDoubt).await;
    }
    let server = world.serve().await;
    let mut client = client(&server).await;
    let mut stream = watch(&mut client, "").await;
    let (changes, cursor) = until_quiet(&mut stream).await;
    let expected: Vec<_> =
        (0..120).map(|number| (format!("R{number}"), pb::RefundRecordState::InDoubt)).collect();
    assert_eq!(changes, expected);
    move_to(&ledger, &key("R7"), 1, State::Settled).await;
    let change = next(&mut stream).await.unwrap();
    assert!(change.cursor != cursor && change.cursor.len() <= 1024);
    let refund = change.refund.expect("a change");
    assert_eq!((refund.order_id.as_str(), refund.state()), ("R7", pb::RefundRecordState::Settled));
    assert!(refund.reply.is_some());
    // From a cursor on: what came after it, and nothing else.
    let (changes, _) = until_quiet(&mut watch(&mut client, &cursor).await).await;
    assert_eq!(changes, [("R7".to_owned(), pb::RefundRecordState::Settled)]);
    let (changes, _) = until_quiet(&mut watch(&mut client, &change.cursor).await).await;
    assert_eq!(changes, []);
    let new = pb::WatchRefundsRequest { only_new: true, ..Default::default() };
    let mut stream = settle(client.watch_refunds(new)).await.unwrap();
    assert_eq!(until_quiet(&mut stream).await.0, []);
    move_to(&ledger, &key("R8"), 1, State::Settled).await;
    assert_eq!(next(&mut stream).await.unwrap().refund.expect("a change").order_id, "R8");
    assert_eq!(world.upstream.take_paths(), [""; 0]);
}

/// Follows a ledger that changes all the while, over streams that break and servers that stop.
#[tokio::test]
async fn nothing_is_missing_whatever_breaks_the_stream() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    let writer = tokio::spawn(async move {
        for number in 0..150 {
            put(&ledger, &own(&format!("R{number}")), State::InDoubt).await;
            if number >= 50 {
                move_to(&ledger, &key(&format!("R{}", number - 50)), 1, State::Settled).await;
            }
        }
    });
    let (mut seen, mut cursor, mut breaks) = (BTreeMap::new(), String::new(), 0);
    let mut done = false;
    while !done {
        let mut server = world.serve().await;
        for _ in 0..3 {
            let mut client = client(&server).await;
            let mut stream = watch(&mut client, &cursor).await;
            for _ in 0..12 {
                let message = next(&mut stream).await.unwrap();
                cursor = message.cursor;
                match message.refund {
                    Some(refund) => drop(seen.insert(refund.order_id.clone(), refund.state())),
                    None => done = done || writer.is_finished(),
                }
                if done && message_is_last(&seen) {
                    break;
                }
            }
            breaks += 1;
        }
        done = message_is_last(&seen);
        server.stop();
        server.stopped().await;
    }
    writer.await.unwrap();
    assert!(breaks > 3);
    assert_eq!(seen.len(), 150);
}

/// Whether all is seen as it is in the end.
fn message_is_last(seen: &BTreeMap<String, pb::RefundRecordState>) -> bool {
    let settled = seen.values().filter(|state| **state == pb::RefundRecordState::Settled).count();
    (seen.len(), settled) == (150, 100)
}

#[tokio::test]
async fn a_drain_ends_streams_in_good_order_and_does_not_wait_for_them() {
    let world = World::new().await;
    let mut server = world.serve().await;
    let mut client = client(&server).await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        let mut stream = watch(&mut client, "").await;
        until_quiet(&mut stream).await;
        streams.push(stream);
    }
    server.stop();
    for stream in &mut streams {
        assert!(next(stream).await.is_none());
    }
    server.stopped().await;
}

#[tokio::test]
async fn a_deadline_ends_a_stream_in_good_order() {
    let world = World::new().await;
    let server = world.serve().await;
    let mut client = client(&server).await;
    let mut request = Request::new(pb::WatchRefundsRequest::default());
    request.set_timeout(Duration::from_secs(1));
    let mut stream = settle(client.watch_refunds(request)).await.unwrap();
    until_quiet(&mut stream).await;
    assert!(next(&mut stream).await.is_none());
    let page = crate::world::metrics(&server).await;
    let labels = "grpc_method=\"WatchRefunds\",grpc_service=\"sunmi.trade.v1.RefundLedgerService\",\
                  grpc_type=\"server_stream\"";
    for line in [
        format!("grpc_server_handled_total{{grpc_code=\"OK\",{labels}}} 1"),
        format!("grpc_server_msg_received_total{{{labels}}} 1"),
        format!("grpc_server_msg_sent_total{{{labels}}} 1"),
    ] {
        assert!(page.lines().any(|it| it == line), "{line}: {page}");
    }
}

#[tokio::test]
async fn a_cursor_of_nothing_is_refused_and_one_of_another_ledger_begins_anew() {
    let (world, other) = (World::new().await, World::new().await);
    let (ledger, its) = (world.ledger().await, other.ledger().await);
    put(&ledger, &own("R1"), State::Settled).await;
    for number in 0..5 {
        put(&its, &own(&format!("other-{number}")), State::Settled).await;
    }
    let (server, another) = (world.serve().await, other.serve().await);
    let mut client = client(&server).await;
    for cursor in ["x", "00", &"0".repeat(5000)] {
        let request = pb::WatchRefundsRequest { cursor: cursor.to_owned(), only_new: false };
        let failure = settle(client.watch_refunds(request)).await.unwrap_err();
        assert_eq!(failure.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", ""));
        assert_eq!(failure.fields(), ["cursor"]);
    }
    let mut its_client = crate::world::client(&another).await;
    let (_, foreign) = until_quiet(&mut watch(&mut its_client, "").await).await;
    let (changes, _) = until_quiet(&mut watch(&mut client, &foreign).await).await;
    assert_eq!(changes, [("R1".to_owned(), pb::RefundRecordState::Settled)]);
}

#[tokio::test]
async fn what_one_replica_changes_the_other_one_tells() {
    let Some(world) = World::in_postgres().await else { return };
    let ledger = world.ledger().await;
    let (first, second) = (world.serve().await, world.serve().await);
    let mut streams = Vec::new();
    for server in [&first, &second] {
        let mut stream = watch(&mut client(server).await, "").await;
        until_quiet(&mut stream).await;
        streams.push(stream);
    }
    put(&ledger, &own("R1"), State::Settled).await;
    let mut cursors = Vec::new();
    for stream in &mut streams {
        loop {
            let message = next(stream).await.unwrap();
            let refund = message.refund.expect("a change");
            if refund.state() == pb::RefundRecordState::Settled {
                cursors.push(message.cursor);
                break;
            }
        }
    }
    // A cursor of one is good at the other.
    let mut swapped = watch(&mut client(&second).await, &cursors[0]).await;
    assert_eq!(until_quiet(&mut swapped).await.0, []);
}

/// What is left of a stream that nobody reads cannot be told: it must not keep the process.
#[tokio::test]
async fn a_stream_that_is_not_read_does_not_hold_the_stop() {
    let world = World::new().await;
    let ledger = world.ledger().await;
    let note = Note { operator: None, reason: Some("坏".repeat(500)) };
    for number in 0..100 {
        let large = Refund { note: note.clone(), ..own(&format!("R{number}")) };
        put(&ledger, &large, State::Settled).await;
    }
    let long = [("SUNMI_TRADE__SHUTDOWN__DRAIN", "10m"), ("SUNMI_TRADE__SHUTDOWN__GRACE", "11m")];
    let mut server = World::serve_with(&with(world.settings(), &long)).await;
    let endpoint = Endpoint::from_shared(format!("http://{}", server.address)).unwrap();
    let channel = endpoint.initial_stream_window_size(4096).connect().await.unwrap();
    let mut unread = watch(&mut Client::new(channel), "").await;
    assert!(next(&mut unread).await.unwrap().refund.is_some());
    server.stop();
    server.stopped().await;
}
