//! Closes of one instant, which are one sample.

use std::time::Duration;

use super::{super::nanoseconds, CLOSE, Grade, SCATTER, Sample};
use crate::record::KernelTime;

/// Closes this close to each other are of one instant: one process closes its sockets within microseconds, and jitter
/// of the network adds milliseconds.
pub(super) const TOGETHER: Duration = Duration::from_millis(50);

/// An instant of closes lasts no longer, so that a busy server's endless closes make many samples.
const LONGEST_INSTANT: Duration = Duration::from_secs(1);

/// Closes of one instant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Instant {
    pub(super) first: KernelTime,
    pub(super) last: KernelTime,
    pub(super) shortest: Duration,
    pub(super) longest: Duration,
    pub(super) grade: Grade,
    pub(super) spoiled: bool,
}

impl Instant {
    pub(super) fn holds(&self, at: KernelTime) -> bool {
        let near = at >= self.first.before(TOGETHER) && at <= self.last.after(TOGETHER);
        near && at.since(self.first) <= LONGEST_INSTANT
    }

    pub(super) fn join(&mut self, idle: Duration, grade: Grade, at: KernelTime) {
        self.first = self.first.min(at);
        self.last = self.last.max(at);
        self.shortest = self.shortest.min(idle);
        self.longest = self.longest.max(idle);
        self.spoiled |= self.grade != grade || self.longest > scattered_up_to(self.shortest);
    }

    pub(super) fn sample(&self) -> Option<Sample> {
        (!self.spoiled).then(|| (nanoseconds(self.shortest), self.grade))
    }
}

fn scattered_up_to(shortest: Duration) -> Duration {
    shortest.saturating_add(
        Duration::try_from_secs_f64(shortest.as_secs_f64() * SCATTER).unwrap_or(Duration::MAX).max(CLOSE),
    )
}
