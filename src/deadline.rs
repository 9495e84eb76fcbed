//! Deadlines: a point in time, fixed where a call comes in and passed down. Everything
//! below asks it what is left, never for a fresh duration.

use std::future::Future;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::time::Instant;

/// When a call must have its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

impl Deadline {
    /// So long from now.
    pub fn after(left: Duration) -> Self {
        Self(Instant::now() + left)
    }

    /// At this time.
    pub fn at(time: Instant) -> Self {
        Self(time)
    }

    /// The one that is so much earlier.
    #[must_use]
    pub fn earlier(self, by: Duration) -> Self {
        Self(self.0.checked_sub(by).unwrap_or(self.0))
    }

    /// What is left; zero once it is over.
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// What the work comes to, or `None` if the deadline is over first. Not an async function: its
    /// future would have room for the work twice, in each of those that stand in one another.
    pub fn bound<F: Future>(self, work: F) -> impl Future<Output = Option<F::Output>> {
        tokio::time::timeout_at(self.0, work).map(Result::ok)
    }
}

/// How long callers may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// For a caller that sets no deadline.
    pub default: Duration,
    /// However much a caller asks for.
    pub max: Duration,
    /// Kept back of the caller's time, so that our answer arrives before its clock runs
    /// out.
    pub reserve: Duration,
}

impl Limits {
    /// How long this server may work on a call whose caller gave it `asked`.
    pub fn grant(&self, asked: Option<Duration>) -> Duration {
        match asked {
            Some(asked) => asked.saturating_sub(self.reserve).min(self.max),
            None => self.default,
        }
    }
}

/// A `grpc-timeout` that is not of the form that the protocol gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 8 digits and a unit out of H, M, S, m, u, n")]
pub struct MalformedTimeout;

/// Reads the value of a `grpc-timeout` header: 1 to 8 digits and a unit (gRPC over HTTP/2,
/// "Timeout").
pub fn parse_grpc_timeout(text: &str) -> Result<Duration, MalformedTimeout> {
    let (digits, unit) =
        text.split_at_checked(text.len().saturating_sub(1)).ok_or(MalformedTimeout)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(MalformedTimeout);
    }
    let count: u64 = digits.parse().map_err(|_| MalformedTimeout)?;
    match unit {
        "H" => Ok(Duration::from_secs(count * 3600)),
        "M" => Ok(Duration::from_secs(count * 60)),
        "S" => Ok(Duration::from_secs(count)),
        "m" => Ok(Duration::from_millis(count)),
        "u" => Ok(Duration::from_micros(count)),
        "n" => Ok(Duration::from_nanos(count)),
        _ => Err(MalformedTimeout),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn grpc_timeouts_are_read_as_the_protocol_writes_them() {
        let table = [
            ("1H", Some(Duration::from_secs(3600))),
            ("2M", Some(Duration::from_secs(120))),
            ("3S", Some(Duration::from_secs(3))),
            ("4m", Some(Duration::from_millis(4))),
            ("5u", Some(Duration::from_micros(5))),
            ("6n", Some(Duration::from_nanos(6))),
            ("0S", Some(Duration::ZERO)),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("", None),
            ("S", None),
            ("1", None),
            ("1s", None),
            ("1 S", None),
            ("-1S", None),
            ("+1S", None),
            ("1.5S", None),
            ("123456789S", None),
            ("1秒", None),
        ];
        for (text, expected) in table {
            assert_eq!(parse_grpc_timeout(text).ok(), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_digits_and_a_unit_or_refused(text in ".*|[0-9]{0,10}[A-Za-z]?") {
            let digits = text.strip_suffix(['H', 'M', 'S', 'm', 'u', 'n']).unwrap_or_default();
            let fits = (1..=8).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
            prop_assert_eq!(parse_grpc_timeout(&text).is_ok(), fits);
        }

        #[test]
        fn a_timeout_is_so_many_of_its_unit(
            count in 0u64..100_000_000,
            width in 1usize..=8,
            (unit, nanoseconds) in proptest::sample::select(vec![
                ('H', 3_600_000_000_000),
                ('M', 60_000_000_000),
                ('S', 1_000_000_000),
                ('m', 1_000_000),
                ('u', 1_000),
                ('n', 1u128),
            ]),
        ) {
            let read = parse_grpc_timeout(&format!("{count:0width$}{unit}")).unwrap();
            prop_assert_eq!(read.as_nanos(), u128::from(count) * nanoseconds);
        }

        #[test]
        fn a_grant_is_never_more_than_the_caller_gave_less_the_reserve(
            asked in 0u64..100_000,
            max in 1u64..100_000,
            reserve in 0u64..10_000,
        ) {
            let [asked, max, reserve] = [asked, max, reserve].map(Duration::from_millis);
            let limits = Limits { default: Duration::from_secs(10), max, reserve };
            let granted = limits.grant(Some(asked));
            prop_assert!(granted <= max);
            prop_assert!(granted.is_zero() || granted + reserve <= asked);
            prop_assert!(granted == max || granted == asked.saturating_sub(reserve));
        }
    }
}
