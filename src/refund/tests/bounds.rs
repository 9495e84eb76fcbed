use super::bench::{Bench, E19, refund};
use crate::error::{DayBound, Fault, RefundOutcome};
use crate::ledger::{Key, Looked, State};
use crate::refund::Begun;
use crate::trade::Refund;

/// By a caller that may refund 10 a day.
fn bounded(number: &str) -> Refund {
    Refund { caller: Some("till".into()), day_bound: Some(10), ..refund(number, 10) }
}

/// A bench on whose ledger another process has recorded R1 just now.
async fn with_r1() -> Bench {
    let bench = Bench::new(|_, _| Some(E19.to_owned())).await;
    let found = Looked::default();
    assert!(bench.ledger.record_found(&bounded("R1"), &found, "a test").await.unwrap());
    bench
}

#[tokio::test]
async fn a_refund_that_another_process_claimed_meanwhile_is_known_and_not_beyond_the_bound() {
    let bench = with_r1().await;
    let known = bench.refunds.known_or_within_bound(&bounded("R1"), &Begun::default()).await;
    let row = known.unwrap().expect("its row");
    assert_eq!((row.key, row.state), (Key::of(&bounded("R1")), State::InDoubt));
}

#[tokio::test]
async fn a_refund_that_is_beyond_the_bound_says_whose_it_is_and_what_is_left() {
    let bench = with_r1().await;
    let known = bench.refunds.known_or_within_bound(&bounded("R2"), &Begun::default()).await;
    let error = known.unwrap_err();
    assert_eq!(error.fault(), Fault::CallerNotAllowed);
    assert_eq!(error.refund_outcome(), RefundOutcome::NotAttempted);
    // The bench's time is of the twelfth day of 1970.
    let resets_at = Some("1970-01-12T16:00:00Z".parse().unwrap());
    let bound = DayBound { caller: "till".to_owned(), most: 10, left: 0, resets_at };
    assert_eq!(error.context().day_bound, Some(bound));
    let why = std::error::Error::source(&error).unwrap().to_string();
    let told = "caller till has 0 of its day's 10 minor units left until 1970-01-12T16:00:00Z";
    assert_eq!(why, told);
    // Without a bound, or within it, nothing is known of it.
    for day_bound in [None, Some(20)] {
        let asked = Refund { day_bound, ..bounded("R2") };
        let known = bench.refunds.known_or_within_bound(&asked, &Begun::default()).await;
        assert!(known.unwrap().is_none());
    }
}
