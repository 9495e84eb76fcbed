//! How the server stops: nothing that was accepted is lost, and nothing holds it for ever.

use std::time::Duration;

use sunmi_trade::api::pb;
use sunmi_trade::config::Sources;
use tokio::net::TcpStream;
use tonic::Streaming;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::calls;
use crate::server::{GUARD, Server, settings, with};
use crate::serving::page;
use crate::upstream::{QUERY, REFUND, Upstream, held};

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

/// With a drain of half a second.
fn hurried(sources: Sources) -> Sources {
    let env = [
        ("SUNMI_TRADE__UPSTREAM__CONNECT_TIMEOUT", "150ms"),
        ("SUNMI_TRADE__UPSTREAM__ATTEMPT_TIMEOUT", "200ms"),
        ("SUNMI_TRADE__DEADLINES__DEFAULT", "300ms"),
        ("SUNMI_TRADE__DEADLINES__MAX", "300ms"),
        ("SUNMI_TRADE__REFUND__MIN_LEFT", "0ms"),
        ("SUNMI_TRADE__REFUND__CEILING", "400ms"),
        ("SUNMI_TRADE__SHUTDOWN__DRAIN", "500ms"),
    ];
    with(sources, &env)
}

async fn watch(server: &Server, service: &str) -> Streaming<HealthCheckResponse> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(server.channel().await).watch(request).await.unwrap().into_inner()
}

async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    let message = tokio::time::timeout(GUARD, watch.message()).await.expect("a word in time");
    message.expect("an orderly end").map(|message| message.status())
}

#[tokio::test]
async fn health_watches_see_the_stop_and_end() {
    let (_upstream, mut server) = start().await;
    let mut watches = Vec::new();
    for service in ["", "sunmi.trade.v1.TradeService"] {
        let mut watch = watch(&server, service).await;
        assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
        watches.push(watch);
    }
    server.stop();
    for mut watch in watches {
        let last = next(&mut watch).await;
        // With no delay the end may overtake the word.
        if last.is_some() {
            assert_eq!(last, Some(ServingStatus::NotServing));
            assert_eq!(next(&mut watch).await, None);
        }
    }
    server.stopped().await;
}

#[tokio::test]
async fn between_the_word_and_the_stop_calls_are_still_served() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let env = [("SUNMI_TRADE__SHUTDOWN__DELAY", "1s")];
    let mut server = Server::start(&with(settings(upstream.address), &env)).await;
    let mut watch = watch(&server, "").await;
    assert_eq!(next(&mut watch).await, Some(ServingStatus::Serving));
    let mut client = server.client().await;
    server.stop();
    assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
    assert_eq!(page(&server, "/readyz").await.0, "503");
    assert_eq!(page(&server, "/livez").await.0, "200");
    client.query(calls::query("O1")).await.expect("a call during the delay");
    server.stopped().await;
}

#[tokio::test]
async fn a_call_under_way_is_answered() {
    let (upstream, mut server) = start().await;
    let (answer, release) = held(&calls::paid());
    upstream.next(QUERY, answer);
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.query(calls::query("O1")).await });
    upstream.has_seen(1).await;
    server.stop();
    assert!(server.still_runs_after(Duration::from_millis(200)).await);
    release.send(()).unwrap();
    let found = call.await.unwrap().expect("an answer").into_inner();
    assert_eq!(found.state(), pb::TradeState::Succeeded);
    server.stopped().await;
}

#[tokio::test]
async fn a_refund_whose_caller_is_gone_goes_on_and_the_stop_waits_for_it() {
    let (upstream, mut server) = start().await;
    let (answer, release) = held(&calls::code("E22", "退款金额有误"));
    upstream.next(REFUND, answer).next(QUERY, calls::code("E19", "订单不存在"));
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.refund(calls::refund("R1")).await });
    upstream.has_seen(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    server.stop();
    assert!(server.still_runs_after(Duration::from_millis(200)).await);
    release.send(()).unwrap();
    server.stopped().await;
    // That it looks for the refund shows that the refusal was read.
    assert_eq!(upstream.take_paths(), [REFUND, QUERY]);
}

#[tokio::test]
async fn a_connection_that_never_speaks_does_not_hold_the_stop() {
    let upstream = Upstream::start().await;
    let mut server = Server::start(&hurried(settings(upstream.address))).await;
    let mute = TcpStream::connect(server.address).await.unwrap();
    // The server has taken the other connection when it has answered on this one.
    server.client().await.query(calls::query("")).await.unwrap_err();
    server.stop();
    server.stopped().await;
    drop(mute);
}

#[tokio::test]
async fn an_idle_server_stops_at_once() {
    let (_upstream, mut server) = start().await;
    let client = server.client().await;
    server.stop();
    // Far less than the drain.
    server.stopped().await;
    drop(client);
}
