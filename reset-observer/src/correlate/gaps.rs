//! How long connections to a server had lain idle, as distributions: what a timeout looks like before it is an estimate.

use std::{sync::Arc, time::Duration};

use super::learned::Lesson;
use crate::nginx::upstream_settings::UpstreamSettings;

/// Steps in a factor of ten: each is a quarter longer than the one before.
const STEPS_OF_TEN: f64 = 10.0;

/// How many steps there are: from 10 ms to 10,000 s, which is 2.8 hours.
const STEPS: usize = 60;

/// Where the first step begins, seconds.
const FROM_S: f64 = 0.01;

/// How many idle gaps there were of which length, in steps of a logarithmic scale. What is shorter than the scale is in its
/// first step, what is longer in its last.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Gaps(Option<Box<[u32; STEPS]>>);

impl Gaps {
    /// One more of this length.
    pub fn add(&mut self, gap: Duration) {
        let counts = self.0.get_or_insert_with(|| Box::new([0; STEPS]));
        let step = step_of(gap);
        counts[step] = counts[step].saturating_add(1);
    }

    /// How many there are.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.steps().map(|(_, _, count)| u64::from(count)).sum()
    }

    /// The steps that hold any: where each begins and ends, and how many it holds. From short to long.
    pub fn steps(&self) -> impl Iterator<Item = (Duration, Duration, u32)> + '_ {
        let counts = self.0.iter().flat_map(|counts| counts.iter().copied().enumerate());
        counts.filter(|(_, count)| *count > 0).map(|(step, count)| (begin(step), begin(step + 1), count))
    }
}

fn step_of(gap: Duration) -> usize {
    let steps = ((gap.as_secs_f64() / FROM_S).log10() * STEPS_OF_TEN).floor();
    // A gap on the very border of two steps may be off by one rounding of the logarithm.
    (0..STEPS).rev().find(|step| *step as f64 <= steps).unwrap_or(0)
}

fn begin(step: usize) -> Duration {
    Duration::from_secs_f64(FROM_S * 10_f64.powf(step as f64 / STEPS_OF_TEN))
}

/// How long connections to one server had lain idle in this session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IdleGaps {
    /// When the server closed them.
    pub closed: Gaps,
    /// What nginx was told for the server, as of the newest verdict, where that is known.
    pub settings: Option<Arc<UpstreamSettings>>,
    /// When it took a request. Seldom known: the socket keeps the time before a request only until the response.
    pub served: Gaps,
}

impl IdleGaps {
    /// Takes what the end of a connection shows.
    pub(super) fn take(&mut self, lesson: &Lesson) {
        if let Some(idle) = lesson.idle_at_close() {
            self.closed.add(idle);
        }
        if let Some(gap) = lesson.served_after() {
            self.served.add(gap);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(gaps: &[f64]) -> Vec<(f64, f64, u32)> {
        let mut all = Gaps::default();
        gaps.iter().for_each(|gap| all.add(Duration::from_secs_f64(*gap)));
        let seconds = |time: Duration| (time.as_secs_f64() * 1000.0).round() / 1000.0;
        all.steps().map(|(from, to, count)| (seconds(from), seconds(to), count)).collect()
    }

    #[test]
    fn gaps_of_about_one_length_are_counted_together() {
        assert_eq!(steps(&[1.0, 1.1, 1.2]), [(1.0, 1.259, 3)]);
        assert_eq!(steps(&[0.51, 60.5]), [(0.501, 0.631, 1), (50.119, 63.096, 1)]);
    }

    #[test]
    fn what_is_beyond_the_scale_is_counted_at_its_ends() {
        assert_eq!(steps(&[0.0, 1e-9, 0.0099]), [(0.01, 0.013, 3)]);
        assert_eq!(steps(&[1e4, 1e9]), [(7943.282, 10000.0, 2)]);
    }

    #[test]
    fn nothing_takes_no_room_and_has_no_steps() {
        assert_eq!((Gaps::default().total(), Gaps::default().steps().count()), (0, 0));
        assert_eq!(size_of::<Gaps>(), size_of::<usize>());
    }
}
