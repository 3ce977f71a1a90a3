//! How long a jiffy is. The kernel does not say: `CONFIG_HZ` is in no interface that every host has. But each record
//! carries the count of jiffies beside the monotonic clock, and both started at boot.

use std::time::Duration;

use crate::record::KernelTime;

/// The values of `CONFIG_HZ` that kernels are built with ([source], and the other architectures' own).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/kernel/Kconfig.hz
const KNOWN_HZ: [u64; 10] = [24, 48, 100, 128, 200, 250, 256, 300, 1000, 1024];

/// Counting starts 300 s before the low 32 bits wrap ([source]), so that bugs with the wrap show early.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/linux/jiffies.h#L262
const WRAP_S: f64 = 300.0;

/// Closer to the wrap than this, the count says too little about its own rate.
const MIN_DISTANCE_S: f64 = 30.0;

/// The rates lie at least 2.4 % apart; 250 and 256 the closest.
const TOLERANCE: f64 = 0.01;

/// Two records at least this far apart tell the rate by themselves.
const MIN_SPAN: Duration = Duration::from_secs(2);

/// Learns the length of a jiffy from records.
#[derive(Clone, Copy, Debug, Default)]
pub struct JiffyClock {
    hz: Option<u64>,
    first: Option<(u64, KernelTime)>,
}

impl JiffyClock {
    /// A clock of a known rate, for tests and for recordings that carry it.
    #[must_use]
    pub const fn with_hz(hz: u64) -> Self {
        Self { hz: Some(hz), first: None }
    }

    /// Takes one reading of `bpf_jiffies64` and the monotonic clock at the same instant.
    pub fn learn(&mut self, jiffies: u64, at: KernelTime) {
        if self.hz.is_some() {
            return;
        }
        let (first_jiffies, first_at) = *self.first.get_or_insert((jiffies, at));
        self.hz = from_boot(jiffies, at);
        if self.hz.is_none() && at.since(first_at) >= MIN_SPAN {
            self.hz = known(seconds_ratio(jiffies.saturating_sub(first_jiffies), at.since(first_at).as_secs_f64()));
        }
    }

    /// How long `jiffies` are, at most 584 years over the rate; `None` as long as the rate is not known.
    #[must_use]
    pub fn duration(&self, jiffies: u64) -> Option<Duration> {
        self.hz.map(|hz| Duration::from_nanos(jiffies.saturating_mul(1_000_000_000) / hz))
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate within one percent is all that is asked for")]
fn from_boot(jiffies: u64, at: KernelTime) -> Option<u64> {
    let beyond_wrap = at.0 as f64 / 1e9 - WRAP_S;
    let counted = jiffies as f64 - (1_u64 << 32) as f64;
    (beyond_wrap.abs() >= MIN_DISTANCE_S).then(|| counted / beyond_wrap).and_then(known)
}

#[expect(clippy::cast_precision_loss, reason = "a rate within one percent is all that is asked for")]
fn seconds_ratio(jiffies: u64, seconds: f64) -> f64 {
    jiffies as f64 / seconds
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
fn known(rate: f64) -> Option<u64> {
    KNOWN_HZ.into_iter().find(|&hz| (rate / hz as f64 - 1.0).abs() < TOLERANCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(hz: u64, uptime_s: u64) -> (u64, KernelTime) {
        ((1 << 32) - 300 * hz + uptime_s * hz, KernelTime(uptime_s * 1_000_000_000))
    }

    #[test]
    fn one_record_tells_the_rate_by_the_time_since_boot() {
        for hz in [100, 250, 300, 1000] {
            for uptime in [5, 100, 400, 90_000_000] {
                let mut clock = JiffyClock::default();
                let (jiffies, at) = reading(hz, uptime);
                clock.learn(jiffies, at);
                assert_eq!(clock.duration(hz), Some(Duration::from_secs(1)), "{hz} Hz after {uptime} s");
            }
        }
    }

    #[test]
    fn near_the_wrap_two_records_tell() {
        let mut clock = JiffyClock::default();
        let (jiffies, at) = reading(250, 299);
        clock.learn(jiffies, at);
        assert_eq!(clock.duration(1), None);
        let (jiffies, at) = reading(250, 303);
        clock.learn(jiffies, at);
        assert_eq!(clock.duration(1), Some(Duration::from_millis(4)));
    }

    #[test]
    fn a_nonsense_count_is_not_believed() {
        let mut clock = JiffyClock::default();
        clock.learn(7, KernelTime(1_000_000_000_000));
        assert_eq!(clock.duration(1), None);
    }
}
