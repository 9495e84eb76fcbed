//! Spans at a collector, and collectors that are of no use.

use std::time::Duration;

use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use tokio::net::TcpListener;
use tonic::Code;

use crate::calls::{self, PLAIN, with};
use crate::collector::Collector;
use crate::process::Server;
use crate::spans::Span;
use crate::sunmi::Sunmi;

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const CALLER: &str = "b7ad6b7169203331";
const SAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const UNSAMPLED: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

const ENDPOINT: &str = "SUNMI_TRADE__TRACING__ENDPOINT";
const RATIO: &str = "SUNMI_TRADE__TRACING__SAMPLE_RATIO";
const JSON: (&str, &str) = ("SUNMI_TRADE__LOG__FORMAT", "json");

struct World {
    sunmi: Sunmi,
    collector: Collector,
    server: Server,
}

impl World {
    async fn start(env: &[(&str, &str)]) -> Self {
        let sunmi = Sunmi::start("").await;
        let collector = Collector::start().await;
        let endpoint = collector.endpoint();
        let env = [env, &[(ENDPOINT, &endpoint), JSON]].concat();
        let server = Server::start(&sunmi, PLAIN, &env).await;
        Self { sunmi, collector, server }
    }

    /// Stops the server, which sends what is left, and tells all its spans in order of the
    /// attempts.
    async fn spans(&mut self) -> Vec<Span> {
        assert!(self.server.stop().await.success());
        self.collector.spans()
    }
}

/// The span of the call, and those below it.
fn family(spans: &[Span]) -> (Span, Vec<Span>) {
    let servers: Vec<&Span> = spans.iter().filter(|span| span.kind == SpanKind::Server).collect();
    let [server] = servers[..] else { panic!("{spans:?}") };
    let children = spans.iter().filter(|span| span.parent == server.span_id);
    (server.clone(), children.cloned().collect())
}

fn named(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let mut named: Vec<_> =
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    named.sort();
    named
}

#[tokio::test]
async fn a_call_and_each_attempt_are_spans_below_the_callers() {
    let mut world = World::start(&[]).await;
    let headers = [("traceparent", SAMPLED), ("tracestate", "shop=1")];
    world.server.client().await.query(with(calls::query("FLAKY"), &headers)).await.unwrap();
    let spans = world.spans().await;
    let (server, attempts) = family(&spans);
    assert_eq!((spans.len(), attempts.len()), (3, 2), "{spans:?}");
    assert_eq!(server.name, "sunmi.trade.v1.TradeService/Query");
    assert_eq!((server.trace_id.as_str(), server.parent.as_str()), (TRACE, CALLER));
    assert_eq!((server.state.as_str(), server.failed), ("shop=1", false));
    let expected = [
        ("rpc.system.name", "grpc"),
        ("rpc.method", "sunmi.trade.v1.TradeService/Query"),
        ("rpc.response.status_code", "OK"),
    ];
    assert_eq!(server.attributes, named(&expected));
    let port = world.sunmi.address.port().to_string();
    let common = [
        ("http.request.method", "POST"),
        ("url.template", "/v1/trade/query"),
        ("server.address", "127.0.0.1"),
        ("server.port", &port),
    ];
    let first = [("http.response.status_code", "503"), ("error.type", "503")];
    let second = [("http.response.status_code", "200"), ("http.request.resend_count", "1")];
    for (attempt, (own, failed)) in attempts.iter().zip([(first, true), (second, false)]) {
        assert_eq!(
            (attempt.name.as_str(), attempt.kind),
            ("POST /v1/trade/query", SpanKind::Client)
        );
        assert_eq!((attempt.trace_id.as_str(), attempt.failed), (TRACE, failed));
        assert_eq!(attempt.attributes, named(&[&common[..], &own].concat()));
    }
    let line = world.server.line();
    assert_eq!(
        (line["trace_id"].as_str(), line["span_id"].as_str()),
        (Some(TRACE), Some(server.span_id.as_str()))
    );
    let resource = world.collector.resource();
    let own = ("service.name".to_owned(), "sunmi-trade".to_owned());
    assert!(resource.contains(&own), "{resource:?}");
    // Sunmi is another party.
    assert!(
        world.sunmi.heads().iter().all(|head| !head.contains("trace")),
        "{:?}",
        world.sunmi.heads()
    );
}

/// It runs in a task of its own, which knows all the same whose it is.
#[tokio::test]
async fn a_refund_and_the_looks_for_it_are_below_their_call() {
    let mut world = World::start(&[]).await;
    let mut request = with(calls::refund("CLOSE"), &[("traceparent", SAMPLED)]);
    request.set_timeout(Duration::from_secs(1));
    let status = world.server.client().await.refund(request).await.unwrap_err();
    assert_eq!(status.code(), Code::Unknown);
    let (server, attempts) = family(&world.spans().await);
    assert_eq!(server.get("rpc.response.status_code"), Some("UNKNOWN"));
    assert_eq!((server.get("error.type"), server.failed), (Some("UNKNOWN"), true));
    let of = |name: &str| attempts.iter().filter(|it| it.name == name).collect::<Vec<_>>();
    let [sent] = of("POST /v1/trade/refund")[..] else { panic!("{attempts:?}") };
    assert_eq!((sent.get("error.type"), sent.failed), (Some("interrupted"), true));
    assert_eq!(sent.get("http.response.status_code"), None);
    assert!(!of("POST /v1/trade/query").is_empty(), "{attempts:?}");
}

#[tokio::test]
async fn a_refusal_is_no_failure_of_the_servers() {
    let mut world = World::start(&[]).await;
    let status = world.server.client().await.refund(calls::refund("E01")).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
    let (server, attempts) = family(&world.spans().await);
    assert_eq!(server.get("rpc.response.status_code"), Some("FAILED_PRECONDITION"));
    assert_eq!((server.get("error.type"), server.failed), (None, false));
    // To HTTP a refusal is a reply.
    assert_eq!((attempts[0].get("error.type"), attempts[0].failed), (None, false));
    assert_eq!(server.parent, "");
    assert_eq!(world.server.line()["trace_id"].as_str(), Some(server.trace_id.as_str()));
}

#[tokio::test]
async fn an_attempt_that_is_given_up_says_so() {
    let mut world = World::start(&[]).await;
    let mut request = with(calls::query("HANG"), &[]);
    request.set_timeout(Duration::from_secs(1));
    world.server.client().await.query(request).await.unwrap_err();
    let (server, attempts) = family(&world.spans().await);
    assert_eq!((server.get("error.type"), server.failed), (Some("DEADLINE_EXCEEDED"), true));
    assert_eq!((attempts[0].get("error.type"), attempts[0].failed), (Some("given_up"), true));
}

#[tokio::test]
async fn a_callers_sampling_is_followed_and_the_rest_goes_by_the_ratio() {
    for (ratio, parent, expected) in [
        ("0", None, 0),
        ("0", Some(SAMPLED), 2),
        ("1", None, 2),
        ("1", Some(UNSAMPLED), 0),
        ("1", Some("00-not-a-trace"), 2),
    ] {
        let mut world = World::start(&[(RATIO, ratio)]).await;
        let headers: Vec<_> = parent.iter().map(|value| ("traceparent", *value)).collect();
        world.server.client().await.query(with(calls::query("O1"), &headers)).await.unwrap();
        assert_eq!(world.spans().await.len(), expected, "{ratio} {parent:?}");
    }
}

#[tokio::test]
async fn without_an_endpoint_nothing_is_sent_and_the_callers_trace_is_logged_all_the_same() {
    let (sunmi, collector) = (Sunmi::start("").await, Collector::start().await);
    let endpoint = collector.endpoint();
    // It is this server's own setting that turns it on.
    let env = [("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), JSON];
    let mut server = Server::start(&sunmi, PLAIN, &env).await;
    let request = with(calls::query("O1"), &[("traceparent", UNSAMPLED)]);
    server.client().await.query(request).await.unwrap();
    assert!(server.stop().await.success());
    assert_eq!(collector.spans(), []);
    let line = server.line();
    assert_eq!((line["trace_id"].as_str(), line.get("span_id")), (Some(TRACE), None));
}

/// Serves with a queue of 8 spans, made known whenever there is one, and makes many more.
async fn assert_calls_are_fine(collector: &str) -> String {
    let sunmi = Sunmi::start("").await;
    let endpoint = format!("http://{collector}");
    let env = [
        (ENDPOINT, endpoint.as_str()),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "8"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "4"),
        ("OTEL_BSP_SCHEDULE_DELAY", "1"),
    ];
    let mut server = Server::start(&sunmi, PLAIN, &env).await;
    let mut client = server.client().await;
    for number in 0..100 {
        client.query(calls::query(&format!("O{number}"))).await.unwrap();
    }
    let asked = tokio::time::Instant::now();
    assert!(server.stop().await.success());
    // It waits for 2 s by itself; the collector's own time limit would be 5 s a batch.
    assert!(asked.elapsed() < Duration::from_secs(15), "{:?}", asked.elapsed());
    assert_eq!(server.log().matches("code=\"OK\"").count(), 100);
    server.log()
}

#[tokio::test]
async fn a_collector_that_never_answers_holds_up_neither_calls_nor_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let deaf = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let log = assert_calls_are_fine(&address).await;
    assert!(log.contains("SpanDroppingStarted"), "{log}");
    deaf.abort();
}

#[tokio::test]
async fn a_collector_that_is_not_there_holds_up_neither_calls_nor_the_end() {
    // Bound, and nothing listens on it.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&std::net::SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let log = assert_calls_are_fine(&address.to_string()).await;
    assert!(log.contains("ExportError"), "{log}");
}
