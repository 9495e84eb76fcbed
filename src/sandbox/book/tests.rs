use serde_json::{Value, json};

use super::order::day_in_china;
use super::*;
use crate::sandbox::credential;
use crate::sunmi::params::AppKey;

mod acts;
mod lags;
mod switches;

const NOW: i64 = 1_700_000_000;
const MS: i64 = NOW * 1000;

fn book() -> Book {
    Book::new([&credential()], NOW)
}

fn signed(pairs: &[(&str, &str)]) -> Form {
    signed_with(&credential().keys.preferred(), pairs)
}

fn signed_with(key: &AppKey, pairs: &[(&str, &str)]) -> Form {
    let mut form: Form = [("app_id", "sandbox"), ("msn", "M1"), ("charset", "utf8")]
        .iter()
        .chain(pairs)
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let params: Params = form.clone().into_iter().collect();
    form.insert(SIGN.to_owned(), params.signature(key));
    form
}

fn refund(book: &mut Book, number: &str, original: &str, amount: &str) -> Reply {
    let form = signed(&[
        ("orderId", number),
        ("oriOrderId", original),
        ("amount", amount),
        ("businessId", "B1"),
    ]);
    book.handle(Endpoint::Refund, &form, NOW)
}

fn query(book: &mut Book, name: &str, number: &str) -> Reply {
    book.handle(Endpoint::Query, &signed(&[(name, number)]), NOW)
}

/// So many milliseconds later.
fn query_at(book: &mut Book, number: &str, ms: i64) -> Reply {
    book.handle_ms(Endpoint::Query, &signed(&[("orderId", number)]), MS + ms)
}

fn state_at(book: &mut Book, number: &str, ms: i64) -> String {
    query_at(book, number, ms).data.unwrap()["state"].as_str().unwrap().to_owned()
}

fn total_at(book: &mut Book, number: &str, ms: i64) -> String {
    query_at(book, number, ms).data.unwrap()["refunded"].as_str().unwrap().to_owned()
}

fn assert_is_fixture(reply: &Reply, fixture: &str) {
    let expected: Value = serde_json::from_str(fixture).unwrap();
    let actual: Value = serde_json::from_str(&reply.to_json()).unwrap();
    assert_eq!(actual, expected);
}

#[test]
fn the_documents_sample_replies_come_back_as_printed() {
    let book = &mut book();
    for (name, number) in [
        ("orderId", "40000734324823473432"),
        ("misId", "wqwqqqwwwwww78"),
        ("platformId", "SDPPDS434890114"),
    ] {
        let reply = query(book, name, number);
        assert_is_fixture(&reply, include_str!("../../../tests/fixtures/query.json"));
    }
    let form = signed(&[
        ("businessId", "453975342343"),
        ("orderId", "sda1212"),
        ("amount", "1"),
        ("oriOrderId", "1489834523642384"),
    ]);
    let reply = book.handle(Endpoint::Refund, &form, NOW);
    assert_is_fixture(&reply, include_str!("../../../tests/fixtures/refund.json"));
    let form = signed(&[("tradeDate", "20190520"), ("orderId", "201906300600003")]);
    let reply = book.handle(Endpoint::SwipeQuery, &form, NOW);
    assert_is_fixture(&reply, include_str!("../../../tests/fixtures/swipe_query.json"));
}

#[test]
fn refunds_are_executed_until_the_balance_is_spent() {
    let book = &mut book();
    let table = [
        ("R1", "DEMO-1", "6000", "1"),
        ("R2", "DEMO-1", "4001", "E22"),
        ("R1", "DEMO-1", "4000", "1"),
        ("R3", "DEMO-1", "1", "E22"),
        ("R4", "nothing", "1", "E19"),
        ("R5", "DEMO-ENDED", "1", "D04"),
        ("R6", "DEMO-UNPAID", "1", "T01"),
        ("R7", "R1", "1", "E20"),
        ("R8", "DEMO-2", "0", "Q03"),
        ("R9", "40000734324823473432", "1", "E22"),
    ];
    for (number, original, amount, code) in table {
        assert_eq!(refund(book, number, original, amount).code, code, "{number}");
    }
    let executed: Vec<_> =
        book.executions().iter().map(|it| (it.order_id.as_str(), it.amount)).collect();
    assert_eq!(executed, [("R1", 6000), ("R1", 4000)]);
}

#[test]
fn a_refund_is_found_by_its_number_unless_that_is_switched_off() {
    let book = &mut book();
    refund(book, "R1", "DEMO-1", "100");
    let found = query(book, "orderId", "R1").data.unwrap();
    assert_eq!((&found["orderType"], &found["amount"]), (&json!("1"), &json!("100")));
    assert_eq!(query(book, "orderId", "DEMO-1").data.unwrap()["refunded"], "100");
    book.set_refunds_queryable(false);
    assert_eq!(query(book, "orderId", "R1").code, "E19");
}

#[test]
fn queries_show_a_refund_as_late_as_they_lag() {
    let book = &mut book();
    book.set_lag(5);
    refund(book, "R1", "DEMO-1", "100");
    for (seconds, refunded, found) in [(0, "0", "E19"), (4, "0", "E19"), (5, "100", "1")] {
        let mut query =
            |name: &str| book.handle(Endpoint::Query, &signed(&[("orderId", name)]), NOW + seconds);
        assert_eq!(query("DEMO-1").data.unwrap()["refunded"], refunded, "{seconds}");
        assert_eq!(query("R1").code, found, "{seconds}");
    }
}

#[test]
fn a_refund_takes_its_course_and_gives_the_money_back_if_it_fails() {
    let book = &mut book();
    let table = [
        ("R1", Course { seconds: 0, fails: false }, "3", "3", "100"),
        ("R2", Course { seconds: 0, fails: true }, "5", "5", "100"),
        ("R3", Course { seconds: 9, fails: false }, "1", "3", "200"),
        ("R4", Course { seconds: 9, fails: true }, "1", "5", "200"),
    ];
    for (number, course, at_once, in_the_end, refunded) in table {
        book.set_course(course);
        let data = refund(book, number, "DEMO-1", "100").data.unwrap();
        assert_eq!(data["state"], at_once, "{number}");
        let mut later = |name: &str| {
            let form = signed(&[("orderId", name)]);
            book.handle(Endpoint::Query, &form, NOW + 9).data.unwrap()
        };
        assert_eq!(later(number)["state"], in_the_end, "{number}");
        assert_eq!(later("DEMO-1")["refunded"], refunded, "{number}");
    }
}

#[test]
fn a_wrong_signature_is_refused_and_nothing_happens() {
    let book = &mut book();
    let mut form = signed(&[
        ("orderId", "R1"),
        ("oriOrderId", "DEMO-1"),
        ("amount", "100"),
        ("businessId", "B1"),
    ]);
    form.insert("amount".to_owned(), "101".to_owned());
    assert_eq!(book.handle(Endpoint::Refund, &form, NOW).code, "E05");
    assert!(book.executions().is_empty());
}

#[test]
fn every_key_that_is_in_force_is_taken_and_no_other() {
    let keys = Arc::new(KeyRing::parse(b"old\nnew").unwrap());
    let credential = Credential { keys: Arc::clone(&keys), ..credential() };
    let mut book = Book::new([&credential], NOW);
    let mut code = |key: &str| {
        let form = signed_with(&AppKey::new(key.to_owned()), &[("orderId", "DEMO-1")]);
        book.handle(Endpoint::Query, &form, NOW).code
    };
    assert_eq!(["old", "new", "newer"].map(&mut code), ["1", "1", "E05"]);
    keys.replace(b"newer").unwrap();
    assert_eq!(["old", "new", "newer"].map(&mut code), ["E05", "E05", "1"]);
}

#[test]
fn a_missing_parameter_is_named() {
    let book = &mut book();
    type Row = (Endpoint, &'static [(&'static str, &'static str)], &'static str);
    let table: &[Row] = &[
        (Endpoint::Query, &[], "sunmi_order_no 必传"),
        (Endpoint::SwipeQuery, &[], "merchant_order_no必传"),
        (Endpoint::Query, &[("msn", "")], "msn必传"),
        (
            Endpoint::Refund,
            &[("orderId", "R"), ("businessId", "B"), ("oriMisId", "O")],
            "refund_amount 必传",
        ),
    ];
    for (endpoint, pairs, words) in table {
        let reply = book.handle(*endpoint, &signed(pairs), NOW);
        assert_eq!((reply.code.as_str(), reply.msg.as_str()), ("E27", *words));
    }
}

#[test]
fn every_code_is_answered_on_demand() {
    let book = &mut book();
    for code in crate::sunmi::codes::CODES {
        let reply = query(book, "misId", &format!("CODE-{}", code.code));
        assert_eq!(reply.code, code.code);
        assert!(!reply.msg.is_empty(), "{code:?}");
    }
}

#[test]
fn card_trades_are_found_on_their_day_alone() {
    let book = &mut book();
    let today = day_in_china(NOW);
    let table: &[(&[(&str, &str)], &str)] = &[
        (&[("orderId", "201906300600003"), ("tradeDate", "20190630")], "1"),
        (&[("orderId", "201906300600003"), ("tradeDate", "20190701")], "E19"),
        (&[("orderId", "201906300600003")], "E19"),
        (&[("orderId", "DEMO-CARD-1")], "1"),
        (&[("platformId", "DEMO-CARD-PLATFORM-1"), ("tradeDate", &today)], "1"),
        (&[("orderId", "DEMO-CARD-1"), ("platformId", "331916913")], "E19"),
        (&[("orderId", "DEMO-CARD-1"), ("tradeDate", "2019-6-3")], "Q03"),
    ];
    for (pairs, code) in table {
        let reply = book.handle(Endpoint::SwipeQuery, &signed(pairs), NOW);
        assert_eq!(&reply.code, code, "{pairs:?}");
    }
}

#[test]
fn the_day_changes_at_midnight_in_china() {
    assert_eq!(day_in_china(1_561_910_399), "20190630");
    assert_eq!(day_in_china(1_561_910_400), "20190701");
}
