//! What a caller may refund on one day in China.

use std::time::Duration;

use sunmi_trade::ledger::{Claim, Key, Ledger, Looked, Spent, State};
use sunmi_trade::trade::{Refund, TradeState};

use crate::bench::{
    Bench, START, answer, ask, bring, claim, fresh, move_on, on_every_ledger, refund, row,
};

on_every_ledger! {
    what_fits_is_claimed_and_what_is_beyond_is_not_written
    all_counts_but_what_is_known_to_have_moved_nothing
    a_failure_that_is_disputed_counts
    a_number_that_is_claimed_anew_counts_for_who_claims_it
    what_others_refund_does_not_count_and_all_of_its_own_does
    what_is_known_is_told_whatever_is_spent
    a_day_ends_at_midnight_in_china_to_the_millisecond
    a_clock_that_is_set_back_wins_no_second_bound
    sums_that_no_amount_can_be_are_told_exactly
}

const DAY: i64 = 24 * 60 * 60 * 1000;

/// The first midnight in China after the tests' clock starts.
const MIDNIGHT: i64 = START + DAY - (START + DAY / 3) % DAY;

/// A refund of 100 by this caller, whose bound for the day is this.
pub(crate) fn bounded(number: &str, caller: &str, most: i64) -> Refund {
    Refund { caller: Some(caller.into()), day_bound: Some(most), ..refund(number) }
}

/// The same by an unbounded caller.
fn by(number: &str, caller: &str) -> Refund {
    Refund { day_bound: None, ..bounded(number, caller, 0) }
}

async fn spent(ledger: &Ledger, caller: &str) -> i128 {
    ledger.spent_today(caller).await.unwrap().amount
}

/// What was spent before a claim that must be beyond its caller's bound.
pub(crate) fn beyond(claim: Claim) -> Spent {
    match claim {
        Claim::Beyond(spent) => spent,
        other @ (Claim::Fresh(..)
        | Claim::Known(_)
        | Claim::Differs(_)
        | Claim::InFlight(_)
        | Claim::Changed) => panic!("not beyond the bound: {other:?}"),
    }
}

/// So much time passes until this time.
fn wait_until(bench: &Bench, time: i64) {
    bench.pass(Duration::from_millis(u64::try_from(time - bench.now()).unwrap()));
}

async fn what_fits_is_claimed_and_what_is_beyond_is_not_written(bench: &Bench) {
    let ledger = bench.ledger().await;
    for number in ["R1", "R2", "R3"] {
        fresh(ask(&ledger, &bounded(number, "till", 399)).await);
    }
    let refused = bounded("R4", "till", 399);
    assert_eq!(beyond(ask(&ledger, &refused).await), Spent { amount: 300, until: MIDNIGHT });
    assert!(ledger.read(&Key::of(&refused)).await.unwrap().is_none());
    assert_eq!(ledger.list(None, 9).await.unwrap().len(), 3);
    // What was refused is bound to nothing, and the last unit can be spent.
    let smaller = Refund { amount: 99, ..refused };
    fresh(ask(&ledger, &smaller).await);
    let least = Refund { amount: 1, ..bounded("R5", "till", 399) };
    assert_eq!(beyond(ask(&ledger, &least).await).amount, 399);
    // The bound is the one of the claim, as it is by now.
    fresh(ask(&ledger, &Refund { day_bound: Some(400), ..least }).await);
    assert_eq!(spent(&ledger, "till").await, 400);
}

async fn all_counts_but_what_is_known_to_have_moved_nothing(bench: &Bench) {
    let ledger = bench.ledger().await;
    for (at, (state, counts)) in [
        (State::Claimed, true),
        (State::InDoubt, true),
        (State::Processing, true),
        (State::Settled, true),
        (State::NotApplied, false),
    ]
    .into_iter()
    .enumerate()
    {
        let caller = format!("caller-{at}");
        bring(&ledger, &bounded(&format!("R{at}"), &caller, 100), state).await;
        assert_eq!(spent(&ledger, &caller).await, if counts { 100 } else { 0 }, "{state:?}");
        let next = ask(&ledger, &bounded(&format!("S{at}"), &caller, 100)).await;
        assert_eq!(matches!(next, Claim::Beyond(_)), counts, "{state:?}: {next:?}");
        assert_eq!(matches!(next, Claim::Fresh(..)), !counts, "{state:?}: {next:?}");
    }
    // One that was found before it was sent may be this caller's.
    let found = bounded("F", "finder", 100);
    assert!(ledger.record_found(&found, &Looked::default(), "a test").await.unwrap());
    assert_eq!(spent(&ledger, "finder").await, 100);
    // Judged not to have happened, and then found to have.
    let late = bounded("L", "late", 100);
    bring(&ledger, &late, State::NotApplied).await;
    assert_eq!(spent(&ledger, "late").await, 0);
    ledger.settle(&Key::of(&late), &answer(&late, TradeState::Succeeded)).await.unwrap();
    assert_eq!(spent(&ledger, "late").await, 100);
}

async fn a_failure_that_is_disputed_counts(bench: &Bench) {
    let ledger = bench.ledger().await;
    let failed = bounded("R1", "till", 100);
    let open = bring(&ledger, &failed, State::Processing).await;
    assert!(ledger.fail(&open, &answer(&failed, TradeState::Failed)).await.unwrap());
    assert_eq!(spent(&ledger, "till").await, 0);
    // Sunmi shows it as succeeded: the record stays, and proves no more.
    ledger.settle(&open.key, &answer(&failed, TradeState::Succeeded)).await.unwrap();
    assert_eq!(spent(&ledger, "till").await, 100);
    beyond(ask(&ledger, &bounded("R2", "till", 100)).await);
}

async fn a_number_that_is_claimed_anew_counts_for_who_claims_it(bench: &Bench) {
    let ledger = bench.ledger().await;
    bring(&ledger, &bounded("R1", "one", 100), State::NotApplied).await;
    beyond(ask(&ledger, &bounded("R1", "other", 99)).await);
    let row_then = row(&ledger, &refund("R1")).await;
    assert_eq!((row_then.state, row_then.epoch), (State::NotApplied, 1));
    assert_eq!(row_then.caller.as_deref(), Some("one"));
    assert_eq!(claim(&ledger, &bounded("R1", "other", 100)).await, 2);
    assert_eq!((spent(&ledger, "one").await, spent(&ledger, "other").await), (0, 100));
    beyond(ask(&ledger, &bounded("R2", "other", 100)).await);
    fresh(ask(&ledger, &bounded("R2", "one", 100)).await);
}

async fn what_others_refund_does_not_count_and_all_of_its_own_does(bench: &Bench) {
    let ledger = bench.ledger().await;
    claim(&ledger, &refund("anonymous")).await;
    claim(&ledger, &by("another", "Till")).await;
    assert_eq!(spent(&ledger, "till").await, 0);
    // Before there was a bound, and under another app_id.
    claim(&ledger, &by("R1", "till")).await;
    let app_id = crate::bench::id("other");
    claim(&ledger, &Refund { app_id, ..by("R2", "till") }).await;
    assert_eq!(beyond(ask(&ledger, &bounded("R3", "till", 299)).await).amount, 200);
    fresh(ask(&ledger, &bounded("R3", "till", 300)).await);
}

async fn what_is_known_is_told_whatever_is_spent(bench: &Bench) {
    let ledger = bench.ledger().await;
    for state in [State::Claimed, State::InDoubt, State::Processing, State::Settled] {
        let asked = Refund { amount: 100, ..by(state.name(), "till") };
        bring(&ledger, &asked, state).await;
        let repeat = Refund { day_bound: Some(1), ..asked };
        let claim = ask(&ledger, &repeat).await;
        assert!(matches!(&claim, Claim::Known(row) if row.state == state), "{claim:?}");
        let other = Refund { amount: 101, ..repeat };
        assert!(matches!(ask(&ledger, &other).await, Claim::Differs(_)));
    }
    let second = Refund { original: by("in_doubt", "till").original, ..bounded("R2", "till", 1) };
    assert!(matches!(ask(&ledger, &second).await, Claim::InFlight(_)));
}

async fn a_day_ends_at_midnight_in_china_to_the_millisecond(bench: &Bench) {
    let ledger = bench.ledger().await;
    wait_until(bench, MIDNIGHT - 1);
    let last = fresh(ask(&ledger, &bounded("R1", "till", 100)).await);
    let refused = beyond(ask(&ledger, &bounded("R2", "till", 100)).await);
    assert_eq!(refused.until, MIDNIGHT);
    wait_until(bench, MIDNIGHT);
    assert_eq!(spent(&ledger, "till").await, 0);
    // Its outcome is known on the next day, and it is still the last one's.
    move_on(&ledger, &refund("R1"), last.epoch, State::Settled).await;
    assert_eq!(row(&ledger, &refund("R1")).await.changed_at, MIDNIGHT);
    assert_eq!(ledger.spent_today("till").await.unwrap().amount, 0);
    fresh(ask(&ledger, &bounded("R2", "till", 100)).await);
    let refused = beyond(ask(&ledger, &bounded("R3", "till", 100)).await);
    assert_eq!(refused, Spent { amount: 100, until: MIDNIGHT + DAY });
}

async fn a_clock_that_is_set_back_wins_no_second_bound(bench: &Bench) {
    let ledger = bench.ledger().await;
    wait_until(bench, MIDNIGHT);
    fresh(ask(&ledger, &bounded("R1", "till", 100)).await);
    bench.step_back(Duration::from_millis(1));
    let refused = beyond(ask(&ledger, &bounded("R2", "till", 100)).await);
    assert_eq!(refused, Spent { amount: 100, until: MIDNIGHT });
    bench.pass(Duration::from_millis(1));
    beyond(ask(&ledger, &bounded("R2", "till", 100)).await);
    // Emptied at the end of the shortest retention that there is, it is no longer of this day.
    move_on(&ledger, &refund("R1"), 1, State::Settled).await;
    let retention = Duration::from_millis(u64::try_from(DAY).unwrap());
    wait_until(bench, MIDNIGHT + DAY - 1);
    assert_eq!(ledger.purge(retention).await.unwrap(), 0);
    beyond(ask(&ledger, &bounded("R2", "till", 100)).await);
    wait_until(bench, MIDNIGHT + DAY);
    assert_eq!(ledger.purge(retention).await.unwrap(), 1);
    fresh(ask(&ledger, &bounded("R2", "till", 100)).await);
}

async fn sums_that_no_amount_can_be_are_told_exactly(bench: &Bench) {
    let ledger = bench.ledger().await;
    let all = |number: &str| Refund { amount: i64::MAX, ..bounded(number, "till", i64::MAX) };
    fresh(ask(&ledger, &all("R1")).await);
    assert_eq!(beyond(ask(&ledger, &all("R2")).await).amount, i128::from(i64::MAX));
    let least = Refund { amount: 1, ..all("R3") };
    assert_eq!(beyond(ask(&ledger, &least).await).left_of(i64::MAX), 0);
    for number in ["R4", "R5"] {
        claim(&ledger, &Refund { day_bound: None, ..all(number) }).await;
    }
    assert_eq!(spent(&ledger, "till").await, i128::from(i64::MAX) * 3);
    assert_eq!(beyond(ask(&ledger, &least).await).amount, i128::from(i64::MAX) * 3);
}
