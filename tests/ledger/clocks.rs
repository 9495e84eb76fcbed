//! The databases' own clocks: all other tests set the time.

use std::time::{Duration, UNIX_EPOCH};

use sunmi_trade::clock;
use sunmi_trade::ledger::{Claim, Key, State};
use tokio::time::Instant;

use crate::bench::{Bench, on_every_ledger, refund, row};

on_every_ledger! {
    times_are_milliseconds_of_this_century
    a_lease_runs_out_by_itself
}

/// Databases on this machine have its time.
const NEAR: i64 = 60_000;

async fn times_are_milliseconds_of_this_century(bench: &Bench) {
    let ledger = bench.by_its_own_clock().await;
    let refund = refund("R1");
    let ceiling = Duration::from_secs(60);
    assert!(matches!(ledger.claim(&refund, ceiling).await.unwrap(), Claim::Fresh(_)));
    let row = row(&ledger, &refund).await;
    let wall = clock::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let wall = i64::try_from(wall).unwrap();
    assert!((wall - row.now).abs() < NEAR, "{} at {wall}", row.now);
    assert!((row.now - row.claimed_at).abs() < NEAR);
    assert!((row.now - row.changed_at).abs() < NEAR);
    // PostgreSQL's clock goes on within a statement.
    let lease = row.lease_until - row.claimed_at;
    assert!((lease - 65_000).abs() < 1_000, "{lease}");
    assert!(!row.lease_is_over());
    assert!(!ledger.expire(&Key::of(&refund), 1).await.unwrap());
}

async fn a_lease_runs_out_by_itself(bench: &Bench) {
    let ledger = bench.by_its_own_clock().await;
    let refund = refund("R1");
    // Its margin is left.
    assert!(matches!(ledger.claim(&refund, Duration::ZERO).await.unwrap(), Claim::Fresh(_)));
    let (key, give_up) = (Key::of(&refund), Instant::now() + Duration::from_secs(60));
    while !ledger.expire(&key, 1).await.unwrap() {
        assert!(Instant::now() < give_up, "the lease never ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let row = row(&ledger, &refund).await;
    assert_eq!(row.state, State::InDoubt);
    assert!(row.changed_at >= row.lease_until, "ended too early");
    assert_eq!(ledger.take_due(1, Duration::ZERO).await.unwrap().len(), 1);
}
