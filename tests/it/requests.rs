//! What is sent to Sunmi: form and signature, seen and verified from its side.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use sunmi_trade::api::pb;
use sunmi_trade::api::pb::query_request::Order;
use sunmi_trade::api::pb::refund_request::Original;
use sunmi_trade::config::Sources;

use crate::calls;
use crate::failure::Failure;
use crate::form::{self, Form};
use crate::server::{APP_ID, APP_KEY, Server, query, refund, settings, swipe_query, with};
use crate::upstream::{QUERY, REFUND, SWIPE_QUERY, Seen, Upstream};

/// Every character that an identifier may have.
fn all_characters() -> String {
    (0x21..=0x7e_u8).map(char::from).filter(|c| *c != '&').collect()
}

async fn start() -> (Upstream, Server) {
    let upstream = Upstream::start().await;
    upstream
        .always(QUERY, calls::paid())
        .always(REFUND, calls::accepted())
        .always(SWIPE_QUERY, calls::paid());
    let server = Server::start(&settings(upstream.address)).await;
    (upstream, server)
}

/// The form that was sent to `path`, its signature verified and taken off.
fn verified(seen: Seen, path: &str, app_key: &str) -> Form {
    assert_eq!(seen.line, format!("POST {path}"));
    assert_eq!(seen.headers["content-type"], "application/x-www-form-urlencoded");
    assert!(seen.headers["user-agent"].starts_with("sunmi-trade/"), "{:?}", seen.headers);
    let mut form = seen.form;
    let sign = form.remove("sign").expect("a signature");
    assert_eq!(sign, form::signature(&form, app_key), "{form:?}");
    form
}

fn form_of(pairs: &[(&str, &str)]) -> Form {
    let common = [("app_id", APP_ID), ("charset", "utf8")];
    let pairs = common.iter().chain(pairs);
    pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn a_query_is_sent_with_the_number_that_it_names() {
    let table = [
        (Order::MisId("A1".to_owned()), "misId"),
        (Order::OrderId("A1".to_owned()), "orderId"),
        (Order::PlatformId("A1".to_owned()), "platformId"),
    ];
    for (order, name) in table {
        let (upstream, server) = start().await;
        let request = pb::QueryRequest { order: Some(order), ..calls::query("") };
        query(&server, request).await.unwrap();
        assert_eq!(
            verified(upstream.only(), QUERY, APP_KEY),
            form_of(&[("msn", calls::QUERYING), (name, "A1")])
        );
    }
}

#[tokio::test]
async fn a_refund_is_sent_with_the_original_that_it_names() {
    let table = [
        (Original::OriMisId("A1".to_owned()), "oriMisId"),
        (Original::OriOrderId("A1".to_owned()), "oriOrderId"),
        (Original::OriPlatformId("A1".to_owned()), "oriPlatformId"),
    ];
    for (original, name) in table {
        let (upstream, server) = start().await;
        let request = pb::RefundRequest { original: Some(original), ..calls::refund("R1") };
        refund(&server, request).await.unwrap();
        let of_refund = [("msn", "M1"), ("amount", "100"), ("orderId", "R1"), ("businessId", "B1")];
        let expected = form_of(&[&[(name, "A1")], &of_refund[..]].concat());
        assert_eq!(verified(upstream.only(), REFUND, APP_KEY), expected);
    }
}

#[tokio::test]
async fn a_swipe_query_is_sent_with_what_it_names_and_nothing_empty() {
    type Row = (&'static str, &'static str, &'static str, &'static [(&'static str, &'static str)]);
    let table: [Row; 4] = [
        ("", "O1", "", &[("orderId", "O1")]),
        ("", "", "P1", &[("platformId", "P1")]),
        ("20240229", "O1", "", &[("tradeDate", "20240229"), ("orderId", "O1")]),
        (
            "20190630",
            "O1",
            "P1",
            &[("tradeDate", "20190630"), ("orderId", "O1"), ("platformId", "P1")],
        ),
    ];
    for (trade_date, order_id, platform_id, expected) in table {
        let (upstream, server) = start().await;
        let request = pb::SwipeQueryRequest {
            trade_date: trade_date.to_owned(),
            platform_id: platform_id.to_owned(),
            ..calls::swipe_query(order_id)
        };
        swipe_query(&server, request).await.unwrap();
        let expected = form_of(&[&[("msn", "M1")], expected].concat());
        assert_eq!(verified(upstream.only(), SWIPE_QUERY, APP_KEY), expected);
    }
}

#[tokio::test]
async fn every_character_of_an_identifier_arrives_and_verifies() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, calls::accepted());
    let all = all_characters();
    assert_eq!(all.len(), 93);
    let env = [("SUNMI_TRADE_APP_ID", all.as_str()), ("SUNMI_TRADE_APP_KEY", "k&=+% ey")];
    let server = Server::start(&with(settings(upstream.address), &env)).await;
    let request = pb::RefundRequest {
        app_id: all.clone(),
        msn: all.clone(),
        amount_minor: i64::MAX,
        original: Some(Original::OriMisId(all.clone())),
        order_id: all.clone(),
        business_id: all.clone(),
        ..pb::RefundRequest::default()
    };
    refund(&server, request).await.unwrap();
    let mut form = verified(upstream.only(), REFUND, "k&=+% ey");
    assert_eq!(form.remove("charset").as_deref(), Some("utf8"));
    assert_eq!(form.remove("amount").as_deref(), Some("9223372036854775807"));
    assert_eq!(form.len(), 5);
    assert!(form.values().all(|value| *value == all), "{form:?}");
}

#[test]
fn any_identifiers_arrive_as_they_were_given_and_verify() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let identifier = || "[!-%'-~]{1,128}";
    let requests = (identifier(), identifier(), identifier(), identifier(), 1..i64::MAX);
    let mut runner = TestRunner::new(ProptestConfig { cases: 32, ..ProptestConfig::default() });
    let result = runner.run(&requests, |(msn, original, order_id, business_id, amount)| {
        prop_assume!(original != order_id);
        let request = pb::RefundRequest {
            app_id: String::new(),
            msn: msn.clone(),
            amount_minor: amount,
            original: Some(Original::OriOrderId(original.clone())),
            order_id: order_id.clone(),
            business_id: business_id.clone(),
            ..pb::RefundRequest::default()
        };
        // A server for each: one that is told the same number again does not send it again.
        let (upstream, server) = runtime.block_on(start());
        runtime.block_on(refund(&server, request)).unwrap();
        let expected = BTreeMap::from([
            ("app_id".to_owned(), APP_ID.to_owned()),
            ("amount".to_owned(), amount.to_string()),
            ("businessId".to_owned(), business_id),
            ("charset".to_owned(), "utf8".to_owned()),
            ("msn".to_owned(), msn),
            ("orderId".to_owned(), order_id),
            ("oriOrderId".to_owned(), original),
        ]);
        prop_assert_eq!(verified(upstream.only(), REFUND, APP_KEY), expected);
        Ok(())
    });
    result.unwrap();
}

#[tokio::test]
async fn a_base_url_may_have_a_path() {
    const BELOW: &str = "/sunmi/v1/trade/query";
    for path in ["/sunmi", "/sunmi/"] {
        let upstream = Upstream::start().await;
        upstream.always(BELOW, calls::paid());
        let base_url = format!("http://{}{path}", upstream.address);
        let env = [("SUNMI_TRADE__UPSTREAM__BASE_URL", base_url.as_str())];
        let server = Server::start(&with(settings(upstream.address), &env)).await;
        query(&server, calls::query("O1")).await.unwrap();
        verified(upstream.only(), BELOW, APP_KEY);
    }
}

/// Two identities beside the one of the environment, from a file.
fn several(upstream: &Upstream, default: &str) -> Sources {
    let file = format!(
        "{default}\n\
         [[credentials]]\napp_id = 'two'\napp_key = 'key-2'\n\
         [[credentials]]\napp_id = 'three/3'\napp_key = 'key-3'\n"
    );
    Sources { file: Some(file), ..settings(upstream.address) }
}

async fn signed_by(upstream: &Upstream, server: &Server, app_id: &str) -> Result<String, Failure> {
    let request = pb::QueryRequest { app_id: app_id.to_owned(), ..calls::query("O1") };
    query(server, request).await?;
    let form = upstream.seen().pop().unwrap().form;
    let keys = [(APP_ID, APP_KEY), ("two", "key-2"), ("three/3", "key-3")];
    let key = keys.iter().find(|(id, _)| *id == form["app_id"]).expect("a known app_id").1;
    assert_eq!(form["sign"], form::signature(&form, key));
    Ok(form["app_id"].clone())
}

#[tokio::test]
async fn the_app_id_of_the_request_chooses_who_signs() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let server = Server::start(&several(&upstream, "default_app_id = 'two'")).await;
    for (asked, expected) in [(APP_ID, APP_ID), ("two", "two"), ("three/3", "three/3"), ("", "two")]
    {
        assert_eq!(
            signed_by(&upstream, &server, asked).await.as_deref(),
            Ok(expected),
            "{asked:?}"
        );
    }
}

#[tokio::test]
async fn without_a_default_a_read_must_name_its_app_id() {
    let upstream = Upstream::start().await;
    upstream.always(QUERY, calls::paid());
    let server = Server::start(&several(&upstream, "")).await;
    let failure = signed_by(&upstream, &server, "").await.unwrap_err();
    assert_eq!(failure.reason, "REQUEST_INVALID");
    assert_eq!(failure.fields(), ["app_id"]);
    assert_eq!(upstream.take_paths(), [""; 0]);
}

#[tokio::test]
async fn where_several_can_sign_a_refund_must_name_one_that_is_known() {
    let upstream = Upstream::start().await;
    upstream.always(REFUND, calls::refunded());
    let server = Server::start(&several(&upstream, "default_app_id = 'two'")).await;
    for app_id in ["", "four", "TWO", "two "] {
        let request = pb::RefundRequest { app_id: app_id.to_owned(), ..calls::refund("R1") };
        let failure = refund(&server, request).await.unwrap_err();
        assert_eq!(failure.verdict().1, "REQUEST_INVALID", "{app_id:?}");
        assert_eq!(failure.outcome.as_deref(), Some("NOT_ATTEMPTED"), "{app_id:?}");
        assert_eq!(failure.fields(), ["app_id"], "{app_id:?}");
    }
    assert_eq!(upstream.take_paths(), [""; 0]);
    let request = pb::RefundRequest { app_id: "three/3".to_owned(), ..calls::refund("R1") };
    refund(&server, request).await.unwrap();
    assert_eq!(verified(upstream.only(), REFUND, "key-3")["app_id"], "three/3");
}
