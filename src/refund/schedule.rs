//! When the resolver looks for a refund again, and when its caller should ask: pure decisions.

use std::time::Duration;

/// What is known of a refund whose outcome is open.
#[derive(Clone, Copy, Debug)]
pub(super) struct Open {
    /// How often it was looked for.
    pub(super) looks: i64,
    /// What it waits for.
    pub(super) waits: Waits,
}

/// What an open refund waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// For looks that bear out what Sunmi answered.
    BorneOut,
    /// For the end of its window, so far away.
    Window(Duration),
    /// For a person: its window has been over for so long.
    Person(Duration),
    /// For Sunmi to finish it.
    Sunmi,
}

/// No refund waits longer than this.
pub(super) const LONGEST: Duration = HOUR;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// For so long after its window a refund in doubt is still looked for by minutes.
const PATIENCE: Duration = Duration::from_secs(600);

/// How long to wait after a look.
///
/// | waits for | wait |
/// |---|---|
/// | looks that bear an answer out | the lag, and a little |
/// | the end of its window | 2 s, doubling up to 5 min, and no later than a little after its end |
/// | a person, its window over for less than 10 min | 1 min |
/// | a person | 1 h |
/// | Sunmi to finish it | 30 s, doubling up to 1 h |
pub(super) fn wait(open: Open, lag: Duration) -> Duration {
    let doubled = |first: Duration, last: Duration| {
        let doublings = u32::try_from(open.looks.max(0)).unwrap_or(u32::MAX).min(16);
        first.saturating_mul(1 << doublings).min(last)
    };
    let little = Duration::from_secs(1);
    match open.waits {
        Waits::BorneOut => (lag + little).min(LONGEST),
        Waits::Window(left) => doubled(2 * little, 5 * MINUTE).min(left + little),
        Waits::Person(since) if since < PATIENCE => MINUTE,
        Waits::Person(_) => HOUR,
        Waits::Sunmi => doubled(30 * little, HOUR),
    }
}

/// How long a caller is asked to wait before it repeats a refund in doubt that is so old: a quarter
/// of its age, in whole seconds, from a second to a minute. So what is found out soon is told soon,
/// and what takes an hour is asked for some eighty times, not thousands of times.
pub(super) fn repeat(age: Duration) -> Duration {
    Duration::from_secs(age.as_secs() / 4).clamp(Duration::from_secs(1), MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callers_are_asked_to_wait_for_a_quarter_of_its_age_from_a_second_to_a_minute() {
        let table = [(0, 1), (7, 1), (8, 2), (60, 15), (239, 59), (240, 60), (u64::MAX, 60)];
        for (age, wait) in table {
            assert_eq!(repeat(Duration::from_secs(age)), Duration::from_secs(wait), "{age}");
        }
    }

    #[test]
    fn looks_come_by_seconds_then_by_minutes_then_by_hours() {
        let s = Duration::from_secs;
        let table = [
            (0, Waits::BorneOut, 6),
            (9, Waits::BorneOut, 6),
            (0, Waits::Window(s(3600)), 2),
            (1, Waits::Window(s(3600)), 4),
            (7, Waits::Window(s(3600)), 256),
            (8, Waits::Window(s(3600)), 300),
            (i64::MAX, Waits::Window(s(3600)), 300),
            (8, Waits::Window(s(10)), 11),
            (0, Waits::Window(s(0)), 1),
            (3, Waits::Person(s(0)), 60),
            (3, Waits::Person(s(599)), 60),
            (3, Waits::Person(s(600)), 3600),
            (0, Waits::Sunmi, 30),
            (2, Waits::Sunmi, 120),
            (30, Waits::Sunmi, 3600),
            (-1, Waits::Sunmi, 30),
        ];
        for (looks, waits, expected) in table {
            let waited = wait(Open { looks, waits }, s(5));
            assert_eq!(waited, s(expected), "{looks} {waits:?}");
            assert!(waited <= LONGEST);
        }
    }
}
