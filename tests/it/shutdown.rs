//! How the server stops: nothing that was accepted is lost, and nothing holds it for ever.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use sunmi_trade::api::pb;
use sunmi_trade::config::Sources;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::calls;
use crate::certificates::{Authority, Caller, Folder};
use crate::frames::{PREFACE, closed, headers, hello};
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

/// What a watch says next; `None` once the stop has ended it.
async fn next(watch: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    let message = tokio::time::timeout(GUARD, watch.message()).await.expect("a word in time");
    match message {
        Ok(message) => Some(message.expect("no end without a reason").status()),
        Err(status) => {
            assert_eq!((status.code(), status.message()), (Code::Unavailable, "the server stops"));
            None
        }
    }
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
        assert_eq!(next(&mut watch).await, Some(ServingStatus::NotServing));
        assert_eq!(next(&mut watch).await, None);
    }
    server.stopped().await;
}

/// Their clients could hold it up for the whole drain, which is longer than this waits.
#[tokio::test]
async fn nothing_that_is_served_aside_holds_the_stop() {
    let (_upstream, mut server) = start().await;
    let stream = TcpStream::connect(server.address).await.unwrap();
    let (mut client, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = tokio::spawn(connection);
    let mut call = |path: &str, body: Option<&'static [u8]>| {
        let request = Request::post(format!("http://localhost{path}"));
        let request = request.header("content-type", "application/grpc").body(()).unwrap();
        let (answer, mut sent) = client.send_request(request, false).unwrap();
        if let Some(body) = body {
            sent.send_data(Bytes::from_static(body), true).unwrap();
        }
        (answer, sent)
    };
    let begun = ["/grpc.health.v1.Health/Check", "/grpc.health.v1.Health/Watch"]
        .map(|path| call(path, None));
    let idle = ["v1", "v1alpha"].map(|version| {
        call(&format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"), None)
    });
    // The server has taken the others when it has answered this.
    let (answer, _) = call("/grpc.health.v1.Health/Check", Some(&[0; 5]));
    answer.await.unwrap();
    let mut streams = Vec::new();
    for (answer, sent) in idle {
        streams.push((answer.await.unwrap().into_body(), sent));
    }

    server.stop();
    for (answer, _sent) in begun {
        let refused = Status::from_header_map(answer.await.unwrap().headers()).unwrap();
        assert_eq!(refused.code(), Code::Unavailable);
    }
    // They go on as if they had more to ask.
    for (body, _) in &mut streams {
        let trailers = body.trailers().await.unwrap().expect("trailers");
        assert_eq!(Status::from_header_map(&trailers).unwrap().code(), Code::Unavailable);
    }
    server.stopped().await;
    connection.await.unwrap().expect("an orderly end");
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
    upstream.next(REFUND, answer).always(QUERY, calls::not_found());
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.refund(calls::refund("R1")).await });
    upstream.has_seen(1).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    server.stop();
    assert!(server.still_runs_after(Duration::from_millis(200)).await);
    release.send(()).unwrap();
    server.stopped().await;
    // That it looks for the refund, as often as the refusal takes to be believed, shows that it
    // was read.
    assert_eq!(upstream.take_paths(), [REFUND, QUERY, QUERY]);
}

/// What has not begun to speak is dropped, and what does not answer is cut in the end.
#[tokio::test]
async fn connections_that_do_not_answer_do_not_hold_the_stop() {
    let upstream = Upstream::start().await;
    let mut server = Server::start(&patient(hurried(settings(upstream.address)))).await;
    let mut mute = connect(&server, b"").await;
    let mut half = connect(&server, &PREFACE[..10]).await;
    let mut begun = connect(&server, PREFACE).await;
    // It never answers the server's ping, so that the server cannot know what is on the way.
    let mut silent = connect(&server, &hello()).await;
    let unfinished = [hello(), headers(1, ("te", "trailers"))].concat();
    let mut unfinished = connect(&server, &unfinished).await;
    // The server has taken the others when it has answered on this one.
    server.client().await.query(calls::query("")).await.unwrap_err();
    server.stop();
    for stream in [&mut mute, &mut half] {
        closed(stream).await;
    }
    server.stopped().await;
    for stream in [&mut begun, &mut silent, &mut unfinished] {
        closed(stream).await;
    }
}

/// With more time for connections to begin than any test waits.
fn patient(sources: Sources) -> Sources {
    let env = [
        ("SUNMI_TRADE__TLS__HANDSHAKE_TIMEOUT", "1m"),
        ("SUNMI_TRADE__LIMITS__PREFACE_TIMEOUT", "1m"),
    ];
    with(sources, &env)
}

/// A connection on which this was said.
async fn connect(server: &Server, bytes: &[u8]) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    stream
}

#[tokio::test]
async fn what_has_not_begun_to_speak_is_not_waited_for_at_all() {
    let upstream = Upstream::start().await;
    let mut server = Server::start(&patient(settings(upstream.address))).await;
    let mut mute = connect(&server, &PREFACE[..10]).await;
    server.client().await.query(calls::query("")).await.unwrap_err();
    server.stop();
    // The drain is much longer than this waits.
    server.stopped().await;
    closed(&mut mute).await;
}

#[tokio::test]
async fn handshakes_under_way_do_not_hold_the_stop() {
    let (upstream, authority) = (Upstream::start().await, Authority::new());
    let folder = Folder::new(&authority.server());
    let mut server = Server::start(&patient(folder.settings(settings(upstream.address)))).await;
    let caller = Caller::new(&authority, None);
    let mut half = connect(&server, b"\x16\x03\x01\x02\0\x01").await;
    let mut mute = caller.connect(server.address).await.unwrap();
    caller.client(&server).await.unwrap().query(calls::query("")).await.unwrap_err();
    server.stop();
    server.stopped().await;
    closed(&mut half).await;
    closed(&mut mute).await;
}

#[tokio::test]
async fn with_everything_under_way_at_once_what_was_accepted_is_answered() {
    let (upstream, mut server) = start().await;
    let mut watch = watch(&server, "").await;
    let idle = server.client().await;
    let mute = connect(&server, b"").await;
    let half = connect(&server, &PREFACE[..10]).await;
    let (query, release_query) = held(&calls::paid());
    let (refund, release_refund) = held(&calls::refunded());
    upstream.next(QUERY, query).next(REFUND, refund);
    let (mut asks, mut refunds) = (server.client().await, server.client().await);
    let query = tokio::spawn(async move { asks.query(calls::query("O1")).await });
    let refund = tokio::spawn(async move { refunds.refund(calls::refund("R1")).await });
    upstream.has_seen(2).await;
    server.stop();
    while next(&mut watch).await.is_some() {}
    assert!(server.still_runs_after(Duration::from_millis(100)).await);
    release_query.send(()).unwrap();
    release_refund.send(()).unwrap();
    assert_eq!(query.await.unwrap().unwrap().into_inner().state(), pb::TradeState::Succeeded);
    assert_eq!(refund.await.unwrap().unwrap().into_inner().state(), pb::TradeState::Succeeded);
    server.stopped().await;
    drop((idle, mute, half));
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
