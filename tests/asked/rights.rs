//! What a caller may see.

use std::path::Path;

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_ledger_service_client::RefundLedgerServiceClient;
use sunmi_trade::config::Sources;
use sunmi_trade::ledger::{Doubt, Looked, Row, State};
use sunmi_trade::trade::Refund;
use tonic::Code::{NotFound, PermissionDenied, ResourceExhausted, Unauthenticated};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};

use crate::bench::{claim_after, id};
use crate::failure::Failure;
use crate::scratch::Scratch;
use crate::server::{GUARD, Server, settle};
use crate::upstream::{QUERY, held};
use crate::world::{World, ask, get, not_found, own, put};

/// The callers, each with a token of its name: what they may do.
const CALLERS: [(&str, &str); 4] = [
    ("all", r#"rpcs = ["GetRefund", "ListRefunds", "WatchRefunds"]"#),
    (
        "one-app",
        r#"rpcs = ["GetRefund", "ListRefunds", "WatchRefunds"]
        app_ids = ["app-1"]"#,
    ),
    (
        "till",
        r#"rpcs = ["GetRefund", "ListRefunds", "WatchRefunds"]
        own_refunds_only = true"#,
    ),
    ("reader", r#"rpcs = ["Query"]"#),
];

fn token(name: &str) -> String {
    format!("{name}-token-0123456789")
}

fn guarded(world: &World, folder: &Path) -> Sources {
    let mut text =
        "default_app_id = \"app-1\"\n[[credentials]]\napp_id = \"app-2\"\napp_key = \"k\"\n"
            .to_owned();
    for (name, rights) in CALLERS {
        let path = folder.join(name);
        std::fs::write(&path, token(name)).unwrap();
        let path = path.display();
        text += &format!("[[callers]]\nname = \"{name}\"\ntoken_file = \"{path}\"\n{rights}\n");
    }
    Sources { file: Some(text), ..world.settings() }
}

/// Shows a caller's token with every call.
#[derive(Clone)]
struct Authorize(String);

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", self.0.parse().expect("a header"));
        Ok(request)
    }
}

/// A client that is this caller.
async fn client(
    server: &Server,
    caller: &str,
) -> RefundLedgerServiceClient<InterceptedService<Channel, Authorize>> {
    let authorize = Authorize(format!("Bearer {}", token(caller)));
    RefundLedgerServiceClient::with_interceptor(server.channel().await, authorize)
}

/// What a caller is told: the numbers of one `GetRefund` for each, of all pages, and of a stream.
async fn told(server: &Server, caller: &str) -> Result<[Vec<String>; 3], Failure> {
    let mut client = client(server, caller).await;
    let mut got = Vec::new();
    for number in ["R1", "R2", "R3"] {
        match settle(client.get_refund(get(number))).await {
            Ok(told) => got.push(told.refund.unwrap().order_id),
            Err(failure) if failure.code == NotFound => {}
            Err(failure) => return Err(failure),
        }
    }
    let list = settle(client.list_refunds(pb::ListRefundsRequest::default())).await?;
    let mut listed: Vec<_> = list.refunds.into_iter().map(|it| it.order_id).collect();
    listed.sort();
    let mut stream = settle(client.watch_refunds(pb::WatchRefundsRequest::default())).await?;
    let mut watched = Vec::new();
    loop {
        let message =
            tokio::time::timeout(GUARD, stream.message()).await.unwrap().unwrap().unwrap();
        // Nor is it told of others by the place that a cursor is of.
        let cursor = hex::decode(&message.cursor).unwrap();
        assert!(!String::from_utf8_lossy(&cursor).contains("app-"), "{cursor:?}");
        let Some(refund) = message.refund else { break };
        watched.push(refund.order_id);
    }
    watched.sort();
    Ok([got, listed, watched])
}

#[tokio::test]
async fn each_sees_the_refunds_of_its_app_ids_and_of_its_own_if_so_bound() {
    let (world, scratch) = (World::new().await, Scratch::new());
    let ledger = world.ledger().await;
    put(&ledger, &own("R1"), State::Settled).await;
    put(&ledger, &Refund { app_id: id("app-2"), ..own("R2") }, State::Settled).await;
    let of_till = Refund { app_id: id("app-2"), caller: Some("till".into()), ..own("R3") };
    put(&ledger, &of_till, State::InDoubt).await;
    let server = Server::start(&guarded(&world, scratch.path())).await;
    let see = |numbers: &[&str]| {
        let numbers: Vec<String> = numbers.iter().map(|it| (*it).to_owned()).collect();
        [numbers.clone(), numbers.clone(), numbers]
    };
    for (caller, sees) in
        [("all", &["R1", "R2", "R3"][..]), ("one-app", &["R1"]), ("till", &["R3"])]
    {
        assert_eq!(told(&server, caller).await.unwrap(), see(sees), "{caller}");
    }
    let denied = told(&server, "reader").await.unwrap_err();
    assert_eq!(denied.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", ""));
    let unknown = told(&server, "nobody").await.unwrap_err();
    assert_eq!(unknown.verdict(), (Unauthenticated, "CALLER_UNAUTHENTICATED", ""));
}

#[tokio::test]
async fn a_refund_that_another_claims_anew_while_sunmi_is_asked_is_not_told() {
    let (world, scratch) = (World::new().await, Scratch::new());
    let ledger = world.ledger().await;
    let of_till = Refund { caller: Some("till".into()), ..own("R1") };
    let Row { key, epoch, .. } = put(&ledger, &of_till, State::InDoubt).await;
    let server = Server::start(&guarded(&world, scratch.path())).await;
    let (answer, release) = held(&not_found());
    world.upstream.had("R1").next(QUERY, answer).always(QUERY, not_found());
    let mut client = client(&server, "till").await;
    let asked = tokio::spawn(async move { settle(client.get_refund(ask("R1"))).await });
    world.upstream.has_seen(1).await;
    let doubt = Doubt { why: "a test".to_owned(), ..Doubt::default() };
    assert!(ledger.refuse(&key, epoch, &doubt, true).await.unwrap());
    let change = ledger.row(&key).await.unwrap().change;
    let looked = Looked { epoch, rows: vec![(key, change)], ..Looked::default() };
    claim_after(&ledger, &Refund { caller: Some("all".into()), ..own("R1") }, &looked).await;
    release.send(()).unwrap();
    let failure = asked.await.unwrap().unwrap_err();
    assert_eq!(failure.verdict(), (NotFound, "REFUND_NOT_FOUND", ""));
}

#[tokio::test]
async fn an_app_id_that_a_caller_may_not_use_is_refused_by_name() {
    let (world, scratch) = (World::new().await, Scratch::new());
    let server = Server::start(&guarded(&world, scratch.path())).await;
    let mut client = client(&server, "one-app").await;
    let app_id = "app-2".to_owned();
    let get = pb::GetRefundRequest { app_id: app_id.clone(), ..get("R2") };
    let list = pb::ListRefundsRequest { app_id, ..Default::default() };
    for denied in [
        settle(client.get_refund(get)).await.unwrap_err(),
        settle(client.list_refunds(list)).await.unwrap_err(),
    ] {
        assert_eq!(denied.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", ""));
        assert_eq!(denied.fields(), ["app_id"]);
    }
}

#[tokio::test]
async fn a_caller_has_so_many_streams_and_no_more() {
    let (world, scratch) = (World::new().await, Scratch::new());
    let server = Server::start(&guarded(&world, scratch.path())).await;
    let (mut all, mut till) = (client(&server, "all").await, client(&server, "till").await);
    let watch = pb::WatchRefundsRequest::default;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(settle(all.watch_refunds(watch())).await.unwrap());
    }
    let full = settle(all.watch_refunds(watch())).await.unwrap_err();
    assert_eq!(full.verdict(), (ResourceExhausted, "OVERLOADED", ""));
    // Others have theirs, and calls that do not last are not in the way of each other.
    settle(till.watch_refunds(watch())).await.unwrap();
    settle(all.list_refunds(pb::ListRefundsRequest::default())).await.unwrap();
    drop(streams.pop());
    let again = async { while settle(all.watch_refunds(watch())).await.is_err() {} };
    tokio::time::timeout(GUARD, again).await.expect("a place that comes back");
}
