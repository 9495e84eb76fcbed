use super::super::{Access, Location};
use super::*;

/// 2026-11-26 00:00 in China.
const MIDNIGHT: i64 = 1_795_622_400_000;

#[test]
fn a_day_begins_at_midnight_in_china_to_the_millisecond() {
    for (time, begins) in [
        (MIDNIGHT - 1, MIDNIGHT - DAY),
        (MIDNIGHT, MIDNIGHT),
        (MIDNIGHT + 1, MIDNIGHT),
        (MIDNIGHT + DAY - 1, MIDNIGHT),
        (MIDNIGHT + DAY, MIDNIGHT + DAY),
        // 1970-01-01 08:00 in China, and what is before it.
        (0, -AHEAD_OF_UTC),
        (-AHEAD_OF_UTC - 1, -AHEAD_OF_UTC - DAY),
    ] {
        assert_eq!(Day::of(time), Day { begins }, "{time}");
    }
}

#[test]
fn midnight_is_at_sixteen_hours_in_greenwich() {
    let time = jiff::Timestamp::from_millisecond(MIDNIGHT).unwrap();
    assert_eq!(time.to_string(), "2026-11-25T16:00:00Z");
}

#[test]
fn what_is_left_is_never_less_than_nothing_and_never_overflows() {
    let spent = |amount| Spent { amount, until: 0 };
    for (amount, most, left) in [
        (0, 100, 100),
        (99, 100, 1),
        (100, 100, 0),
        (101, 100, 0),
        (i128::from(i64::MAX) * 3, i64::MAX, 0),
        (0, i64::MAX, i64::MAX),
    ] {
        assert_eq!(spent(amount).left_of(most), left, "{amount} of {most}");
        assert!(left == 0 || spent(amount).leaves(left, most), "{amount} of {most}");
        let more = left.saturating_add(1);
        assert_eq!(spent(amount).leaves(more, most), more == left, "{amount} of {most}");
    }
    assert!(!spent(1).leaves(i64::MAX, i64::MAX));
}

#[tokio::test]
async fn sqlite_sums_by_the_index_of_callers() {
    let ledger = Ledger::open(&Location::Memory, "test", Access::Serve).await.unwrap();
    let plan = sqlx::query(ledger.sql(&format!("EXPLAIN QUERY PLAN {SPENT}")))
        .bind("till")
        .bind(MIDNIGHT)
        .bind(PART)
        .fetch_all(&ledger.pool)
        .await
        .unwrap();
    let plan: Vec<String> = plan.iter().map(|step| step.get("detail")).collect();
    let step = "SEARCH refunds USING INDEX refunds_of_caller (caller=? AND claimed_at>?)";
    assert_eq!(plan, [step]);
}
