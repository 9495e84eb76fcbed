//! Callers that are added, changed and removed.

use sunmi_trade::api::pb;
use tonic::Code::{PermissionDenied, ResourceExhausted, Unauthenticated};

use super::world::{Files, World, bare, credential};
use crate::calls;
use crate::certificates::{Authority, Caller, Folder};
use crate::failure::Failure;
use crate::server::{GUARD, Server, settle, with};
use crate::tls::served;
use crate::upstream::{QUERY, SWIPE_QUERY, Upstream, held};

const READS: &str = "rpcs = ['Query', 'SwipeQuery']";

/// What becomes of a query with the token of this name.
async fn query(world: &World, token: &str) -> Result<pb::QueryResponse, Failure> {
    settle(world.client(token).await.query(calls::query("O1"))).await
}

async fn code(world: &World, token: &str) -> Option<tonic::Code> {
    query(world, token).await.err().map(|failure| failure.code)
}

#[tokio::test]
async fn callers_that_are_added_changed_and_removed_are_so_for_calls_from_then_on() {
    let start = |files: &Files| credential("app-1", "k") + &files.caller("one", READS);
    let world = World::new(start).await;
    world.upstream.always(QUERY, calls::paid());
    assert_eq!(code(&world, "one").await, None);
    assert_eq!(code(&world, "two").await, Some(Unauthenticated));

    let (signs, files) = (credential("app-1", "k"), &world.files);
    world.says(signs.clone() + &files.caller("one", READS) + &files.caller("two", READS)).await;
    assert_eq!((code(&world, "one").await, code(&world, "two").await), (None, None));

    let less = files.caller("one", "rpcs = ['SwipeQuery']");
    world.says(signs.clone() + &less + &files.caller("two", READS)).await;
    assert_eq!(
        (code(&world, "one").await, code(&world, "two").await),
        (Some(PermissionDenied), None)
    );

    world.says(signs + &files.caller("two", READS)).await;
    assert_eq!(
        (code(&world, "one").await, code(&world, "two").await),
        (Some(Unauthenticated), None)
    );
}

#[tokio::test]
async fn a_token_that_another_caller_has_by_now_is_that_ones() {
    let (reads, swipes) = ("rpcs = ['Query']", "rpcs = ['SwipeQuery']");
    let start = |files: &Files| {
        credential("app-1", "k") + &files.caller("one", reads) + &files.caller("two", swipes)
    };
    let world = World::new(start).await;
    world.upstream.always(QUERY, calls::paid()).always(SWIPE_QUERY, calls::paid());
    assert_eq!(
        (code(&world, "one").await, code(&world, "two").await),
        (None, Some(PermissionDenied))
    );
    let (one, two) = (
        world.files.caller_with("one", "two", reads),
        world.files.caller_with("two", "one", swipes),
    );
    world.says(credential("app-1", "k") + &one + &two).await;
    assert_eq!(
        (code(&world, "one").await, code(&world, "two").await),
        (Some(PermissionDenied), None)
    );
}

#[tokio::test]
async fn callers_known_by_certificates_are_added_and_removed_alike() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    upstream.always(QUERY, calls::paid());
    let (folder, files) = (Folder::new(&authority.server()), Files::new());
    let table = |uri: &str| format!("[[callers]]\nname = 'one'\nuris = ['{uri}']\n{READS}\n");
    folder.write("ca.crt", &authority.pem());
    let signs = credential("app-1", "k");
    files.put("config.toml", signs.clone() + &table("a:one"));
    let sources = folder.mutual(bare(&upstream), "required");
    let server = Server::start_rereading(&files.path("config.toml"), sources, false).await;
    let by = |uri: &str| Caller::new(&authority, Some(&authority.client(uri, "a")));
    let (one, two) = (by("a:one"), by("a:two"));
    served(&one, &server).await.unwrap();
    served(&two, &server).await.unwrap_err();
    files.put("config.toml", signs + &table("a:two"));
    let replaced = async { while served(&two, &server).await.is_err() {} };
    tokio::time::timeout(GUARD, replaced).await.expect("the other one in force in time");
    served(&one, &server).await.unwrap_err();
}

#[tokio::test]
async fn calls_under_way_keep_their_caller_and_count_in_its_bound() {
    let bound = |most: u32| format!("{READS}\nmax_calls = {most}");
    let start = |files: &Files| credential("app-1", "k") + &files.caller("one", &bound(1));
    let world = World::new(start).await;
    let (answer, release) = held(&calls::paid());
    world.upstream.next(QUERY, answer).always(QUERY, calls::paid());
    let mut client = world.client("one").await;
    let first = tokio::spawn(async move { settle(client.query(calls::query("O1"))).await });
    world.upstream.has_seen(1).await;
    assert_eq!(code(&world, "one").await, Some(ResourceExhausted));

    let (signs, files) = (credential("app-1", "k"), &world.files);
    let other = files.caller("two", READS);
    world.says(signs.clone() + &files.caller("one", &bound(1)) + &other).await;
    assert_eq!(code(&world, "one").await, Some(ResourceExhausted));
    world.says(signs.clone() + &files.caller("one", &bound(2)) + &other).await;
    assert_eq!(code(&world, "one").await, None);
    world.says(signs.clone() + &other).await;
    assert_eq!(code(&world, "one").await, Some(Unauthenticated));
    // It comes back, and what it left under way with it.
    world.says(signs + &files.caller("one", &bound(1)) + &other).await;
    assert_eq!(code(&world, "one").await, Some(ResourceExhausted));
    release.send(()).unwrap();
    first.await.unwrap().expect("the call that was under way");
}

#[tokio::test]
async fn what_the_environment_sets_goes_before_the_file_as_at_the_start() {
    let (files, upstream) = (Files::new(), Upstream::start().await);
    upstream.always(QUERY, calls::paid());
    let env = [
        ("SUNMI_TRADE_APP_ID", "app-env"),
        ("SUNMI_TRADE_APP_KEY", "k"),
        ("SUNMI_TRADE__DEFAULT_APP_ID", "app-env"),
    ];
    let sources = with(bare(&upstream), &env);
    files.put("config.toml", "reflection = true\n");
    let server = Server::start_rereading(&files.path("config.toml"), sources, false).await;
    let world = World { upstream, server, files };
    world.says(String::from("default_app_id = 'app-1'\n") + &credential("app-1", "k1")).await;
    for named in ["", "app-env", "app-1"] {
        let request = pb::QueryRequest { app_id: named.to_owned(), ..calls::query("O1") };
        settle(world.server.client().await.query(request)).await.unwrap();
    }
    let signed: Vec<String> =
        world.upstream.seen().into_iter().map(|seen| seen.form["app_id"].clone()).collect();
    assert_eq!(signed, ["app-env", "app-env", "app-1"]);
}
