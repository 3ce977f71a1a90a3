//! Times as directives have them.

use std::time::Duration;

use crate::nginx::config::defaults::SHORTEST_TIMER;

/// How much sooner than the other side nginx should close: a fifth, which leaves room for a slow wake-up.
const MARGIN: f64 = 0.8;

/// A time as nginx reads it: milliseconds below ten seconds, else seconds.
pub(super) fn directive(time: Duration) -> String {
    let ms = time.as_millis();
    if ms < 10_000 && !ms.is_multiple_of(1000) { format!("{ms}ms") } else { format!("{}s", time.as_secs()) }
}

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
    fn times_are_written_as_nginx_reads_them() {
        assert_eq!(directive(Duration::from_millis(800)), "800ms");
        assert_eq!(directive(Duration::from_secs(4)), "4s");
        assert_eq!(directive(Duration::from_millis(280_300)), "280s");
    }

    #[test]
    fn what_is_advised_is_round_and_leaves_a_fifth() {
        let advised = |ms| well_below(Duration::from_millis(ms), Duration::MAX).map(directive);
        assert_eq!(advised(5001).as_deref(), Some("4s"));
        assert_eq!(advised(1103).as_deref(), Some("880ms"));
        assert_eq!(advised(350_000).as_deref(), Some("280s"));
        assert_eq!(advised(2).as_deref(), Some("1ms"));
        assert_eq!(advised(1), None);
        assert_eq!(well_below(Duration::from_secs(1), Duration::from_millis(555)), Some(Duration::from_millis(550)));
    }
}
