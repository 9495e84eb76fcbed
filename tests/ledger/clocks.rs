//! The databases' own clocks: all other tests set the time.

use std::time::{Duration, UNIX_EPOCH};

use sunmi_trade::clock::{self, BootClock};
use sunmi_trade::ledger::{Claim, ClaimRequest, Key, Looked, State};
use tokio::time::Instant;

use crate::bench::{Bench, WINDOW, claim, on_every_ledger, refund, row};

on_every_ledger! {
    times_are_milliseconds_of_this_century
    a_lease_runs_out_by_itself
}

/// Databases on this machine have its time.
const NEAR: i64 = 60_000;

async fn times_are_milliseconds_of_this_century(bench: &Bench) {
    let ledger = bench.by_its_own_clock().await;
    let refund = refund("R1");
    claim(&ledger, &refund).await;
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
}

async fn a_lease_runs_out_by_itself(bench: &Bench) {
    let ledger = bench.by_its_own_clock().await;
    let refund = refund("R1");
    // Its margin is left.
    let (looked, begun) = (Looked::default(), BootClock::default().now());
    let request =
        ClaimRequest { refund: &refund, id: "a", looked: &looked, ceiling: Duration::ZERO, begun };
    assert!(matches!(ledger.claim(&request).await.unwrap(), Claim::Fresh(..)));
    let (key, give_up) = (Key::of(&refund), Instant::now() + Duration::from_secs(60));
    while !row(&ledger, &refund).await.lease_is_over() {
        assert!(Instant::now() < give_up, "the lease never ends");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(ledger.expire(&key, 1).await.unwrap());
    let row = row(&ledger, &refund).await;
    assert_eq!(row.state, State::InDoubt);
    assert!(row.changed_at >= row.lease_until, "ended too early");
    assert_eq!(ledger.take_due(1, Duration::ZERO, WINDOW).await.unwrap().len(), 1);
}
