use super::*;
use crate::ledger::{Access, Location};

/// How SQLite finds the rows of this statement, whatever is bound.
async fn plan(sql: &str) -> Vec<String> {
    let ledger = Ledger::open(&Location::Memory, "test", Access::Serve).await.unwrap();
    let sql = ledger.sql(&format!("EXPLAIN QUERY PLAN {sql}"));
    let plan = sqlx::query(sql).fetch_all(&ledger.pool).await.unwrap();
    plan.iter().map(|step| step.get("detail")).collect()
}

/// Else each refund would read the whole ledger, or all of an `app_id`.
#[tokio::test]
async fn sqlite_finds_the_refunds_of_a_payment_by_each_of_its_names() {
    let mut plan = plan(&format!("SELECT {COLUMNS} FROM refunds WHERE {OF_PAYMENT}")).await;
    plan.retain(|step| step != "MULTI-INDEX OR" && !step.starts_with("INDEX "));
    let by = |index: &str| format!("SEARCH refunds USING INDEX {index}=?)");
    let original = by("refunds_of_asked (original");
    assert_eq!(
        plan,
        [
            by("refunds_of_platform_id (payment_platform_id"),
            original.clone(),
            original.clone(),
            original.clone(),
            original,
            by("refunds_of_any_order_id (payment_order_id"),
            by("refunds_of_any_mis_id (payment_mis_id"),
        ]
    );
}

#[tokio::test]
async fn sqlite_finds_a_number_by_its_index() {
    let plan = plan("SELECT * FROM refunds WHERE order_id = $1 ORDER BY app_id").await;
    assert_eq!(plan[0], "SEARCH refunds USING INDEX refunds_by_number (order_id=?)");
}
