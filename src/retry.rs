//! Whether and when to try again: a pure decision, with no clock, no randomness and no I/O
//! of its own.

use std::time::Duration;

/// How often and how patiently.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Attempts in all, the first one included; at least 1.
    pub max_attempts: u32,
    /// The longest wait after the first attempt; it doubles with each one.
    pub base: Duration,
    /// The longest wait after any attempt.
    pub cap: Duration,
}

/// An attempt that failed in a way that allows another.
#[derive(Clone, Debug)]
pub struct Failed {
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// What is left of the deadline.
    pub left: Duration,
    /// How long the other side asked to be left alone.
    pub retry_after: Option<Duration>,
    /// A number from 0 to 1, drawn by the caller: full jitter, so that callers who failed
    /// together do not come back together.
    pub jitter: f64,
}

/// How long to wait before the next attempt, or `None` to stop.
pub fn decide(policy: &Policy, failed: &Failed) -> Option<Duration> {
    if failed.attempt >= policy.max_attempts {
        return None;
    }
    let wait = policy.backoff(failed.attempt).mul_f64(failed.jitter.clamp(0.0, 1.0));
    let wait = wait.max(failed.retry_after.unwrap_or_default());
    (wait < failed.left).then_some(wait)
}

impl Policy {
    /// The longest wait after this attempt.
    pub fn backoff(&self, attempt: u32) -> Duration {
        let doubled = 1u32.checked_shl(attempt.saturating_sub(1)).unwrap_or(u32::MAX);
        self.base.saturating_mul(doubled).min(self.cap)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn policies() -> impl Strategy<Value = Policy> {
        (1u32..10, 0u64..2_000, 0u64..5_000).prop_map(|(max_attempts, base, cap)| Policy {
            max_attempts,
            base: Duration::from_millis(base),
            cap: Duration::from_millis(cap),
        })
    }

    fn failures() -> impl Strategy<Value = Failed> {
        (1u32..100, 0u64..60_000, proptest::option::of(0u64..100_000), 0.0..=1.0f64).prop_map(
            |(attempt, left, retry_after, jitter)| Failed {
                attempt,
                left: Duration::from_millis(left),
                retry_after: retry_after.map(Duration::from_millis),
                jitter,
            },
        )
    }

    proptest! {
        #[test]
        fn no_wait_outlasts_the_deadline(policy in policies(), failed in failures()) {
            if let Some(wait) = decide(&policy, &failed) {
                prop_assert!(wait < failed.left);
            }
        }

        #[test]
        fn there_are_never_more_attempts_than_allowed(policy in policies(), failed in failures()) {
            if failed.attempt >= policy.max_attempts {
                prop_assert_eq!(decide(&policy, &failed), None);
            }
        }

        #[test]
        fn retry_after_is_obeyed(policy in policies(), failed in failures()) {
            if let (Some(wait), Some(asked)) = (decide(&policy, &failed), failed.retry_after) {
                prop_assert!(wait >= asked);
            }
        }

        #[test]
        fn without_retry_after_no_wait_exceeds_the_cap(policy in policies(), failed in failures()) {
            let failed = Failed { retry_after: None, ..failed };
            if let Some(wait) = decide(&policy, &failed) {
                prop_assert!(wait <= policy.cap);
            }
        }

        #[test]
        fn there_is_another_attempt_while_attempts_and_time_are_left(policy in policies()) {
            let failed =
                Failed { attempt: 1, left: Duration::MAX, retry_after: None, jitter: 1.0 };
            prop_assert_eq!(decide(&policy, &failed).is_some(), policy.max_attempts > 1);
        }
    }

    #[test]
    fn waits_double_from_the_base_up_to_the_cap() {
        let policy = Policy {
            max_attempts: 99,
            base: Duration::from_millis(50),
            cap: Duration::from_secs(1),
        };
        let waits: Vec<_> = (1..8).map(|attempt| policy.backoff(attempt).as_millis()).collect();
        assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        assert_eq!(policy.backoff(u32::MAX), policy.cap);
    }
}
