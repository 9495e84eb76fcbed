//! What is counted of gRPC calls, as dashboards and alerts for any gRPC server look for it.

use std::collections::{BTreeMap, BTreeSet};

use sunmi_trade::api::pb;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_prost::ProstCodec;

use crate::calls::{self, handled};
use crate::measures::{measure, scrape, until};
use crate::server::{Server, query, refund, settings};
use crate::upstream::{Answer, QUERY, REFUND, Upstream};

const CODES: [&str; 17] = [
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
];

const UNKNOWN: &str = "grpc_method=\"unknown\",grpc_service=\"unknown\",grpc_type=\"unary\"";

/// The labels of a method.
fn of(method: &str) -> String {
    let service = "sunmi.trade.v1.TradeService";
    format!("{{grpc_method=\"{method}\",grpc_service=\"{service}\",grpc_type=\"unary\"}}")
}

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found()).always(REFUND, calls::accepted());
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

fn names(all: &BTreeMap<String, f64>) -> BTreeSet<&String> {
    all.keys().collect()
}

#[tokio::test]
async fn every_method_with_every_code_is_there_from_the_start_at_zero() {
    let (_upstream, server) = start().await;
    let all = scrape(&server).await;
    for method in ["Query", "Refund", "SwipeQuery"] {
        for code in CODES {
            assert_eq!(all.get(&handled(method, code)), Some(&0.0), "{method} {code}");
        }
        for family in ["started_total", "msg_received_total", "msg_sent_total"] {
            let series = format!("grpc_server_{family}{}", of(method));
            assert_eq!(all.get(&series), Some(&0.0), "{series}");
        }
        let count = format!("grpc_server_handling_seconds_count{}", of(method));
        assert_eq!(all.get(&count), Some(&0.0));
    }
    for (method, kind) in
        [("GetRefund", "unary"), ("ListRefunds", "unary"), ("WatchRefunds", "server_stream")]
    {
        let labels = format!(
            "{{grpc_method=\"{method}\",grpc_service=\"sunmi.trade.v1.RefundLedgerService\",\
             grpc_type=\"{kind}\"}}"
        );
        assert_eq!(all.get(&format!("grpc_server_started_total{labels}")), Some(&0.0), "{method}");
    }
    let handled = all.keys().filter(|series| series.starts_with("grpc_server_handled_total"));
    // Six methods, and the unknown ones.
    assert_eq!(handled.count(), 7 * CODES.len());
}

#[tokio::test]
async fn a_call_is_counted_when_it_begins_is_read_is_replied_to_and_ends() {
    let (_upstream, server) = start().await;
    refund(&server, calls::refund("R1")).await.unwrap();
    refund(&server, pb::RefundRequest::default()).await.unwrap_err();
    query(&server, calls::query("O1")).await.unwrap_err();
    let of_refund = of("Refund");
    for (series, count) in [
        (format!("grpc_server_started_total{of_refund}"), 2),
        (format!("grpc_server_msg_received_total{of_refund}"), 2),
        (format!("grpc_server_msg_sent_total{of_refund}"), 1),
        (format!("grpc_server_handling_seconds_count{of_refund}"), 2),
        (handled("Refund", "OK"), 1),
        (handled("Refund", "InvalidArgument"), 1),
        (handled("Query", "NotFound"), 1),
        (format!("grpc_server_started_total{}", of("Query")), 1),
        (format!("grpc_server_msg_sent_total{}", of("Query")), 0),
        (format!("grpc_server_started_total{}", of("SwipeQuery")), 0),
    ] {
        assert_eq!(measure(&server, &series).await, count, "{series}");
    }
}

#[tokio::test]
async fn a_call_whose_caller_goes_away_is_canceled() {
    let (upstream, server) = start().await;
    upstream.next(QUERY, Answer::Silence);
    let mut client = server.client().await;
    let call = tokio::spawn(async move { client.query(calls::query("O1")).await });
    upstream.has_seen(1).await;
    call.abort();
    until(&server, &handled("Query", "Canceled"), |count| count == 1).await;
}

async fn call(server: &Server, path: &str) -> Code {
    let mut grpc = Grpc::new(server.channel().await);
    grpc.ready().await.unwrap();
    let codec = ProstCodec::<pb::QueryRequest, pb::QueryResponse>::default();
    let path = PathAndQuery::try_from(path).unwrap();
    grpc.unary(Request::new(calls::query("O1")), path, codec).await.unwrap_err().code()
}

#[tokio::test]
async fn calls_of_what_is_not_there_are_one_method_whatever_their_paths() {
    let (_upstream, server) = start().await;
    let before = scrape(&server).await;
    for at in 0..34 {
        for path in [
            format!("/some.v{at}.Service/Method"),
            format!("/sunmi.trade.v1.TradeService/Method{at}"),
            format!("/sunmi.trade.v1.TradeService/{at}/Query"),
        ] {
            assert_eq!(call(&server, &path).await, Code::Unimplemented, "{path}");
        }
    }
    let after = scrape(&server).await;
    assert_eq!(names(&before), names(&after));
    let code = "grpc_code=\"Unimplemented\",";
    for (series, count) in [
        (format!("grpc_server_started_total{{{UNKNOWN}}}"), 102.0),
        (format!("grpc_server_handled_total{{{code}{UNKNOWN}}}"), 102.0),
        (format!("grpc_server_handling_seconds_count{{{UNKNOWN}}}"), 102.0),
        (format!("grpc_server_started_total{}", of("Query")), 0.0),
    ] {
        assert_eq!(after[&series], count, "{series}");
    }
}

#[tokio::test]
async fn health_and_reflection_are_left_out() {
    let (_upstream, server) = start().await;
    let mut health = HealthClient::new(server.channel().await);
    health.check(HealthCheckRequest::default()).await.unwrap();
    call(&server, "/grpc.reflection.v1.ServerReflection/Void").await;
    let all = scrape(&server).await;
    let started = all.iter().filter(|(series, _)| series.starts_with("grpc_server_started_total"));
    assert_eq!(started.map(|(_, count)| count).sum::<f64>(), 0.0);
}
