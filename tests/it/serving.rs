//! What is served beside the trade service: health, reflection, the admin port; and what every
//! call of it has.

use sunmi_trade::api::pb;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::calls;
use crate::failure::Failure;
use crate::server::{Server, settings, settle, with};
use crate::upstream::{QUERY, Upstream};

const SERVICE: &str = "sunmi.trade.v1.TradeService";
const LEDGER: &str = "sunmi.trade.v1.RefundLedgerService";

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

/// The status and the body of a page of the admin port.
pub(crate) async fn page(server: &Server, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(server.admin).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    let (head, body) = text.split_once("\r\n\r\n").expect("a head and a body");
    let status = head.split(' ').nth(1).expect("a status");
    (status.to_owned(), body.to_owned())
}

#[tokio::test]
async fn health_is_known_for_the_server_and_the_service_and_nothing_else() {
    let (_upstream, server) = start().await;
    let mut health = HealthClient::new(server.channel().await);
    for service in ["", SERVICE, LEDGER] {
        let request = HealthCheckRequest { service: service.to_owned() };
        let status = health.check(request).await.unwrap().into_inner().status();
        assert_eq!(status, ServingStatus::Serving, "{service:?}");
    }
    let request = HealthCheckRequest { service: "sunmi.trade.v1.Nothing".to_owned() };
    assert_eq!(health.check(request).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn the_admin_port_says_that_the_server_is_live_started_and_ready() {
    let (_upstream, server) = start().await;
    // Ready only once it serves.
    server.channel().await;
    for path in ["/livez", "/startupz", "/readyz"] {
        assert_eq!(page(&server, path).await, ("200".to_owned(), "ok\n".to_owned()), "{path}");
    }
    assert_eq!(page(&server, "/nothing").await.0, "404");
}

/// The same conversation with both versions of the reflection service.
macro_rules! reflects {
    ($name:ident, $version:ident) => {
        #[tokio::test]
        async fn $name() {
            use tonic_reflection::pb::$version::ServerReflectionRequest;
            use tonic_reflection::pb::$version::server_reflection_client::ServerReflectionClient;
            use tonic_reflection::pb::$version::server_reflection_request::MessageRequest;
            use tonic_reflection::pb::$version::server_reflection_response::MessageResponse;

            let (_upstream, server) = start().await;
            let mut client = ServerReflectionClient::new(server.channel().await);
            let symbols = [
                SERVICE,
                LEDGER,
                "sunmi.trade.v1.TradeError",
                "google.rpc.Status",
                "google.rpc.ErrorInfo",
                "google.rpc.RequestInfo",
                "google.rpc.RetryInfo",
                "google.rpc.BadRequest",
                "google.rpc.LocalizedMessage",
                "grpc.health.v1.Health",
            ];
            let ask = |message_request| ServerReflectionRequest {
                host: String::new(),
                message_request: Some(message_request),
            };
            let mut requests = vec![ask(MessageRequest::ListServices(String::new()))];
            requests
                .extend(symbols.map(|it| ask(MessageRequest::FileContainingSymbol(it.to_owned()))));
            let stream = tokio_stream::iter(requests);
            let mut answers = client.server_reflection_info(stream).await.unwrap().into_inner();

            let first = answers.message().await.unwrap().unwrap().message_response.unwrap();
            let MessageResponse::ListServicesResponse(list) = first else { panic!("{first:?}") };
            let mut names: Vec<_> = list.service.into_iter().map(|it| it.name).collect();
            names.sort();
            let version = stringify!($version);
            let reflection = format!("grpc.reflection.{version}.ServerReflection");
            assert_eq!(names, ["grpc.health.v1.Health", reflection.as_str(), LEDGER, SERVICE]);
            for symbol in symbols {
                let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
                let MessageResponse::FileDescriptorResponse(files) = answer else {
                    panic!("{symbol}: {answer:?}")
                };
                assert!(!files.file_descriptor_proto.is_empty(), "{symbol}");
            }
        }
    };
}

reflects!(reflection_v1_serves_the_contract_and_the_details_of_errors, v1);
reflects!(reflection_v1alpha_serves_the_contract_and_the_details_of_errors, v1alpha);

#[tokio::test]
async fn a_method_that_there_is_not_is_unimplemented() {
    let (_upstream, server) = start().await;
    for path in ["/sunmi.trade.v1.TradeService/Void", "/sunmi.trade.v2.TradeService/Query", "/x"] {
        let mut grpc = tonic::client::Grpc::new(server.channel().await);
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<pb::QueryRequest, pb::QueryResponse>::default();
        let path = PathAndQuery::from_static(path);
        let answer = grpc.unary(Request::new(calls::query("O1")), path.clone(), codec).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented, "{path}");
    }
}

#[tokio::test]
async fn reflection_can_be_switched_off_and_all_else_is_served() {
    let upstream = Upstream::start().await;
    let env = [("SUNMI_TRADE__REFLECTION", "false")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    for service in
        ["grpc.reflection.v1.ServerReflection", "grpc.reflection.v1alpha.ServerReflection"]
    {
        let path = format!("/{service}/ServerReflectionInfo");
        let mut grpc = tonic::client::Grpc::new(server.channel().await);
        grpc.ready().await.unwrap();
        let codec = tonic_prost::ProstCodec::<pb::QueryRequest, pb::QueryResponse>::default();
        let path = PathAndQuery::try_from(path).unwrap();
        let answer = grpc.unary(Request::new(calls::query("O1")), path, codec).await;
        assert_eq!(answer.unwrap_err().code(), Code::Unimplemented, "{service}");
    }
    let mut health = HealthClient::new(server.channel().await);
    health.check(HealthCheckRequest::default()).await.expect("health");
}

async fn failure_with_id(server: &Server, id: Option<&str>) -> Failure {
    let mut request = Request::new(pb::QueryRequest::default());
    if let Some(id) = id {
        request.metadata_mut().insert("x-request-id", id.parse().unwrap());
    }
    settle(server.client().await.query(request)).await.unwrap_err()
}

#[tokio::test]
async fn the_callers_request_id_is_echoed_and_a_missing_or_unfit_one_is_made() {
    let (_upstream, server) = start().await;
    for id in ["abc-123", "{}~!", &"x".repeat(128)] {
        assert_eq!(failure_with_id(&server, Some(id)).await.request_id, id);
    }
    let mut made = vec![failure_with_id(&server, None).await.request_id];
    for id in ["", "a b", &"x".repeat(129)] {
        made.push(failure_with_id(&server, Some(id)).await.request_id);
    }
    for id in &made {
        uuid::Uuid::parse_str(id).expect("a UUID");
    }
    made.sort();
    made.dedup();
    assert_eq!(made.len(), 4);
}

#[tokio::test]
async fn one_connection_carries_calls_of_many_kinds_at_once() {
    let (upstream, server) = start().await;
    upstream.always(QUERY, calls::paid());
    let client = server.client().await;
    let calls = (0..50).map(|at| {
        let mut client = client.clone();
        tokio::spawn(async move {
            let order_id = if at % 2 == 0 { format!("O{at}") } else { String::new() };
            client.query(calls::query(&order_id)).await.is_ok()
        })
    });
    let calls: Vec<_> = calls.collect();
    for (at, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap(), at % 2 == 0, "{at}");
    }
    assert_eq!(upstream.seen().len(), 25);
}
