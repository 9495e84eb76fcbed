use std::time::Duration;

use super::*;
use crate::clock::BootClock;
use crate::ledger::{Access, ClaimRequest, Location, Looked};
use crate::trade::{Evidence, Identifier, Note, OrderRef, RefundTrade};

fn refund() -> Refund {
    let id = |text: &str| Identifier::parse(text.to_owned()).unwrap();
    Refund {
        app_id: id("app"),
        msn: id("device"),
        amount: 10,
        original: OrderRef::OrderId(id("P1")),
        order_id: id("R1"),
        business_id: id("business"),
        app_id_named: true,
        acknowledged: Box::default(),
        caller: None,
        day_bound: None,
        note: Note::default(),
    }
}

/// What makes a commit fail after its statement gave its row: a constraint that is checked only
/// then, on what a trigger writes.
const FAIL_COMMITS: [&str; 3] = [
    "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
    "CREATE TABLE child (id INTEGER REFERENCES parent (id) DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TRIGGER fail AFTER UPDATE ON refunds BEGIN INSERT INTO child VALUES (1); END",
];

#[tokio::test]
async fn a_move_whose_commit_fails_is_an_error_and_is_not_written() {
    let ledger = Ledger::open(&Location::Memory, "test", Access::Serve).await.unwrap();
    let (refund, looked) = (refund(), Looked { absent: true, ..Looked::default() });
    let ceiling = Duration::from_secs(60);
    let begun = BootClock::default().now();
    let request = ClaimRequest { refund: &refund, id: "claim", looked: &looked, ceiling, begun };
    ledger.claim(&request).await.unwrap();
    for sql in FAIL_COMMITS {
        sqlx::query(sql).execute(&ledger.pool).await.unwrap();
    }
    let key = Key::of(&refund);
    let trade = RefundTrade::default();
    let answer = Refunded { trade, evidence: Evidence::Reply, replayed: false };
    let row = ledger.row(&key).await.unwrap();
    assert!(ledger.processing(&key, &answer).await.is_err());
    assert!(ledger.settle(&key, &answer).await.is_err());
    assert!(ledger.fail(&row, &answer).await.is_err());
    assert!(ledger.give_back(&key, "claim", "a test").await.is_err());
    assert!(ledger.doubt(&key, 1, &Doubt::default(), Said::default()).await.is_err());
    assert!(ledger.refuse(&key, 1, &Doubt::default(), true).await.is_err());
    assert_eq!(ledger.row(&key).await.unwrap().state, State::Claimed);
}
