//! docs/sandbox.md says what the sandbox does: every page, field, answer, setting and order.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::book::{CardTrade, Change, Kind, Order, PastRefund, Patch, Payment, Settings};
use super::faults::{Answer, Fault, HttpAnswer};
use super::samples;

/// The page.
pub(super) fn page() -> String {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/sandbox.md");
    std::fs::read_to_string(path).unwrap()
}

/// The cells of the table whose head begins so, row by row.
pub(super) fn table(head: &str) -> Vec<Vec<String>> {
    let page = page();
    let rows = page.lines().skip_while(|line| !line.starts_with(&format!("| {head} |")));
    let rows = rows.skip(2).take_while(|line| line.starts_with('|'));
    let cells =
        |row: &str| row.trim_matches('|').split(" | ").map(|it| it.trim().to_owned()).collect();
    let rows: Vec<_> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "no table of {head}");
    rows
}

/// The first cells of a table, which are code.
pub(super) fn names(head: &str) -> Vec<String> {
    table(head).into_iter().map(|row| plain(&row[0])).collect()
}

fn plain(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The fields of a struct, or the variants of an enum, by what serde says of one that there is not.
pub(super) fn known<T: DeserializeOwned>(strange: &str) -> Vec<String> {
    let Err(error) = serde_json::from_str::<T>(strange) else { panic!("{strange} was taken") };
    let error = error.to_string();
    let (_, expected) = error.split_once("expected ").expect("what was expected");
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

const STRANGE: &str = r#"{"?": 0}"#;

/// The rows of names and defaults that these values should have.
fn defaults(values: &Map<String, Value>, given: &str) -> Vec<[String; 2]> {
    let shown = |(name, value): (&String, &Value)| {
        let value = if name == given { "must be given".to_owned() } else { format!("`{value}`") };
        [format!("`{name}`"), value]
    };
    values.iter().map(shown).collect()
}

fn documented(head: &str) -> Vec<[String; 2]> {
    table(head).into_iter().map(|row| [row[0].clone(), row[1].clone()]).collect()
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("no object: {value}") };
    object
}

#[test]
fn the_fields_of_faults_are_documented_with_their_defaults() {
    let fault: Fault = serde_json::from_value(json!({"answer": "normal"})).unwrap();
    let fields = object(serde_json::to_value(fault).unwrap());
    assert_eq!(documented("field"), defaults(&fields, "answer"));
    assert_eq!(known::<Fault>(STRANGE), fields.keys().cloned().collect::<Vec<_>>());
    let http: HttpAnswer = serde_json::from_value(json!({"status": 200})).unwrap();
    let fields = object(serde_json::to_value(http).unwrap());
    assert_eq!(documented("field of `http`"), defaults(&fields, "status"));
    assert_eq!(known::<HttpAnswer>(STRANGE), fields.keys().cloned().collect::<Vec<_>>());
    assert_eq!(names("answer"), known::<Answer>("\"?\""));
}

#[test]
fn the_settings_are_documented_with_their_defaults() {
    let settings = object(serde_json::to_value(Settings::default()).unwrap());
    assert_eq!(documented("setting"), defaults(&settings, ""));
    let both: Patch = serde_json::from_value(json!({"lag_ms": 7})).unwrap();
    let set = both.apply(&Settings::default());
    assert_eq!((set.number_lag_ms, set.total_lag_ms), (7, 7));
    assert!(page().contains("`lag_ms` sets both lags"));
}

#[test]
fn the_fields_of_what_can_happen_are_documented() {
    assert_eq!(names("field of a payment"), known::<Payment>(STRANGE));
    assert_eq!(names("field of a card trade"), known::<CardTrade>(STRANGE));
    assert_eq!(names("field of a change"), known::<Change>(STRANGE));
    assert_eq!(names("field of a past refund"), known::<PastRefund>(STRANGE));
}

/// The row of an order.
fn row(order: &Order) -> Vec<String> {
    assert_eq!(order.kind, Kind::Payment);
    let code = |name: &str| format!("`{name}`");
    let amount = match order.refunded {
        0 => order.amount.to_string(),
        refunded => {
            assert_eq!(refunded, order.amount);
            format!("{refunded}, all of it refunded")
        }
    };
    let name = order.asked_as.as_deref().unwrap_or(&order.order_id);
    let names = [name, &order.mis_id, &order.platform_id].map(code);
    let rest = [order.platform.clone(), amount, order.state.clone()];
    names.into_iter().chain(rest).collect()
}

#[test]
fn the_orders_at_the_start_are_documented() {
    let orders: Vec<_> = samples::orders(0).iter().map(row).collect();
    assert_eq!(table("payment"), orders);
    let cards = samples::cards().into_iter().map(|card| {
        let names = [card.order_id, card.platform_id].map(|name| format!("`{name}`"));
        let days = match card.day {
            super::book::Day::On(days) => days.join(", "),
            super::book::Day::Today => "today in China".to_owned(),
        };
        names.into_iter().chain([days, card.amount.to_string()]).collect::<Vec<_>>()
    });
    assert_eq!(table("card trade"), cards.collect::<Vec<_>>());
}
