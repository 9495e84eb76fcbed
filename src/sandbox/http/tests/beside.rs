//! What tests do beside the calls, each with orders of its own, and that it is documented.

use super::*;
use crate::sandbox::documented;

#[tokio::test]
async fn card_trades_are_entered() {
    let (_, address) = start().await;
    let cards = "POST /sandbox/cards";
    done(address, cards, json!({"order_id": "C1", "amount": 7})).await;
    let long_ago = json!({"order_id": "C2", "amount": 8, "days": ["20190520"]});
    done(address, cards, long_ago).await;
    refused(address, cards, json!({"order_id": "", "amount": 7})).await;
    refused(address, cards, json!({"order_id": "C3"})).await;
    let table = [
        (vec![("orderId", "C1")], json!("7")),
        (vec![("platformId", "C1-PLATFORM")], json!("7")),
        (vec![("orderId", "C2"), ("tradeDate", "20190520")], json!("8")),
        (vec![("orderId", "C2")], Value::Null),
    ];
    for (pairs, amount) in table {
        let found = call(address, "swipeQuery", &pairs).await.json();
        assert_eq!(found["data"]["amount"], amount, "{pairs:?}");
    }
}

#[tokio::test]
async fn tests_side_by_side_see_and_forget_only_their_own() {
    let (_, address) = start().await;
    for payment in ["P1", "P2"] {
        done(address, "POST /sandbox/orders", json!({"order_id": payment, "amount": 100})).await;
        let device = json!({"order_id": payment, "amount": 1});
        done(address, "POST /sandbox/device-refunds", device).await;
    }
    for (number, payment) in [("R1", "P1"), ("R2", "P2")] {
        let pairs = [("orderId", number), ("oriMisId", &format!("{payment}-MIS"))];
        let rest = [("amount", "10"), ("businessId", "B1")];
        assert_eq!(call(address, "refund", &[pairs, rest].concat()).await.json()["code"], "1");
        let fault = json!({"order_id": number, "answer": "hang"});
        done(address, "POST /sandbox/faults", fault).await;
    }
    done(address, "POST /sandbox/faults", json!({"endpoint": "swipeQuery", "answer": "hang"}))
        .await;
    query(address, "P2").await;
    let own = async |path: &str| ask(address, path, "", "").await;
    let books = own("GET /sandbox/books?order_id=R1&order_id=P1").await.json();
    let of = |field: &str, name: &str| -> Vec<Value> {
        books[field].as_array().unwrap().iter().map(|it| it[name].clone()).collect()
    };
    assert_eq!(of("orders", "order_id"), ["P1", "R1"]);
    assert_eq!(of("executions", "order_id"), ["R1"]);
    assert_eq!(of("device_refunds", "original"), ["P1"]);
    assert_eq!(of("calls", "serial"), [1]);
    assert_eq!(of("faults", "order_id"), ["R1"]);
    assert_eq!(books["total_calls"], 3);
    let by_payment = own("GET /sandbox/books?order_id=P2-MIS").await.json();
    assert_eq!(by_payment["executions"][0]["order_id"], "R2");
    assert_eq!(own("DELETE /sandbox/faults?order_id=R1").await.status(), "200");
    let left = self::books(address).await["faults"].clone();
    let left: Vec<_> = left.as_array().unwrap().iter().map(|it| it["order_id"].clone()).collect();
    assert_eq!(left, [json!("R2"), Value::Null]);
    for odd in ["GET /sandbox/books?orderId=R1", "DELETE /sandbox/faults?order_id="] {
        assert_eq!(own(odd).await.status(), "400", "{odd}");
    }
    refused(address, "POST /sandbox/faults?order_id=R1", json!({"answer": "hang"})).await;
}

#[tokio::test]
async fn the_pages_and_the_books_are_documented() {
    let (_, address) = start().await;
    let places = pages::Page::ALL.map(pages::Page::place);
    let pages = places.map(|(method, path)| format!("{method} {path}"));
    assert_eq!(documented::names("page"), pages);
    let strange = r#"{"?": 0}"#;
    let device = documented::known::<control::OnDevice>(strange);
    assert_eq!(documented::names("field of a refund on the device"), device);
    assert_eq!(
        documented::names("field of a return"),
        documented::known::<control::Return>(strange)
    );
    let books = books(address).await;
    let fields: Vec<_> = books.as_object().unwrap().keys().cloned().collect();
    // The table of faults has the same head.
    let page = documented::page();
    let (_, books) = page.split_once("## The books").unwrap();
    let rows = books.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    assert_eq!(rows.take(fields.len()).collect::<Vec<_>>(), fields);
    assert!(books.contains("the latest 10,000 calls") && MAX_CALLS == 10_000);
}
