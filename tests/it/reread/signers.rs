//! Credentials that are added, changed and removed.

use std::fs;

use sunmi_trade::api::pb;
use sunmi_trade::config::Sources;
use tonic::Code::InvalidArgument;

use super::world::{Files, LOADED, REFUSED, World, credential};
use crate::calls;
use crate::failure::Failure;
use crate::measures::{measure, until};
use crate::server::{Server, settle};
use crate::two_keys::signer;
use crate::upstream::{QUERY, REFUND, held};

async fn query(server: &Server, app_id: &str) -> Result<pb::QueryResponse, Failure> {
    let request = pb::QueryRequest { app_id: app_id.to_owned(), ..calls::query("O1") };
    settle(server.client().await.query(request)).await
}

fn refund(app_id: &str) -> pb::RefundRequest {
    pb::RefundRequest { app_id: app_id.to_owned(), ..calls::refund("R1") }
}

#[tokio::test]
async fn credentials_that_are_added_changed_and_removed_are_so_for_calls_from_then_on() {
    let world = World::new(|_| credential("app-1", "old")).await;
    world.upstream.always(QUERY, calls::paid());
    let unknown = query(&world.server, "app-2").await.unwrap_err();
    assert_eq!((unknown.code, unknown.violations[0].0.as_str()), (InvalidArgument, "app_id"));

    world.says(credential("app-1", "old") + &credential("app-2", "two")).await;
    query(&world.server, "app-2").await.unwrap();
    assert_eq!(signer(&world.upstream.seen().pop().unwrap(), &["old", "two"]), "two");

    world.says(credential("app-1", "new") + &credential("app-2", "two")).await;
    query(&world.server, "app-1").await.unwrap();
    assert_eq!(signer(&world.upstream.seen().pop().unwrap(), &["old", "new"]), "new");

    world.says(credential("app-2", "two")).await;
    let gone = query(&world.server, "app-1").await.unwrap_err();
    assert_eq!((gone.code, gone.violations[0].0.as_str()), (InvalidArgument, "app_id"));
    // The only one left is the default.
    query(&world.server, "").await.unwrap();
    assert_eq!(signer(&world.upstream.seen().pop().unwrap(), &["old", "new", "two"]), "two");
}

#[tokio::test]
async fn a_refund_under_way_is_signed_with_the_key_that_it_began_with() {
    for after in [credential("app-1", "new"), credential("app-2", "two")] {
        let world = World::new(|_| credential("app-1", "old")).await;
        world.upstream.always(REFUND, calls::refunded());
        let (look, release) = held(&calls::not_found());
        world.upstream.finds_before("R1", look);
        let mut client = world.server.client().await;
        let sent = tokio::spawn(async move { settle(client.refund(refund("app-1"))).await });
        let looks = async {
            while world.upstream.everything().is_empty() {
                tokio::task::yield_now().await
            }
        };
        tokio::time::timeout(crate::server::GUARD, looks).await.expect("a look");
        world.says(after).await;
        release.send(()).unwrap();
        let refunded = sent.await.unwrap().expect("a refund");
        assert_eq!(refunded.state(), pb::TradeState::Succeeded);
        let seen = world.upstream.only();
        assert_eq!((seen.path.as_str(), signer(&seen, &["old", "new", "two"])), (REFUND, "old"));
    }
}

#[tokio::test]
async fn a_credential_that_is_exchanged_and_set_back_sends_no_refund_a_second_time() {
    let world = World::new(|_| credential("app-1", "one")).await;
    world.upstream.always(QUERY, calls::not_found());
    world.upstream.next(REFUND, calls::code("E23", "refused")).always(REFUND, calls::refunded());
    let refund = async || settle(world.server.client().await.refund(refund(""))).await;
    let refused = refund().await.unwrap_err();
    assert_eq!(refused.outcome.as_deref(), Some("NOT_APPLIED"), "{refused:?}");
    world.says(credential("app-2", "two")).await;
    assert!(!refund().await.unwrap().replayed);
    world.says(credential("app-1", "one")).await;
    assert!(refund().await.unwrap().replayed);
    assert_eq!(world.upstream.sends(), 2);
}

#[tokio::test]
async fn key_files_are_watched_from_when_they_are_named_until_they_are_not() {
    let files_of = |files: &Files, names: &[&str]| -> String {
        let table = |name: &&str| {
            let file = files.path(name).display().to_string();
            format!("[[credentials]]\napp_id = '{name}'\napp_key_file = '{file}'\n")
        };
        names.iter().map(table).collect()
    };
    let world = World::new(|files| {
        files.put("app-1", "one");
        files_of(files, &["app-1"])
    })
    .await;
    world.upstream.always(QUERY, calls::paid());
    world.files.put("app-2", "two");
    world.says(files_of(&world.files, &["app-1", "app-2"])).await;
    let keys = r#"sunmi_reload_total{kind="app_key",result="ok"}"#;
    assert_eq!(measure(&world.server, keys).await, 0);
    world.files.put("app-2", "newer");
    until(&world.server, keys, |count| count == 1).await;
    query(&world.server, "app-2").await.unwrap();
    assert_eq!(signer(&world.upstream.seen().pop().unwrap(), &["two", "newer"]), "newer");

    let stale = r#"sunmi_reload_stale{kind="app_key"}"#;
    fs::remove_file(world.files.path("app-1")).unwrap();
    until(&world.server, stale, |stale| stale == 1).await;
    world.says(files_of(&world.files, &["app-2"])).await;
    assert_eq!(measure(&world.server, stale).await, 0);
}

/// Whose own credential is not of the file.
#[tokio::test]
async fn the_built_in_sandbox_knows_whoever_signs_by_now() {
    let files = Files::new();
    files.put("config.toml", "reload_interval = '10ms'\n");
    let sources = Sources::default();
    let server = Server::start_rereading(&files.path("config.toml"), sources, true).await;
    let found = |app_id: &'static str| {
        let server = &server;
        async move {
            let request = pb::QueryRequest {
                app_id: app_id.to_owned(),
                order: Some(pb::query_request::Order::OrderId("DEMO-1".to_owned())),
                ..calls::query("")
            };
            settle(server.client().await.query(request)).await
        }
    };
    found("sandbox").await.expect("its own");
    // Which would be in order for a sandbox.
    files.put("config.toml", "");
    until(&server, REFUSED, |count| count == 1).await;
    files.put("config.toml", credential("app-1", "k") + &credential("app-2", "two"));
    until(&server, LOADED, |count| count == 1).await;
    found("app-1").await.expect("one that was added");
    let gone = found("sandbox").await.unwrap_err();
    assert_eq!(gone.code, InvalidArgument);
    files.put("config.toml", "reload_interval = '10ms'\n");
    until(&server, LOADED, |count| count == 2).await;
    found("sandbox").await.expect("its own again");
}
