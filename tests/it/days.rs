//! What a caller may refund on one day in China, through the front door.

use std::time::UNIX_EPOCH;

use sunmi_trade::api::pb;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::api::pb::trade_service_client::TradeServiceClient;
use sunmi_trade::clock;
use sunmi_trade::config::Sources;
use tokio::task::JoinSet;
use tonic::Code::PermissionDenied;

use crate::callers::{Authorized, bearer, client, file};
use crate::calls;
use crate::failure::Failure;
use crate::measures::measure;
use crate::postgres::Database;
use crate::server::{Server, settings, settle, with};
use crate::upstream::{REFUND, Upstream};

const TILL: &str = "till-token-0000001";
const SHOP: &str = "shop-token-0000001";

const DAY: u128 = 24 * 60 * 60 * 1000;

/// Settings with a till, which may refund so much a day, and a shop without a bound.
fn bounded(upstream: &Upstream, test: &str, most: u32) -> Sources {
    let till = file(&format!("{test}.till"), TILL);
    let shop = file(&format!("{test}.shop"), SHOP);
    let text = format!(
        r#"
        [[callers]]
        name = "till"
        token_file = "{}"
        rpcs = ["Refund"]
        max_refund_per_day_minor = {most}
        [[callers]]
        name = "shop"
        token_file = "{}"
        rpcs = ["Refund"]
        "#,
        till.display(),
        shop.display(),
    );
    Sources { file: Some(text), ..settings(upstream.address) }
}

async fn till(server: &Server) -> TradeServiceClient<Authorized> {
    client(server, Some(&bearer(TILL))).await
}

/// A refund of 100 fen of a payment of its own.
fn refund(number: &str) -> pb::RefundRequest {
    let original = Some(Original::OriOrderId(format!("P-{number}")));
    pb::RefundRequest { original, ..calls::refund(number) }
}

fn assert_beyond(failure: &Failure, most: &str, left: &str) {
    assert_eq!(failure.verdict(), (PermissionDenied, "CALLER_NOT_ALLOWED", "NOT_ATTEMPTED"));
    let told = ["maxRefundPerDayMinor", "leftMinor"].map(|name| failure.info[name].as_str());
    assert_eq!(told, [most, left]);
}

/// Whether anything was asked of Sunmi for this number, its payment included.
fn is_asked_for(upstream: &Upstream, number: &str) -> bool {
    let all = upstream.everything();
    all.iter().any(|seen| seen.form.values().any(|value| value.ends_with(number)))
}

#[tokio::test]
async fn a_caller_past_its_days_bound_is_told_what_is_left_and_nothing_is_asked_of_sunmi() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, calls::accepted());
    let server = Server::start(&bounded(&upstream, "day", 250)).await;
    let mut till = till(&server).await;
    for number in ["R1", "R2"] {
        settle(till.refund(refund(number))).await.expect("a refund within the bound");
    }
    let failure = settle(till.refund(refund("R3"))).await.unwrap_err();
    assert_beyond(&failure, "250", "50");
    assert!(is_asked_for(&upstream, "R2") && !is_asked_for(&upstream, "R3"));

    // When the day ends, unless it just did.
    let resets_at: jiff::Timestamp = failure.info["resetsAt"].parse().unwrap();
    let resets_at = u128::try_from(resets_at.as_millisecond()).unwrap();
    assert_eq!((resets_at + DAY / 3) % DAY, 0);
    let now = clock::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    assert!(resets_at + 60_000 > now && resets_at <= now + DAY, "{resets_at} at {now}");
    let text = format!(
        "may refund 250 minor units on one day in China, and has 50 left until {}",
        failure.info["resetsAt"]
    );
    assert_eq!(failure.quotas, [("caller:till".to_owned(), text)]);
    assert_eq!((failure.retry_delay, failure.violations.len()), (None, 0));

    let repeat = settle(till.refund(refund("R1"))).await.expect("what became of it");
    assert!(repeat.replayed);
    let least = pb::RefundRequest { amount_minor: 50, ..refund("R3") };
    settle(till.refund(least)).await.expect("what was refused is bound to nothing");
    let mut shop = client(&server, Some(&bearer(SHOP))).await;
    settle(shop.refund(refund("R4"))).await.expect("another caller");

    let refused = "sunmi_refund_total{outcome=\"not_attempted\"}";
    assert_eq!(measure(&server, refused).await, 1);
    assert_eq!(measure(&server, &calls::handled("Refund", "PermissionDenied")).await, 1);
}

#[tokio::test]
async fn a_refund_that_was_refused_by_sunmi_leaves_the_bound_as_it_was() {
    let upstream = Upstream::start().await;
    upstream.next(REFUND, calls::code("S04", "未开通")).always(REFUND, calls::accepted());
    let server = Server::start(&bounded(&upstream, "day-refused", 100)).await;
    let mut till = till(&server).await;
    let failure = settle(till.refund(refund("R1"))).await.unwrap_err();
    assert_eq!(failure.outcome.as_deref(), Some("NOT_APPLIED"));
    settle(till.refund(refund("R2"))).await.expect("the whole bound is left");
    // To repeat what was not applied is to ask for it anew.
    assert_beyond(&settle(till.refund(refund("R1"))).await.unwrap_err(), "100", "0");
}

/// Two servers on one ledger, if there is a database.
async fn replicas(upstream: &Upstream, test: &str, most: u32) -> Option<[Server; 2]> {
    let database = Database::new().await?;
    let env = [("SUNMI_TRADE__REFUND__LEDGER", database.url().to_string())];
    let env = env.each_ref().map(|(name, value)| (*name, value.as_str()));
    let sources = with(bounded(upstream, test, most), &env);
    Some([Server::start(&sources).await, Server::start(&sources).await])
}

/// What becomes of so many refunds at once, of both servers in turn.
async fn all_at_once(
    servers: &[Server; 2],
    numbers: impl Iterator<Item = String>,
) -> Vec<Result<pb::RefundResponse, Failure>> {
    let tills = [till(&servers[0]).await, till(&servers[1]).await];
    let mut refunds = JoinSet::new();
    for (at, number) in numbers.enumerate() {
        let mut till = tills[at % 2].clone();
        refunds.spawn(async move { settle(till.refund(refund(&number))).await });
    }
    refunds.join_all().await
}

#[tokio::test]
async fn of_refunds_at_once_of_two_replicas_as_many_are_sent_as_fit() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, calls::accepted());
    let Some(servers) = replicas(&upstream, "day-replicas", 599).await else { return };
    let answers = all_at_once(&servers, (0..24).map(|at| format!("R{at}"))).await;
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    for failure in answers.iter().filter_map(|answer| answer.as_ref().err()) {
        assert_beyond(failure, "599", "99");
    }
    assert_eq!((done, upstream.sends()), (5, 5));
}

/// What is spent is this very refund.
#[tokio::test]
async fn repeats_at_once_of_two_replicas_are_told_what_becomes_of_the_one() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, calls::accepted());
    let Some(servers) = replicas(&upstream, "day-repeats", 100).await else { return };
    for answer in all_at_once(&servers, (0..12).map(|_| "R1".to_owned())).await {
        answer.expect("the one refund");
    }
    assert_eq!(upstream.sends(), 1);
}
