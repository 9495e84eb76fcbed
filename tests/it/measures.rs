//! What is counted and measured of refunds.

use std::time::Duration;

use serde_json::json;
use sunmi_trade::api::pb;
use tokio::time::Instant;

use crate::calls;
use crate::server::{BRIEF, GUARD, Server, query, refund, refund_within, settings, swipe_query};
use crate::serving::page;
use crate::upstream::{QUERY, REFUND, SWIPE_QUERY, Upstream};

const OUTCOMES: [&str; 7] =
    ["succeeded", "failed", "processing", "replayed", "not_applied", "not_attempted", "unknown"];

/// The value of this series.
pub(crate) async fn measure(server: &Server, series: &str) -> u64 {
    let (status, text) = page(server, "/metrics").await;
    assert_eq!(status, "200");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let value = lines.next().unwrap_or_else(|| panic!("no series {series} in\n{text}"));
    assert_eq!(lines.next(), None, "{series}");
    value.parse().expect("a number")
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
    refund(&server, calls::refund("R2")).await.unwrap();
    assert_eq!(doubts(&server).await, (1, 1));
    until(&server, OLDEST, |seconds| seconds >= 2).await;
    upstream.finds("R1", calls::refunded());
    refund(&server, calls::refund("R1")).await.unwrap();
    assert_eq!(doubts(&server).await, (0, 1));
    upstream.finds("R2", calls::refunded());
    refund(&server, calls::refund("R2")).await.unwrap();
    assert_eq!((doubts(&server).await, measure(&server, OLDEST).await), ((0, 0), 0));
}
