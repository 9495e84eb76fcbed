//! Streams of changes, whose caller is not what it was.

use sunmi_trade::api::pb;
use tonic::Code::{PermissionDenied, Unauthenticated};
use tonic::Streaming;

use super::world::{Files, World, credential};
use crate::calls;
use crate::failure::Failure;
use crate::server::{GUARD, settle};
use crate::upstream::REFUND;

const ALL: &str = "rpcs = ['WatchRefunds', 'Refund']";

type Stream = Streaming<pb::WatchRefundsResponse>;

fn signs() -> String {
    credential("app-1", "k") + &credential("app-2", "two")
}

/// A server with a till, which makes refunds, and one who watches, up to a first message.
async fn watched(rights: &str) -> (World, Stream) {
    let start =
        |files: &Files| signs() + &files.caller("till", ALL) + &files.caller("watcher", rights);
    let world = World::new(start).await;
    world.upstream.always(REFUND, calls::refunded());
    let mut client = world.ledger("watcher").await;
    let watch = client.watch_refunds(pb::WatchRefundsRequest::default());
    let mut stream = settle(watch).await.unwrap();
    let first = tokio::time::timeout(GUARD, stream.message()).await.unwrap().unwrap();
    assert_eq!(first.expect("a cursor").refund, None);
    (world, stream)
}

async fn refund(world: &World, app_id: &str, number: &str) {
    let request = pb::RefundRequest { app_id: app_id.to_owned(), ..calls::refund(number) };
    settle(world.client("till").await.refund(request)).await.unwrap();
}

/// How the stream ends, and whose refunds it told of until then.
async fn end(stream: &mut Stream) -> (Vec<String>, Result<(), Failure>) {
    let mut told = Vec::new();
    loop {
        match tokio::time::timeout(GUARD, stream.message()).await.expect("a message or an end") {
            Ok(Some(message)) => told.extend(message.refund.map(|refund| refund.app_id)),
            Ok(None) => return (told, Ok(())),
            Err(status) => return (told, Err(Failure::of(&status))),
        }
    }
}

#[tokio::test]
async fn a_stream_ends_with_its_callers_right() {
    let table = [
        ("", Some((Unauthenticated, "CALLER_UNAUTHENTICATED"))),
        ("rpcs = ['ListRefunds']", Some((PermissionDenied, "CALLER_NOT_ALLOWED"))),
    ];
    for (rights, expected) in table {
        let (world, mut stream) = watched(ALL).await;
        let watcher = match rights {
            "" => String::new(),
            rights => world.files.caller("watcher", rights),
        };
        world.says(signs() + &world.files.caller("till", ALL) + &watcher).await;
        refund(&world, "app-1", "R1").await;
        let (told, end) = end(&mut stream).await;
        let end = end.err().map(|failure| (failure.code, failure.reason));
        let end = end.as_ref().map(|(code, reason)| (*code, reason.as_str()));
        assert_eq!((told, end), (vec![], expected), "{rights}");
    }
}

#[tokio::test]
async fn a_stream_whose_token_is_another_callers_ends_so_that_it_comes_again() {
    let (world, mut stream) = watched(ALL).await;
    let other = world.files.caller_with("other", "watcher", ALL);
    world.says(signs() + &world.files.caller("till", ALL) + &other).await;
    let (told, end) = end(&mut stream).await;
    assert!(told.is_empty() && end.is_ok(), "{told:?} {end:?}");
}

#[tokio::test]
async fn a_stream_tells_what_its_caller_may_see_by_now() {
    let (world, mut stream) = watched(&format!("{ALL}\napp_ids = ['app-1']")).await;
    let next = async |stream: &mut Stream| loop {
        let message = tokio::time::timeout(GUARD, stream.message()).await.unwrap().unwrap();
        if let Some(refund) = message.expect("a stream that goes on").refund
            && refund.state() == pb::RefundRecordState::Settled
        {
            return (refund.app_id, refund.order_id);
        }
    };
    let told = |app_id: &str, number: &str| (app_id.to_owned(), number.to_owned());
    refund(&world, "app-1", "R1").await;
    assert_eq!(next(&mut stream).await, told("app-1", "R1"));
    let watcher = world.files.caller("watcher", &format!("{ALL}\napp_ids = ['app-2']"));
    world.says(signs() + &world.files.caller("till", ALL) + &watcher).await;
    refund(&world, "app-1", "R2").await;
    refund(&world, "app-2", "R3").await;
    assert_eq!(next(&mut stream).await, told("app-2", "R3"));
}

/// Not only with the configuration: the file of its tokens is enough.
#[tokio::test]
async fn a_stream_ends_when_its_token_is_taken_out_of_its_file() {
    let (world, mut stream) = watched(ALL).await;
    world.files.put("watcher", "another-token-0123456789");
    let (_, end) = end(&mut stream).await;
    assert_eq!(end.unwrap_err().code, Unauthenticated);
}
