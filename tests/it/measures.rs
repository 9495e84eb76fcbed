//! What is counted and measured of refunds.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde_json::json;
use sunmi_trade::api::pb;
use tokio::time::Instant;

use crate::raw::{self, framed};
use crate::server::{BRIEF, GUARD, Server, query, refund, refund_within, settings, swipe_query};
use crate::serving::page;
use crate::upstream::{Answer, QUERY, REFUND, SWIPE_QUERY, Upstream};
use crate::{busy, calls};

const OUTCOMES: [&str; 7] =
    ["succeeded", "failed", "processing", "replayed", "not_applied", "not_attempted", "unknown"];

/// All series, with their values.
pub(crate) async fn scrape(server: &Server) -> BTreeMap<String, f64> {
    let (status, text) = page(server, "/metrics").await;
    assert_eq!(status, "200");
    let mut all = BTreeMap::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let (series, value) = line.rsplit_once(' ').expect("a series and its value");
        let value = value.parse().expect("a number");
        assert_eq!(all.insert(series.to_owned(), value), None, "{series} is there twice");
    }
    all
}

/// The value of this series.
pub(crate) async fn measure(server: &Server, series: &str) -> u64 {
    let all = scrape(server).await;
    let value = all.get(series).unwrap_or_else(|| panic!("no series {series} in\n{all:#?}"));
    *value as u64
}

/// Waits until this series has such a value.
pub(crate) async fn until(server: &Server, series: &str, is_it: impl Fn(u64) -> bool) {
    let give_up = Instant::now() + GUARD;
    while !is_it(measure(server, series).await) {
        assert!(Instant::now() < give_up, "{series} never has the value");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn counts(server: &Server) -> Vec<u64> {
    let mut counts = Vec::new();
    for outcome in OUTCOMES {
        let series = format!("sunmi_refund_total{{outcome=\"{outcome}\"}}");
        counts.push(measure(server, &series).await);
    }
    counts
}

async fn doubts(server: &Server) -> (u64, u64) {
    let in_doubt = measure(server, "sunmi_refund_unknown_outcome").await;
    (in_doubt, measure(server, "sunmi_refund_processing").await)
}

const OLDEST: &str = "sunmi_refund_unresolved_oldest_age_seconds";

#[tokio::test]
async fn every_refund_is_counted_by_its_outcome_and_reads_are_not() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found()).always(SWIPE_QUERY, calls::paid());
    let server = Server::start(&settings(upstream.address)).await;
    assert_eq!(counts(&server).await, [0; 7]);
    query(&server, calls::query("O1")).await.unwrap_err();
    swipe_query(&server, calls::swipe_query("O1")).await.unwrap();
    assert_eq!(counts(&server).await, [0; 7]);

    let answers = [
        calls::refunded(),
        calls::success(&json!({"state": "5"})),
        calls::code("D01", ""),
        calls::code("E01", ""),
        calls::code("S03", ""),
    ];
    for (at, answer) in answers.into_iter().enumerate() {
        upstream.next(REFUND, answer);
        let request = calls::refund(&format!("R{at}"));
        let _ = refund_within(&server, request, BRIEF).await;
    }
    assert!(refund(&server, calls::refund("R0")).await.unwrap().replayed);
    refund(&server, pb::RefundRequest::default()).await.unwrap_err();
    assert_eq!(counts(&server).await, [1; 7]);
}

#[tokio::test]
async fn what_is_in_doubt_or_not_finished_is_measured_until_it_is_found_out() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::not_found());
    let server = Server::start(&settings(upstream.address)).await;
    assert_eq!((doubts(&server).await, measure(&server, OLDEST).await), ((0, 0), 0));
    upstream.next(REFUND, calls::code("S03", "")).next(REFUND, calls::code("D01", ""));
    refund_within(&server, calls::refund("R1"), BRIEF).await.unwrap_err();
    assert_eq!(doubts(&server).await, (1, 0));
    // Of another payment, for which it does not wait.
    let second = || pb::RefundRequest {
        original: Some(pb::refund_request::Original::OriOrderId("P2".to_owned())),
        ..calls::refund("R2")
    };
    refund(&server, second()).await.unwrap();
    assert_eq!(doubts(&server).await, (1, 1));
    until(&server, OLDEST, |seconds| seconds >= 2).await;
    upstream.finds("R1", calls::refunded());
    refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!(doubts(&server).await, (0, 1));
    upstream.finds("R2", calls::refunded());
    refund(&server, second()).await.unwrap();
    assert_eq!((doubts(&server).await, measure(&server, OLDEST).await), ((0, 0), 0));
}

/// By the outcome, as in [`OUTCOMES`].
fn only(outcome: &str, count: u64) -> Vec<u64> {
    OUTCOMES.map(|it| if it == outcome { count } else { 0 }).into()
}

#[tokio::test]
async fn a_refund_that_never_reaches_its_method_is_counted_as_not_attempted() {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    let sound = framed(&calls::refund("R1"));
    let unreadable = Bytes::from_static(b"\0\0\0\0\x02\xff\xff");
    let compressed = Bytes::from_static(b"\x01\0\0\0\0");
    let table: [(&'static str, &str, Bytes); 4] = [
        ("grpc-timeout", "soon", sound.clone()),
        ("grpc-timeout", "0S", sound.clone()),
        ("x-request-id", "1", unreadable),
        ("grpc-encoding", "unheard-of", compressed),
    ];
    for (at, (name, value, body)) in (1..).zip(table) {
        raw::call(server.address, "Refund", &[(name, value)], body).await;
        assert_eq!(counts(&server).await, only("not_attempted", at), "{name}: {value}");
    }
    let headers = [("grpc-timeout", "200m")];
    raw::call_without_end(server.address, "Refund", &headers, sound.slice(..5)).await;
    assert_eq!(counts(&server).await, only("not_attempted", 5));
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn a_refund_without_a_place_is_counted_as_unknown() {
    let (_upstream, server, first) = busy::start("SUNMI_TRADE__LIMITS__CALLS").await;
    refund(&server, calls::refund("R1")).await.unwrap_err();
    assert_eq!(counts(&server).await, only("unknown", 1));
    first.ends().await;
}

#[tokio::test]
async fn a_refund_that_its_caller_gives_up_is_canceled_and_has_no_outcome() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, Answer::Silence).always(QUERY, calls::not_found());
    let server = Server::start(&settings(upstream.address)).await;
    let body = (framed(&calls::refund("R1")), true);
    let begun = raw::send(server.address, "Refund", &[], body).await.headers().await;
    upstream.has_seen(1).await;
    drop(begun);
    let canceled = calls::handled("Refund", "Canceled");
    until(&server, &canceled, |count| count == 1).await;
    assert_eq!(counts(&server).await, [0; 7]);
}
