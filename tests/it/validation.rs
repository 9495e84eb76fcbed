//! Requests that break rules: every violation is named at once, and Sunmi hears of nothing.

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::query_request::Order;
use sunmi_trade::api::pb::refund_request::Original;
use tonic::Code;

use crate::calls;
use crate::failure::Failure;
use crate::server::{Server, query, refund, settings, swipe_query};
use crate::upstream::Upstream;

const IDENTIFIER: &str =
    "must be 1 to 128 printable ASCII characters, without blanks and without '&'";
const REQUIRED: &str = "is required";
const DATE: &str = "must be a date as yyyyMMdd, such as 20190630, or empty";

const NEITHER: &str = "order_id or platform_id is required";

type Violations<'a> = &'a [(&'a str, &'a str)];

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

fn assert_refused(failure: &Failure, outcome: &str, violations: Violations<'_>) {
    assert_eq!(failure.verdict(), (Code::InvalidArgument, "REQUEST_INVALID", outcome));
    let seen: Vec<_> =
        failure.violations.iter().map(|(field, rule)| (field.as_str(), rule.as_str())).collect();
    assert_eq!(seen, violations);
    assert_eq!(failure.next_step, "FIX_REQUEST");
    assert_eq!(failure.attempts(), Some(0));
    assert_eq!(failure.retry_delay, None);
}

fn too_long() -> String {
    "x".repeat(129)
}

#[tokio::test]
async fn every_violation_of_a_query_is_named() {
    let (upstream, server) = start().await;
    let order = |order| pb::QueryRequest { order: Some(order), ..calls::query("") };
    let table: Vec<(pb::QueryRequest, Violations<'_>)> = vec![
        (
            pb::QueryRequest::default(),
            &[("msn", REQUIRED), ("order", "one of mis_id, order_id and platform_id is required")],
        ),
        (
            pb::QueryRequest {
                app_id: "nobody".to_owned(),
                msn: "a b".to_owned(),
                order: Some(Order::MisId("a&b".to_owned())),
            },
            &[
                (
                    "app_id",
                    "must be an app_id that this server is configured with; it may be empty if \
                     there is a default",
                ),
                ("msn", IDENTIFIER),
                ("mis_id", IDENTIFIER),
            ],
        ),
        (order(Order::MisId(String::new())), &[("mis_id", REQUIRED)]),
        (order(Order::OrderId(String::new())), &[("order_id", REQUIRED)]),
        (order(Order::PlatformId(String::new())), &[("platform_id", REQUIRED)]),
        (order(Order::OrderId(too_long())), &[("order_id", IDENTIFIER)]),
        (order(Order::OrderId(" ".to_owned())), &[("order_id", IDENTIFIER)]),
        (order(Order::OrderId("O1\n".to_owned())), &[("order_id", IDENTIFIER)]),
        (order(Order::OrderId("\u{7f}".to_owned())), &[("order_id", IDENTIFIER)]),
        (order(Order::OrderId("订单".to_owned())), &[("order_id", IDENTIFIER)]),
    ];
    for (request, violations) in table {
        assert_refused(&query(&server, request).await.unwrap_err(), "", violations);
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn every_violation_of_a_refund_is_named_and_nothing_is_attempted() {
    let (upstream, server) = start().await;
    let sound = || calls::refund("R1");
    let original = |original| pb::RefundRequest { original: Some(original), ..sound() };
    let table: Vec<(pb::RefundRequest, Violations<'_>)> = vec![
        (
            pb::RefundRequest::default(),
            &[
                ("msn", REQUIRED),
                ("amount_minor", "must be at least 1"),
                ("original", "one of ori_mis_id, ori_platform_id and ori_order_id is required"),
                ("order_id", REQUIRED),
                ("business_id", REQUIRED),
            ],
        ),
        (
            pb::RefundRequest {
                app_id: "nobody".to_owned(),
                msn: too_long(),
                amount_minor: -1,
                original: Some(Original::OriPlatformId("é".to_owned())),
                order_id: "R 1".to_owned(),
                business_id: "&".to_owned(),
                ..pb::RefundRequest::default()
            },
            &[
                (
                    "app_id",
                    "must be an app_id that this server is configured with; it may be empty if \
                     there is only one",
                ),
                ("msn", IDENTIFIER),
                ("amount_minor", "must be at least 1"),
                ("ori_platform_id", IDENTIFIER),
                ("order_id", IDENTIFIER),
                ("business_id", IDENTIFIER),
            ],
        ),
        (
            pb::RefundRequest { amount_minor: i64::MIN, ..sound() },
            &[("amount_minor", "must be at least 1")],
        ),
        (original(Original::OriMisId(String::new())), &[("ori_mis_id", REQUIRED)]),
        (original(Original::OriOrderId(String::new())), &[("ori_order_id", REQUIRED)]),
        (original(Original::OriPlatformId(String::new())), &[("ori_platform_id", REQUIRED)]),
        (
            original(Original::OriOrderId("R1".to_owned())),
            &[("order_id", "must differ from ori_order_id")],
        ),
    ];
    for (request, violations) in table {
        assert_refused(&refund(&server, request).await.unwrap_err(), "NOT_ATTEMPTED", violations);
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn every_violation_of_a_swipe_query_is_named() {
    let (upstream, server) = start().await;
    let date = |date: &str| pb::SwipeQueryRequest {
        trade_date: date.to_owned(),
        ..calls::swipe_query("O1")
    };
    let mut table: Vec<(pb::SwipeQueryRequest, Violations<'_>)> = vec![
        (pb::SwipeQueryRequest::default(), &[("msn", REQUIRED), ("order_id", NEITHER)]),
        (
            pb::SwipeQueryRequest { platform_id: too_long(), ..calls::swipe_query("a b") },
            &[("order_id", IDENTIFIER), ("platform_id", IDENTIFIER)],
        ),
        (
            pb::SwipeQueryRequest { msn: String::new(), ..date("today") },
            &[("msn", REQUIRED), ("trade_date", DATE)],
        ),
    ];
    let no_dates = [
        "20190229",
        "20191301",
        "20190100",
        "00000101",
        "2019063",
        "201906300",
        "2019-6-3",
        "+2190630",
    ];
    table.extend(no_dates.map(|it| (date(it), &[("trade_date", DATE)] as Violations<'_>)));
    for (request, violations) in table {
        assert_refused(&swipe_query(&server, request).await.unwrap_err(), "", violations);
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
}
