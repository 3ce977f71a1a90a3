//! Times as directives have them.

use std::time::Duration;

use crate::nginx::config::defaults::SHORTEST_TIMER;

/// How much sooner than the other side nginx should close: a fifth, which leaves room for a slow wake-up.
const MARGIN: f64 = 0.8;

/// A time in seconds, rounded up.
pub(super) fn whole_seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// A time that is a fifth shorter than `other` and no longer than `safe`, rounded down to two digits; `None` if that is
/// shorter than nginx can count.
pub(super) fn well_below(other: Duration, safe: Duration) -> Option<Duration> {
    let longest = other.mul_f64(MARGIN).min(safe).as_millis();
    let mut unit = 1;
    while longest / unit >= 100 {
        unit *= 10;
    }
    let rounded = Duration::from_millis(u64::try_from(longest / unit * unit).ok()?);
    (rounded >= SHORTEST_TIMER).then_some(rounded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_advised_is_round_and_leaves_a_fifth() {
        let advised = |ms| well_below(Duration::from_millis(ms), Duration::MAX).map(|advised| advised.as_millis());
        assert_eq!([5001, 1103, 350_000, 2].map(advised), [Some(4000), Some(880), Some(280_000), Some(1)]);
        assert_eq!(advised(1), None);
        assert_eq!(well_below(Duration::from_secs(1), Duration::from_millis(555)), Some(Duration::from_millis(550)));
    }
}
