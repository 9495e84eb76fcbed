//! Who may call, and what.

use std::path::PathBuf;

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::config::Sources;
use tonic::Code::{PermissionDenied, ResourceExhausted, Unauthenticated, Unknown};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::calls;
use crate::measures::until;
use crate::server::{GUARD, Server, settings, settle, with};
use crate::upstream::{QUERY, REFUND, SWIPE_QUERY, Upstream, held};

const READER: &str = "reader-token-0001";
const TILL: &str = "till-token-0000001";
/// The token whose SHA-256 is in the file.
const HASHED: &str = "0123456789abcdef";
const DIGEST: &str = "sha256:9f9f5111f7b27a781f1f1ddde5ebc2dd2b796bfc7365c9c28b548e564176929f";

pub(crate) fn file(name: &str, text: &str) -> PathBuf {
    let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&path, text).expect("a file can be written");
    path
}

/// Settings with a reader, who may not refund, and a till, who may refund up to 100 fen of
/// one of two merchants.
fn guarded(upstream: &Upstream, test: &str) -> Sources {
    let reader = file(&format!("{test}.reader"), &format!("{READER}\n\n  {DIGEST}\n"));
    let till = file(&format!("{test}.till"), TILL);
    let text = format!(
        r#"
        default_app_id = "app-2"
        [[credentials]]
        app_id = "app-2"
        app_key = "k2"
        [[callers]]
        name = "reader"
        token_file = "{}"
        rpcs = ["Query", "SwipeQuery"]
        [[callers]]
        name = "till"
        token_file = "{}"
        rpcs = ["Refund", "Query"]
        app_ids = ["app-1"]
        max_refund_minor = 100
        "#,
        reader.display(),
        till.display(),
    );
    Sources { file: Some(text), ..settings(upstream.address) }
}

async fn start(test: &str) -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid()).always(SWIPE_QUERY, calls::paid());
    upstream.always(REFUND, calls::accepted());
    let server = Server::start(&guarded(&upstream, test)).await;
    (upstream, server)
}

pub(crate) type Authorized = InterceptedService<Channel, Authorize>;

/// Adds this header to every call.
#[derive(Clone)]
pub(crate) struct Authorize(Option<MetadataValue<Ascii>>);

impl Interceptor for Authorize {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(value) = &self.0 {
            request.metadata_mut().insert("authorization", value.clone());
        }
        Ok(request)
    }
}

/// A client whose every call has this header.
pub(crate) async fn client(
    server: &Server,
    authorization: Option<&str>,
) -> TradeServiceClient<Authorized> {
    let authorize = Authorize(authorization.map(|value| value.parse().expect("a header")));
    TradeServiceClient::with_interceptor(server.channel().await, authorize)
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

fn of_app(app_id: &str) -> pb::RefundRequest {
    pb::RefundRequest { app_id: app_id.to_owned(), ..calls::refund("R1") }
}

#[tokio::test]
async fn whoever_is_not_known_is_told_so_and_nothing_is_sent() {
    let (upstream, server) = start("unknown").await;
    let wrong = bearer("reader-token-0002");
    let almost = bearer(&READER[..READER.len() - 1]);
    let basic = format!("Basic {READER}");
    for header in
        [None, Some(""), Some(READER), Some("Bearer "), Some(&wrong), Some(&almost), Some(&basic)]
    {
        let mut client = client(&server, header).await;
        let failures = [
            settle(client.query(calls::query("O1"))).await.unwrap_err(),
            settle(client.swipe_query(calls::swipe_query("O1"))).await.unwrap_err(),
            settle(client.refund(of_app("app-1"))).await.unwrap_err(),
        ];
        for (failure, outcome) in failures.iter().zip(["", "", "NOT_ATTEMPTED"]) {
            assert_eq!(failure.verdict(), (Unauthenticated, "CALLER_UNAUTHENTICATED", outcome));
            assert_eq!(failure.attempts(), Some(0));
        }
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_caller_is_known_by_any_of_its_tokens_and_by_a_digest_of_one() {
    let (_upstream, server) = start("known").await;
    for header in [bearer(READER), bearer(HASHED), format!("bearer {READER}")] {
        let mut client = client(&server, Some(&header)).await;
        settle(client.query(calls::query("O1"))).await.expect("a caller that may");
    }
    // The digest is no token.
    let mut client = client(&server, Some(&bearer(DIGEST))).await;
    let failure = settle(client.query(calls::query("O1"))).await.unwrap_err();
    assert_eq!(failure.code, Unauthenticated);
}

#[tokio::test]
async fn a_caller_calls_what_it_may_and_nothing_else() {
    let (upstream, server) = start("rpcs").await;
    let mut reader = client(&server, Some(&bearer(READER))).await;
    settle(reader.query(calls::query("O1"))).await.unwrap();
    settle(reader.swipe_query(calls::swipe_query("O1"))).await.unwrap();
    let failure = settle(reader.refund(of_app("app-1"))).await.unwrap_err();
    assert_eq!(failure.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", "NOT_ATTEMPTED"));
    assert_eq!(failure.next_step, "FIX_DEPLOYMENT");
    let mut till = client(&server, Some(&bearer(TILL))).await;
    let failure = settle(till.swipe_query(calls::swipe_query("O1"))).await.unwrap_err();
    assert_eq!(failure.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", ""));
    assert_eq!(upstream.take_paths(), [QUERY, SWIPE_QUERY]);
}

#[tokio::test]
async fn a_caller_signs_as_whom_it_may_even_where_it_names_none() {
    let (upstream, server) = start("app-ids").await;
    let mut till = client(&server, Some(&bearer(TILL))).await;
    let own = pb::QueryRequest { app_id: "app-1".to_owned(), ..calls::query("O1") };
    settle(till.query(own)).await.unwrap();
    // The default is another merchant's.
    let failures = [
        settle(till.query(calls::query("O1"))).await.unwrap_err(),
        settle(till.refund(of_app("app-2"))).await.unwrap_err(),
    ];
    for failure in failures {
        assert_eq!(
            (failure.code, failure.reason.as_str()),
            (PermissionDenied, "CALLER_NOT_ALLOWED")
        );
        assert_eq!(failure.violations[0].0, "app_id");
    }
    assert_eq!(upstream.take_paths(), [QUERY]);
}

#[tokio::test]
async fn a_refund_is_bounded_by_what_its_caller_may_ask_for() {
    let (upstream, server) = start("amounts").await;
    let mut till = client(&server, Some(&bearer(TILL))).await;
    let more = pb::RefundRequest { amount_minor: 101, ..of_app("app-1") };
    let failure = settle(till.refund(more)).await.unwrap_err();
    assert_eq!(failure.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", "NOT_ATTEMPTED"));
    let rule = "must not be more than this caller may refund at once";
    assert_eq!(failure.violations, [("amount_minor".to_owned(), rule.to_owned())]);
    settle(till.refund(of_app("app-1"))).await.expect("100 fen");
    assert_eq!(upstream.take_paths(), [REFUND]);
}

const RELOADED: &str = "sunmi_reload_total{kind=\"caller_tokens\",result=\"ok\"}";
const REFUSED: &str = "sunmi_reload_total{kind=\"caller_tokens\",result=\"error\"}";

#[tokio::test]
async fn tokens_are_those_of_their_file_as_it_is_now() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let env = [("SUNMI_TRADE__RELOAD_INTERVAL", "10ms")];
    let server = Server::start(&with(guarded(&upstream, "rotated"), &env)).await;
    let mut old = client(&server, Some(&bearer(READER))).await;
    let mut new = client(&server, Some(&bearer("reader-token-0002"))).await;
    settle(old.query(calls::query("O1"))).await.expect("the token of the start");

    file("rotated.reader", &format!("{READER}\nreader-token-0002"));
    until(&server, RELOADED, |count| count == 1).await;
    settle(old.query(calls::query("O1"))).await.expect("the old token beside the new one");
    settle(new.query(calls::query("O1"))).await.expect("the new token");

    file("rotated.reader", "reader-token-0002");
    until(&server, RELOADED, |count| count == 2).await;
    let failure = settle(old.query(calls::query("O1"))).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unauthenticated, "CALLER_UNAUTHENTICATED", ""));

    for (at, bad) in ["", "short", TILL].into_iter().enumerate() {
        file("rotated.reader", bad);
        until(&server, REFUSED, |count| count == at as u64 + 1).await;
        settle(new.query(calls::query("O1"))).await.expect("what was in force");
    }
}

#[tokio::test]
async fn tokens_that_two_callers_swap_are_in_force_together() {
    let upstream = Upstream::start().await;
    upstream.always(SWIPE_QUERY, calls::paid()).always(REFUND, calls::accepted());
    let env = [("SUNMI_TRADE__RELOAD_INTERVAL", "10ms")];
    let server = Server::start(&with(guarded(&upstream, "swapped"), &env)).await;
    file("swapped.reader", TILL);
    until(&server, REFUSED, |count| count == 1).await;
    file("swapped.till", READER);
    until(&server, RELOADED, |count| count == 1).await;

    let mut till = client(&server, Some(&bearer(READER))).await;
    settle(till.refund(of_app("app-1"))).await.expect("the till with its new token");
    let mut reader = client(&server, Some(&bearer(TILL))).await;
    settle(reader.swipe_query(calls::swipe_query("O1"))).await.expect("the reader with its own");
    let failure = settle(reader.refund(of_app("app-1"))).await.unwrap_err();
    assert_eq!(failure.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", "NOT_ATTEMPTED"));
}

#[tokio::test]
async fn a_caller_past_its_bound_leaves_places_to_others() {
    let upstream = Upstream::start().await;
    let sources = guarded(&upstream, "bounded");
    let text =
        sources.file.clone().map(|text| text.replace("max_refund", "max_calls = 1\nmax_refund"));
    let server = Server::start(&Sources { file: text, ..sources }).await;
    let (answer, release) = held(&calls::paid());
    upstream.next(QUERY, answer);
    let mut till = client(&server, Some(&bearer(TILL))).await;
    let of_own = || pb::QueryRequest { app_id: "app-1".to_owned(), ..calls::query("O1") };
    let mut first = till.clone();
    let first = tokio::spawn(async move { settle(first.query(of_own())).await });
    upstream.has_seen(1).await;

    let failure = settle(till.query(of_own())).await.unwrap_err();
    assert_eq!(failure.verdict(), (ResourceExhausted, "OVERLOADED", ""));
    let failure = settle(till.refund(of_app("app-1"))).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unknown, "REFUND_OUTCOME_UNKNOWN", "UNKNOWN"));
    upstream.next(QUERY, calls::paid());
    let mut reader = client(&server, Some(&bearer(READER))).await;
    settle(reader.query(calls::query("O1"))).await.expect("another caller");

    release.send(()).unwrap();
    first.await.unwrap().unwrap();
    upstream.next(QUERY, calls::paid());
    settle(till.query(of_own())).await.expect("the place is free again");
}

/// Else it could take every place with refunds that it resets.
#[tokio::test]
async fn refunds_that_a_caller_gives_up_count_against_its_bound() {
    let upstream = Upstream::start().await;
    let sources = guarded(&upstream, "given-up");
    let text =
        sources.file.clone().map(|text| text.replace("max_refund", "max_calls = 1\nmax_refund"));
    let server = Server::start(&Sources { file: text, ..sources }).await;
    let (answer, release) = held(&calls::refunded());
    upstream.next(REFUND, answer);
    let mut till = client(&server, Some(&bearer(TILL))).await;
    let mut first = till.clone();
    let first = tokio::spawn(async move { settle(first.refund(of_app("app-1"))).await });
    upstream.has_seen(1).await;
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let another = || pb::RefundRequest { order_id: "R2".to_owned(), ..of_app("app-1") };
    let failure = settle(till.refund(another())).await.unwrap_err();
    assert_eq!(failure.verdict(), (Unknown, "REFUND_OUTCOME_UNKNOWN", "UNKNOWN"));
    upstream.next(QUERY, calls::paid());
    let mut reader = client(&server, Some(&bearer(READER))).await;
    settle(reader.query(calls::query("O1"))).await.expect("another caller");

    release.send(()).unwrap();
    upstream.always(REFUND, calls::refunded());
    let done = async { while settle(till.refund(another())).await.is_err() {} };
    tokio::time::timeout(GUARD, done).await.expect("the first one is done");
}

#[tokio::test]
async fn health_is_open_to_all() {
    let (_upstream, server) = start("health").await;
    let mut health = HealthClient::new(server.channel().await);
    health.check(HealthCheckRequest::default()).await.expect("health without a token");
}
