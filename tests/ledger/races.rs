//! What only a database with many writers at once can get wrong.

use sqlx::{AnyConnection, Connection, Row as _};
use sunmi_trade::ledger::{Claim, Key, Ledger, Settled, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{Bench, Kind, answer, ask, bring, claim, fresh, on, refund, refund_of, row};

/// Waits until so many statements of this database wait for a lock.
async fn wait_for(count: i64, beside: &mut AnyConnection) {
    let waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE datname = current_database() \
        AND wait_event_type = 'Lock'";
    loop {
        let waiting = sqlx::query(waits).fetch_one(&mut *beside).await.unwrap();
        if waiting.get::<i64, _>(0) >= count {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Else a claim could take a row that went on for one that it has seen.
#[tokio::test]
async fn two_changes_of_a_row_at_once_have_two_numbers() {
    on(Kind::Postgres, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let refund = refund("R1");
        let before = bring(&ledger, &refund, State::InDoubt).await;
        let (mut first, mut aside) = (bench.beside().await, bench.beside().await);
        let mut first = first.begin().await.unwrap();
        let change = "UPDATE refunds SET change = (SELECT MAX(change) + 1 FROM refunds) \
            WHERE order_id = 'R1'";
        sqlx::query(change).execute(&mut *first).await.unwrap();
        let (key, done) = (Key::of(&refund), answer(&refund, TradeState::Succeeded));
        let clone = ledger.clone();
        let second = tokio::spawn(async move { clone.settle(&key, &done).await.unwrap() });
        wait_for(1, &mut aside).await;
        first.commit().await.unwrap();
        assert_eq!(second.await.unwrap(), Settled::Written);
        assert_eq!(row(&ledger, &refund).await.change, before.change + 2);
    })
    .await;
}

/// What becomes of these claims, each of which waits until all do.
async fn all_wait(ledger: &Ledger, bench: &Bench, asked: [Refund; 2]) -> [Claim; 2] {
    let (mut holder, mut aside) = (bench.beside().await, bench.beside().await);
    let mut holder = holder.begin().await.unwrap();
    sqlx::query("LOCK TABLE refunds IN SHARE MODE").execute(&mut *holder).await.unwrap();
    let claims = asked.map(|refund| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ask(&ledger, &refund).await })
    });
    wait_for(2, &mut aside).await;
    holder.commit().await.unwrap();
    let [first, second] = claims;
    [first.await.unwrap(), second.await.unwrap()]
}

/// The database's default, and a pooler that forgets what was set on a connection.
const REPEATABLE_READ: &str = "
    DO $$ BEGIN
        EXECUTE format('ALTER DATABASE %I SET default_transaction_isolation = %L',
            current_database(), 'repeatable read');
    END $$;
    CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RESET default_transaction_isolation;
        RETURN NEW;
    END $$;
    CREATE TRIGGER forget BEFORE INSERT OR UPDATE ON refunds
        FOR EACH ROW EXECUTE FUNCTION forget();";

/// A transaction that reads what was there when it began would overlook who came first.
#[tokio::test]
async fn a_claim_sees_what_was_committed_while_it_waited_whatever_the_default_isolation() {
    on(Kind::Postgres, async |bench: &Bench| {
        drop(bench.ledger().await);
        let mut aside = bench.beside().await;
        sqlx::raw_sql(REPEATABLE_READ).execute(&mut aside).await.unwrap();
        let ledger = bench.ledger().await;
        // A connection that has written something has forgotten what was set on it: soon all have.
        for payment in (0..12).map(|at| format!("P{at}")) {
            let asked = ["R", "S"].map(|name| refund_of(&payment, &format!("{name}-{payment}")));
            let claims = all_wait(&ledger, bench, asked).await;
            let open = claims.iter().filter(|claim| matches!(claim, Claim::Fresh(..))).count();
            assert_eq!(open, 1, "{payment}: {claims:?}");
        }
    })
    .await;
}

/// The command line's transaction is waited for, and what it wrote is seen.
#[tokio::test]
async fn a_claim_waits_for_who_writes_into_the_file() {
    on(Kind::Sqlite, async |bench: &Bench| {
        let ledger = bench.ledger().await;
        let epoch = claim(&ledger, &refund("R0")).await;
        assert_eq!(epoch, 1);
        let mut other = bench.beside().await;
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        let write = "UPDATE refunds SET looks = 99 WHERE order_id = 'R0'";
        sqlx::query(write).execute(&mut other).await.unwrap();
        let clone = ledger.clone();
        let waits = tokio::spawn(async move { ask(&clone, &refund("R1")).await });
        while ledger.is_idle() {
            tokio::task::yield_now().await;
        }
        sqlx::query("COMMIT").execute(&mut other).await.unwrap();
        fresh(waits.await.unwrap());
        assert_eq!(row(&ledger, &refund("R0")).await.looks, 99);
    })
    .await;
}
