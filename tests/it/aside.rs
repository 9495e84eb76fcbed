//! Health and reflection, which whoever reaches the port may call: they hold no more than
//! they may, and a check of health is answered all the while.

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::Channel;
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::{v1, v1alpha};

use crate::raw;
use crate::server::{GUARD, Server, settings, settle, with};
use crate::upstream::Upstream;

/// Far more than any request has.
const LARGE: usize = 8 << 10;

/// How many reflection streams there may be.
const REFLECTIONS: usize = 64;

async fn start(env: &[(&str, &str)]) -> Server {
    let upstream = Upstream::start().await;
    Server::start(&with(settings(upstream.address), env)).await
}

async fn is_healthy(channel: &Channel) {
    let mut health = HealthClient::new(channel.clone());
    let answer = settle(health.check(HealthCheckRequest::default())).await.expect("health");
    assert_eq!(answer.status(), ServingStatus::Serving);
}

async fn watch(channel: &Channel) -> Result<Streaming<HealthCheckResponse>, Code> {
    let mut health = HealthClient::new(channel.clone());
    let watch = tokio::time::timeout(GUARD, health.watch(HealthCheckRequest::default())).await;
    watch.expect("an answer in time").map(tonic::Response::into_inner).map_err(|it| it.code())
}

/// A stream of this version of reflection, with these requests on it.
macro_rules! reflect {
    ($version:ident, $channel:expr, $requests:expr) => {{
        let channel: &Channel = $channel;
        let mut client =
            $version::server_reflection_client::ServerReflectionClient::new(channel.clone());
        let answer = client.server_reflection_info($requests);
        let answer = tokio::time::timeout(GUARD, answer).await.expect("an answer in time");
        answer.map(tonic::Response::into_inner)
    }};
}

/// Sends the headers of a call and then says so much of its request.
async fn said(server: &Server, path: &str, part: Vec<u8>) -> Option<Status> {
    let sent = raw::send_to(server.address, path, &[], (Bytes::from(part), false)).await;
    sent.headers().await.rest().await.status()
}

/// Not even room is made for them.
#[tokio::test]
async fn requests_past_the_bound_are_refused_when_they_are_announced() {
    let server = start(&[]).await;
    for announced in [LARGE, 4 << 20] {
        let mut head = vec![0];
        head.extend(u32::try_from(announced).unwrap().to_be_bytes());
        for method in ["Check", "Watch"] {
            let path = format!("/grpc.health.v1.Health/{method}");
            let status = said(&server, &path, head.clone()).await.expect("a status");
            assert_eq!(status.code(), Code::OutOfRange, "{method} {announced}");
        }
        for version in ["v1", "v1alpha"] {
            let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
            // tonic's reflection ends without a word.
            said(&server, &path, head.clone()).await;
        }
    }
    is_healthy(&server.channel().await).await;
}

#[tokio::test]
async fn there_are_as_many_watches_as_there_may_be_connections() {
    let server = start(&[("SUNMI_TRADE__LIMITS__CONNECTIONS", "2")]).await;
    let channel = server.channel().await;
    let mut first = watch(&channel).await.expect("a watch");
    let second = watch(&channel).await.expect("a watch");
    for _ in 0..3 {
        assert_eq!(watch(&channel).await.unwrap_err(), Code::ResourceExhausted);
        is_healthy(&channel).await;
    }
    let word = first.message().await.unwrap().expect("a word");
    assert_eq!(word.status(), ServingStatus::Serving);
    drop(second);
    let place = async { while watch(&channel).await.is_err() {} };
    tokio::time::timeout(GUARD, place).await.expect("the place is free again");
}

#[tokio::test]
async fn there_are_so_many_reflection_streams_and_no_more() {
    let server = start(&[]).await;
    let channel = server.channel().await;
    let mut open = Vec::new();
    for _ in 0..REFLECTIONS {
        let (asks, requests) = mpsc::channel(1);
        let answers = reflect!(v1, &channel, ReceiverStream::new(requests)).expect("a stream");
        open.push((asks, answers));
    }
    let refused = reflect!(v1, &channel, tokio_stream::pending()).unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    let refused = reflect!(v1alpha, &channel, tokio_stream::pending()).unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted);
    is_healthy(&channel).await;
    watch(&channel).await.expect("a watch");
    drop(open);
    let place = async { while reflect!(v1alpha, &channel, tokio_stream::pending()).is_err() {} };
    tokio::time::timeout(GUARD, place).await.expect("the places are free again");
}
