use std::time::Duration;

use super::bench::{Bench, E19, payment, refund};
use crate::deadline::Deadline;
use crate::error::{Fault, RefundOutcome};
use crate::refund::Begun;

const REFUSED: &str = r#"{"code":"R02","msg":"x"}"#;

/// A caller that was told that no money moved may rely on it: only whoever asks after that repeats.
#[tokio::test]
async fn a_call_that_began_before_another_was_told_that_it_was_not_applied_is_told_so_too() {
    let bench = Bench::new(|path, form| {
        Some(match (path, form.get("misId").map(String::as_str)) {
            (path, _) if path.contains("refund") => REFUSED.to_owned(),
            (_, Some("0001")) => payment("P1", 0),
            _ => E19.to_owned(),
        })
    })
    .await;
    let asked = refund("R1", 10);
    // It waits for something, say for another refund of its payment.
    let older = Begun::default();
    older.found(&[]);
    let refused = bench.refund(&asked).await.unwrap_err();
    assert_eq!(refused.refund_outcome(), RefundOutcome::NotApplied);
    assert_eq!(bench.posts(), 1);

    let deadline = Deadline::after(Duration::from_millis(400));
    let told = bench.refunds.refund(asked.clone(), deadline, &older, ()).await.unwrap_err();
    assert_eq!(told.fault(), Fault::RefundNotApplied);
    assert_eq!(told.refund_outcome(), RefundOutcome::NotApplied);
    assert_eq!(bench.posts(), 1);

    // One that begins now repeats it.
    bench.refund(&asked).await.unwrap_err();
    assert_eq!(bench.posts(), 2);
}
