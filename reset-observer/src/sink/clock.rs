//! Kernel time to wall-clock time.

use jiff::Timestamp;
use rustix::time::{ClockId, Timespec, clock_gettime};

use crate::record::KernelTime;

const NANOS_PER_SECOND: i64 = 1_000_000_000;

/// How a time ends.
const MICROSECONDS: [u8; 7] = *b"000000Z";

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

/// Writes instants one after the other. Most are within the second of the one before, whose text is kept.
#[derive(Debug)]
pub(crate) struct Stamp {
    clock: WallClock,
    second: i64,
    /// Date and time to the second of day, and the point after it; empty before the first.
    text: String,
}

impl Stamp {
    pub(crate) const fn new(clock: WallClock) -> Self {
        Self { clock, second: 0, text: String::new() }
    }

    /// Appends what [`WallClock::rfc3339`] says.
    pub(crate) fn write(&mut self, at: KernelTime, out: &mut Vec<u8>) {
        let Some(nanos) = self.clock.ahead_ns.checked_add_unsigned(at.0) else {
            return out.extend_from_slice(self.clock.rfc3339(at).as_bytes());
        };
        let second = nanos.div_euclid(NANOS_PER_SECOND);
        if second != self.second || self.text.is_empty() {
            self.second = second;
            self.text = self.clock.rfc3339(at);
            self.text.truncate(self.text.len() - MICROSECONDS.len());
        }
        out.extend_from_slice(self.text.as_bytes());
        let mut rest = nanos.rem_euclid(NANOS_PER_SECOND) / 1000;
        let mut microseconds = MICROSECONDS;
        for digit in microseconds[..6].iter_mut().rev() {
            *digit += u8::try_from(rest % 10).unwrap_or_default();
            rest /= 10;
        }
        out.extend_from_slice(&microseconds);
    }
}

fn nanos(time: Timespec) -> i64 {
    time.tv_sec.saturating_mul(NANOS_PER_SECOND).saturating_add(time.tv_nsec)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn kernel_time_becomes_the_time_on_the_wall_with_microseconds() {
        let clock = WallClock::fixed(1_795_355_100_000_000_000);
        assert_eq!(clock.rfc3339(KernelTime(3_432_611_999)), "2026-11-22T13:45:03.432611Z");
        assert_eq!(clock.rfc3339(KernelTime(0)), "2026-11-22T13:45:00.000000Z");
        assert_eq!(clock.time_of_day(KernelTime(3_432_611_999)), "13:45:03");
    }

    proptest! {
        #[test]
        fn a_stamp_tells_each_instant_as_the_clock_does(
            ahead in prop_oneof![any::<i64>(), -3_000_000_000..3_000_000_000_i64],
            times in prop::collection::vec(prop_oneof![any::<u64>(), 0..4_000_000_000_u64], 1..8),
        ) {
            let clock = WallClock::fixed(ahead);
            let mut stamp = Stamp::new(clock);
            for at in times.into_iter().map(KernelTime) {
                let mut written = Vec::new();
                stamp.write(at, &mut written);
                prop_assert_eq!(String::from_utf8(written).unwrap(), clock.rfc3339(at));
            }
        }
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
