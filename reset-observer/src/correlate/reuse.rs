//! How often a race is to be expected, from the clean closes that a server makes.
//!
//! Nothing looks at requests. What is seen of the traffic is the rate `c` at which the server closes idle connections, and
//! how old each was then. If requests come to a pooled connection at random with the rate `r` (a Poisson process), it
//! lives until the first gap that is as long as the timeout `T`, which takes `(exp(r T) - 1) / r` on average; so the mean
//! age tells `r`. Of the idle times that reach `T`, the share `r w` would have met a request within the next `w`: the
//! round trip, in which the close and a request cross, and the time that a worker takes to notice the close. So `c r w`
//! races are to be expected. Real traffic comes in bursts, and nginx prefers the connection used last, so this is an
//! order of magnitude and no more.

use std::{collections::VecDeque, time::Duration};

use crate::record::KernelTime;

/// Closes kept of a server, the newest.
const KEPT: usize = 64;

/// Fewer closes than this say too little.
const ENOUGH: usize = 5;

/// So do closes of a shorter time.
const SHORTEST: Duration = Duration::from_secs(10);

/// Older ones are of another traffic.
const LONGEST: Duration = Duration::from_hours(1);

/// How long a worker takes to notice a close: in the lab up to 1.1 ms on a loaded machine.
const NOTICE: Duration = Duration::from_millis(1);

/// Beyond this many expected requests within the timeout, the timeout is hardly ever reached.
const MOST: f64 = 50.0;

/// How many races are to be expected.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExpectedRaces {
    /// Per hour, as an order of magnitude.
    pub per_hour: f64,
    /// The time in which the traffic was seen that this rests on.
    pub over: Duration,
}

/// When a server closed idle connections, and how old each was.
#[derive(Clone, Debug, Default)]
pub(super) struct Reuse {
    closes: VecDeque<(KernelTime, Duration)>,
}

impl Reuse {
    /// The server closed a connection for idleness that was opened so long before.
    pub(super) fn closed(&mut self, at: KernelTime, age: Duration) {
        if self.closes.len() == KEPT {
            self.closes.pop_front();
        }
        self.closes.push_back((at, age));
    }

    /// What is to be expected while the server closes after `timeout`; `None` where there is too little to say.
    pub(super) fn expected(
        &self,
        timeout: Duration,
        round_trip: Option<Duration>,
        now: KernelTime,
    ) -> Option<ExpectedRaces> {
        let recent: Vec<_> = self.closes.iter().filter(|(at, _)| *at >= now.before(LONGEST)).collect();
        let over = now.since(recent.iter().map(|(at, _)| *at).min()?);
        if recent.len() < ENOUGH || over < SHORTEST || timeout.is_zero() {
            return None;
        }
        let count = f64::from(u32::try_from(recent.len()).ok()?);
        let mean_age = recent.iter().map(|(_, age)| age.as_secs_f64()).sum::<f64>() / count;
        let requests_in_timeout = requests_for(mean_age / timeout.as_secs_f64());
        let window = round_trip.unwrap_or_default() + NOTICE;
        let each = requests_in_timeout * window.as_secs_f64() / timeout.as_secs_f64();
        Some(ExpectedRaces { per_hour: count / over.as_secs_f64() * each * 3600.0, over })
    }
}

/// The `x` for which `(exp(x) - 1) / x` is this ratio of mean age and timeout; 0 where connections are not used again.
fn requests_for(ratio: f64) -> f64 {
    let (mut low, mut high) = (0.0, MOST);
    // Halving 50 requests so often leaves less than a billionth.
    for _ in 0..40 {
        let middle: f64 = f64::midpoint(low, high);
        if middle.exp_m1() / middle < ratio {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests;
