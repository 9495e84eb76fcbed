//! The line that is logged of a call.

use serde_json::{Value, json};

use crate::calls::{self, PLAIN, with};
use crate::process::{Server, run};
use crate::sunmi::Sunmi;

const JSON: (&str, &str) = ("SUNMI_TRADE__LOG__FORMAT", "json");

/// The fields of a line that are the same in every run.
fn steady(mut line: Value) -> Value {
    let fields = line.as_object_mut().unwrap();
    let time = fields.remove("timestamp").unwrap();
    let time: jiff::Timestamp = time.as_str().unwrap().parse().expect("a time of RFC 3339");
    assert!(time.as_second() > 1_700_000_000);
    assert!(fields.remove("duration_ms").unwrap().is_u64());
    let peer = fields.remove("peer").unwrap();
    assert!(peer.as_str().unwrap().starts_with("127.0.0.1:"), "{peer}");
    line
}

#[tokio::test]
async fn a_refund_that_is_refused_has_all_fields_in_json() {
    let sunmi = Sunmi::start("").await;
    let mut server = Server::start(&sunmi, PLAIN, &[JSON]).await;
    let headers = [
        ("x-request-id", "id-1"),
        ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
        ("x-envoy-attempt-count", "3"),
    ];
    let refund = with(calls::refund("E01"), &headers);
    server.client().await.refund(refund).await.unwrap_err();
    assert!(server.stop().await.success());
    let expected = json!({
        "level": "INFO",
        "target": "sunmi_trade::api::call",
        "message": "call",
        "rpc.method": "sunmi.trade.v1.TradeService/Refund",
        "code": "FAILED_PRECONDITION",
        "reason": "MERCHANT_NOT_FOUND",
        "sunmi_code": "E01",
        "attempts": 1,
        "request_id": "id-1",
        "repeat": 3,
        "trace_id": "0af7651916cd43dd8448eb211c80319c",
        "app_id": "app-1",
        "msn": "V206D88-MSNX",
        "order_id": "E01",
        "original": "PAYMENT-PAYX",
        "business_id": "BUSINESS-BUSX",
        "error": server.line()["error"],
    });
    assert_eq!(steady(server.line()), expected);
}

#[tokio::test]
async fn what_has_no_value_is_left_out() {
    let sunmi = Sunmi::start("").await;
    let mut server = Server::start(&sunmi, PLAIN, &[JSON]).await;
    let query = with(calls::swipe_query("O1"), &[("x-request-id", "id-1")]);
    server.client().await.swipe_query(query).await.unwrap();
    assert!(server.stop().await.success());
    let expected = json!({
        "level": "INFO",
        "target": "sunmi_trade::api::call",
        "message": "call",
        "rpc.method": "sunmi.trade.v1.TradeService/SwipeQuery",
        "code": "OK",
        "attempts": 1,
        "request_id": "id-1",
        "app_id": "app-1",
        "msn": "V206D88-MSNX",
        "order_id": "O1",
    });
    assert_eq!(steady(server.line()), expected);
}

/// Of libraries: they log headers and bodies there.
#[tokio::test]
async fn below_info_nothing_of_a_library_is_logged_whatever_the_filter() {
    let log = logged("full").await;
    let low = log.lines().filter(|line| line.contains(" DEBUG ") || line.contains(" TRACE "));
    let targets: Vec<&str> = low.map(|line| line[line.find('Z').unwrap()..].trim()).collect();
    assert!(!targets.is_empty(), "{log}");
    for line in targets {
        assert_eq!(
            line.split_whitespace().nth(2).map(|it| it.starts_with("sunmi_trade::")),
            Some(true),
            "{line}"
        );
    }
}

#[tokio::test]
async fn the_filter_is_the_setting_unless_the_environment_has_one() {
    let sunmi = Sunmi::start("").await;
    let quiet = ("SUNMI_TRADE__LOG__FILTER", "off,sunmi_trade::server=info");
    for (env, expected) in
        [(&[quiet][..], 0), (&[quiet, ("RUST_LOG", "info")], 1), (&[quiet, ("RUST_LOG", "")], 0)]
    {
        let mut server = Server::start(&sunmi, PLAIN, env).await;
        server.client().await.query(calls::query("O1")).await.unwrap();
        assert!(server.stop().await.success());
        assert_eq!(server.log().matches(": call ").count(), expected, "{env:?}");
    }
}

#[test]
fn a_start_that_fails_says_so_in_the_format_of_the_log_whatever_the_filter() {
    let held = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = held.local_addr().unwrap().to_string();
    for filter in ["", "off", "hyper=info"] {
        let env = [JSON, ("RUST_LOG", filter)];
        let output = run(&["serve", "--sandbox", "--listen", &taken], None, &env);
        let log = String::from_utf8(output.stderr).unwrap();
        let line: Value = serde_json::from_str(&log).expect("one line, and JSON");
        assert_eq!((&line["level"], &line["message"]), (&"ERROR".into(), &"ended".into()));
        let time = line["timestamp"].as_str().unwrap();
        time.parse::<jiff::Timestamp>().expect("a time of RFC 3339");
        let error = line["error"].as_str().unwrap();
        assert!(error.starts_with(&format!("listen {taken}: ")), "{filter}: {line}");
        assert_eq!(output.status.code(), Some(1));
    }
}

/// Serves under this policy: a query, a refund that succeeds, one that is left in doubt and
/// looked for, and replies that show what was sent. All that was logged, at the lowest level.
async fn logged(policy: &str) -> String {
    let sunmi = Sunmi::start("").await;
    let env = [("SUNMI_TRADE__LOG__IDENTIFIERS", policy), ("RUST_LOG", "trace")];
    let mut server = Server::start(&sunmi, PLAIN, &env).await;
    let mut client = server.client().await;
    client.query(calls::query("QUERIED-QRYX")).await.unwrap();
    client.refund(calls::refund("REFUNDED-REFX")).await.unwrap();
    let mut doubtful = with(calls::refund("CLOSE.CLSX"), &[]);
    doubtful.set_timeout(std::time::Duration::from_millis(500));
    client.refund(doubtful).await.unwrap_err();
    for echo in ["ECHO-STRING.STRX", "ECHO-CODE.CODX"] {
        client.query(calls::query(echo)).await.unwrap_err();
    }
    assert!(server.stop().await.success());
    server.output()
}

/// Their ends occur in nothing else that is logged.
const IDENTIFIERS: [&str; 8] = [
    "V206D88-MSNX",
    "QUERIED-QRYX",
    "REFUNDED-REFX",
    "CLOSE.CLSX",
    "PAYMENT-PAYX",
    "ECHO-STRING.STRX",
    "ECHO-CODE.CODX",
    "BUSINESS-BUSX",
];

#[tokio::test]
async fn identifiers_are_logged_whole_unless_they_are_not_to_be() {
    let log = logged("full").await;
    for identifier in IDENTIFIERS {
        assert!(log.contains(identifier), "{identifier}");
    }
    assert!(log.contains("not resolved yet"), "{log}");
}

#[tokio::test]
async fn of_a_masked_identifier_its_last_four_characters_are_logged() {
    let log = logged("masked").await;
    for identifier in IDENTIFIERS {
        assert!(!log.contains(identifier), "{identifier}:\n{log}");
        let last = &identifier[identifier.len() - 4..];
        assert!(log.contains(&format!("=\"…{last}\"")), "{last}:\n{log}");
    }
}

#[tokio::test]
async fn no_identifier_is_logged_where_none_is_to_be() {
    let log = logged("none").await;
    for identifier in IDENTIFIERS {
        assert!(!log.contains(&identifier[identifier.len() - 4..]), "{identifier}:\n{log}");
    }
    for field in ["msn=", "order_id=", "original=", "business_id=", "refund="] {
        assert!(!log.contains(field), "{field}:\n{log}");
    }
    assert!(log.contains("app_id=\"app-1\""), "{log}");
}
