//! That PostgreSQL finds what a refund needs by indexes, in a ledger that is large.

use sqlx::Row as _;
use sunmi_trade::ledger::Filter;
use sunmi_trade::trade::{OrderRef, PaymentNames, Refund};

use crate::bench::{
    Bench, Kind, claim_after, fresh, id, looked_by, on, payment, refund, refund_of,
};

/// Copies the one row that there is, which has all names, into many of other payments.
const MANY: &str = "INSERT INTO refunds (app_id, order_id, msn, amount, original_kind, original, \
    business_id, state, epoch, lease_until, claimed_at, changed_at, look_at, looks, change, \
    payment_platform_id, payment_order_id, payment_mis_id) \
    SELECT app_id, 'R' || n, msn, amount, original_kind, 'P' || n, 'B' || n, 'settled', 1, 0, \
    claimed_at + n, n, 0, 0, n, 'X' || n, 'O' || n, 'M' || n \
    FROM refunds, generate_series(1, 20000) AS n";

#[tokio::test]
async fn postgres_reads_no_whole_ledger_for_a_refund() {
    on(Kind::Postgres, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let name = |text: &str| Some(text.to_owned());
        let names = PaymentNames { platform_id: name("X"), order_id: name("O"), mis_id: name("M") };
        let first = refund_of("P", "R");
        let seen = looked_by(&ledger, &first, names.clone()).await;
        fresh(claim_after(&ledger, &first, &seen).await);
        // What a connection counted is told when it ends: before all this is written.
        ledger.close().await;
        let mut beside = bench.beside().await;
        sqlx::query(MANY).execute(&mut beside).await.unwrap();
        sqlx::query("ANALYZE refunds").execute(&mut beside).await.unwrap();
        let scans = async |beside: &mut sqlx::AnyConnection| {
            let counts = "SELECT CAST(seq_scan AS BIGINT), CAST(idx_scan AS BIGINT) \
                FROM pg_stat_user_tables WHERE relname = 'refunds'";
            let counts = sqlx::query(counts).fetch_one(beside).await.unwrap();
            (counts.get::<i64, _>(0), counts.get::<i64, _>(1))
        };
        drop(beside);
        let ledger = bench.ledger().await;
        let before = scans(&mut bench.beside().await).await;
        // Often enough for a plan that is made for any value.
        for at in 0..8 {
            let originals = [
                OrderRef::OrderId(id("P7")),
                OrderRef::MisId(id("M7")),
                OrderRef::PlatformId(id("X7")),
            ];
            for original in originals {
                let refund = Refund { original, ..refund(&format!("S{at}")) };
                assert!(!ledger.of_payment(&payment(&refund, &names)).await.unwrap().is_empty());
            }
            let filter = Filter { original: Some(id("O9")), ..Filter::default() };
            assert_eq!(ledger.search(&filter, None, 10).await.unwrap().len(), 1);
            let seen =
                looked_by(&ledger, &refund(&format!("T{at}")), PaymentNames::default()).await;
            fresh(claim_after(&ledger, &refund(&format!("T{at}")), &seen).await);
        }
        ledger.close().await;
        let after = loop {
            let after = scans(&mut bench.beside().await).await;
            if after.1 - before.1 >= 200 {
                break after;
            }
            tokio::task::yield_now().await;
        };
        assert!(after.0 - before.0 <= 1, "the start alone may: {} times", after.0 - before.0);
    })
    .await;
}
