//! When something was learned, which may have been before the clock began: the monotonic clock starts at boot.

use std::{cmp::Reverse, time::Duration};

use crate::record::KernelTime;

/// An instant, also before the last boot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Stamp {
    at: KernelTime,
    /// How long before the start of the clock; zero unless `at` is that start.
    before_boot: Duration,
}

impl Stamp {
    /// An instant of the clock.
    pub(crate) const fn at(at: KernelTime) -> Self {
        Self { at, before_boot: Duration::ZERO }
    }

    /// The instant `age` before `now`.
    pub(crate) fn of_age(age: Duration, now: KernelTime) -> Self {
        let since_boot = now.since(KernelTime(0));
        Self { at: now.before(age), before_boot: age.saturating_sub(since_boot) }
    }

    /// How long ago it was; zero if it is still to come.
    pub(crate) fn age(self, now: KernelTime) -> Duration {
        now.since(self.at) + self.before_boot
    }

    /// The clock's own reading; its start for all that was before.
    pub(crate) const fn clock(self) -> KernelTime {
        self.at
    }

    /// Sorts by time.
    pub(crate) const fn order(self) -> (KernelTime, Reverse<Duration>) {
        (self.at, Reverse(self.before_boot))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_survives_a_boot() {
        let now = KernelTime(5_000_000_000);
        for age in [0, 3, 5, 86_400].map(Duration::from_secs) {
            assert_eq!(Stamp::of_age(age, now).age(now), age);
        }
        let old = Stamp::of_age(Duration::from_secs(86_400), now);
        let older = Stamp::of_age(Duration::from_secs(86_401), now);
        assert!(older.order() < old.order() && old.order() < Stamp::at(now).order());
        assert_eq!(Stamp::at(now).age(KernelTime(1)), Duration::ZERO, "still to come");
    }
}
