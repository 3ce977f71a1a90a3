//! Kernel time to wall-clock time.

use jiff::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::record::KernelTime;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// How far CLOCK_REALTIME is ahead of CLOCK_MONOTONIC. It is read once, so that the distances between the times of
/// one run stay true when somebody sets the clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WallClock {
    ahead_ns: i64,
}

impl WallClock {
    /// Reads both clocks, good to some microseconds.
    #[must_use]
    pub fn read() -> Self {
        let before = nanos(clock_gettime(ClockId::Monotonic));
        let real = nanos(clock_gettime(ClockId::Realtime));
        let after = nanos(clock_gettime(ClockId::Monotonic));
        Self::fixed(real - (before + (after - before) / 2))
    }

    /// A clock with a known offset in nanoseconds, for recordings and tests.
    #[must_use]
    pub const fn fixed(ahead_ns: i64) -> Self {
        Self { ahead_ns }
    }

    /// The offset in nanoseconds, to keep with a recording.
    #[must_use]
    pub const fn ahead_ns(self) -> i64 {
        self.ahead_ns
    }

    /// The wall-clock time of an instant; the epoch if it has none (year 9999 and later).
    #[must_use]
    pub fn timestamp(self, at: KernelTime) -> Timestamp {
        Timestamp::from_nanosecond(i128::from(at.0) + i128::from(self.ahead_ns)).unwrap_or(Timestamp::UNIX_EPOCH)
    }

    /// The wall-clock time of an instant as RFC 3339 in UTC, with microseconds.
    #[must_use]
    pub fn rfc3339(self, at: KernelTime) -> String {
        format!("{:.6}", self.timestamp(at))
    }

    /// The time of day of an instant in UTC, to the second: `13:45:03`.
    #[must_use]
    pub fn time_of_day(self, at: KernelTime) -> String {
        self.timestamp(at).strftime("%H:%M:%S").to_string()
    }
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NANOS_PER_SECOND).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernel_time_becomes_the_time_on_the_wall_with_microseconds() {
        let clock = WallClock::fixed(1_795_355_100_000_000_000);
        assert_eq!(clock.rfc3339(KernelTime(3_432_611_999)), "2026-11-22T13:45:03.432611Z");
        assert_eq!(clock.rfc3339(KernelTime(0)), "2026-11-22T13:45:00.000000Z");
        assert_eq!(clock.time_of_day(KernelTime(3_432_611_999)), "13:45:03");
    }

    #[test]
    fn the_clock_that_was_read_tells_the_time_of_now() {
        let now = KernelTime(u64::try_from(nanos(clock_gettime(ClockId::Monotonic))).unwrap());
        let seen = WallClock::read().timestamp(now);
        assert!((Timestamp::now().as_second() - seen.as_second()).abs() <= 1);
    }

    #[test]
    fn an_instant_beyond_the_calendar_does_not_panic() {
        assert_eq!(WallClock::fixed(i64::MAX).timestamp(KernelTime(u64::MAX)).as_second(), 27_670_116_110);
    }
}
