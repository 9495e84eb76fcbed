//! The clocks that are more than a measure of waiting: the time of day, and the time since
//! the machine was started. Each is read here alone. Waits are measured on Tokio's monotonic
//! clock.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustix::time::{ClockId, clock_gettime};

/// The time of day, as the machine has it.
#[allow(clippy::disallowed_methods, reason = "this is the one place")]
pub fn now() -> SystemTime {
    SystemTime::now()
}

/// What tells the time while the machine sleeps, too. Darwin's monotonic clock does, Linux's
/// does not.
#[cfg(target_os = "linux")]
const COUNTS_SLEEP: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const COUNTS_SLEEP: ClockId = ClockId::Monotonic;

/// A point in time by a clock that counts while the machine sleeps. Two are only to be
/// compared if the same [`BootClock`] told them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BootTime(Duration);

impl BootTime {
    /// So much later. Beyond what can be told, the last time that can.
    #[must_use]
    pub fn after(self, later: Duration) -> Self {
        Self(self.0.saturating_add(later))
    }

    /// How much later this is than `earlier`; zero if it is not later.
    pub fn saturating_since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// A clock that never goes back, is never set, and counts while the machine sleeps: a process
/// that wakes from a suspended machine reads from it that its time is over. The default is
/// the machine's (`CLOCK_BOOTTIME` on Linux). Clones are the same clock.
#[derive(Clone, Default)]
pub struct BootClock(Option<Arc<dyn Fn() -> Duration + Send + Sync>>);

impl BootClock {
    /// A clock that tells what this gives, as the time since any one point.
    pub fn given(now: Arc<dyn Fn() -> Duration + Send + Sync>) -> Self {
        Self(Some(now))
    }

    /// The time.
    pub fn now(&self) -> BootTime {
        BootTime(match &self.0 {
            Some(now) => now(),
            None => {
                let now = clock_gettime(COUNTS_SLEEP);
                // Neither is ever negative, for a time since the start.
                let whole = u64::try_from(now.tv_sec).unwrap_or_default();
                let nanos = u32::try_from(now.tv_nsec).unwrap_or_default();
                Duration::new(whole, nanos)
            }
        })
    }
}

impl fmt::Debug for BootClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.0.is_some() { "given" } else { "the machine's" };
        f.debug_tuple("BootClock").field(&kind).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel's own word, in the same breath.
    #[cfg(target_os = "linux")]
    #[test]
    fn the_machines_clock_tells_the_time_since_it_was_started_sleep_included() {
        let clock = BootClock::default();
        let before = clock.now().0;
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let after = clock.now().0;
        // It is given in hundredths of a second, cut.
        assert!(before.as_secs_f64() - 0.02 <= uptime && uptime <= after.as_secs_f64() + 0.02);
    }

    #[test]
    fn times_are_told_and_compared_without_overflow() {
        let clock = BootClock::given(Arc::new(|| Duration::from_secs(5)));
        let (now, later) = (clock.now(), clock.now().after(Duration::from_secs(2)));
        assert!(later > now);
        assert_eq!(later.saturating_since(now), Duration::from_secs(2));
        assert_eq!(now.saturating_since(later), Duration::ZERO);
        assert_eq!(now.after(Duration::MAX), later.after(Duration::MAX));
    }
}
