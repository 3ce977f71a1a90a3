//! Whether a change helped: what was said before it beside what was said after it.
//!
//! Pure. Failures come one by one at random, so their numbers are compared as counts over time: given how many there were
//! in all, those after the change follow a binomial distribution if nothing changed (the exact test of two Poisson rates;
//! Przyborowski and Wilenski 1940). What that cannot tell from chance is said to be too little to say.

use std::{collections::BTreeMap, time::Duration};

use serde::Serialize;

mod exact;
mod halves;
mod told;

use crate::{
    counts::KernelCounts,
    verdict::{Cause, Impact, Leg, Verdict},
};
use exact::{at_most, at_most_share};
pub use halves::Halves;

/// What chance may bring about more often than this is not called a change.
const SIGNIFICANCE: f64 = 0.05;

/// Traffic is alike if no measure of it, by time, differs by more than this factor.
const ALIKE: f64 = 2.0;

/// What was seen in one stretch of time.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stretch {
    /// How long, seconds.
    pub duration_s: f64,
    /// Connections that were opened meanwhile.
    pub connections: u64,
    /// Records of the kernel's that were read.
    pub records: u64,
    /// Connections that were closed with nothing outstanding: a measure of traffic, too.
    pub idle_closes: u64,
    /// Requests that failed or had to be tried again.
    pub requests_hurt: u64,
    /// Failures by cause.
    #[serde(skip)]
    causes: BTreeMap<Cause, u64>,
}

impl Stretch {
    /// Counts a verdict. Those on other legs count where there is no nginx.
    pub fn add(&mut self, verdict: &Verdict, others_count: bool) {
        if verdict.cause == Cause::IdleClose {
            self.idle_closes += 1;
        } else if others_count || verdict.leg != Leg::Other {
            *self.causes.entry(verdict.cause).or_default() += 1;
            self.requests_hurt += u64::from(matches!(verdict.impact, Impact::RequestFailed | Impact::RequestRetried));
        }
    }

    /// Takes how long it was, and the counters at its end less those at its beginning.
    pub fn end(&mut self, duration: Duration, connections: u64, records: u64) {
        (self.duration_s, self.connections, self.records) = (duration.as_secs_f64(), connections, records);
    }

    /// Connections that were opened between two readings of the kernel's counters.
    #[must_use]
    pub const fn opened(from: &KernelCounts, to: &KernelCounts) -> u64 {
        to.owners_remembered.saturating_sub(from.owners_remembered)
    }

    fn count(&self, cause: Cause) -> u64 {
        self.causes.get(&cause).copied().unwrap_or_default()
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate of so many needs no more digits")]
    fn per_hour(&self, count: u64) -> f64 {
        if self.duration_s > 0.0 { count as f64 * 3600.0 / self.duration_s } else { 0.0 }
    }
}

/// What the numbers say of one cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    /// There were some before, none after, and chance does not explain it.
    Gone,
    /// There were fewer, and chance does not explain it.
    Fewer,
    /// There were more, and chance does not explain it.
    More,
    /// There were many on both sides, and neither fewer nor more than chance explains.
    Unchanged,
    /// There were too few, or the time was too short.
    TooFew,
}

/// One cause before and after.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CauseCompared {
    /// Which.
    pub cause: Cause,
    /// How often before.
    pub before: u64,
    /// How often after.
    pub after: u64,
    /// The same by time.
    pub before_per_hour: f64,
    /// The same by time.
    pub after_per_hour: f64,
    /// The rate after is at most so many times that before, with 95 % confidence; `null` if there were none before.
    pub ratio_at_most: Option<f64>,
    /// How often chance alone would make as large a difference in this direction.
    pub p_value: f64,
    /// What that says.
    pub conclusion: Conclusion,
    /// Where there is too little to say: none in so many seconds after the change would say that it helped.
    pub enough_after_s: Option<f64>,
}

/// Two stretches side by side.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Before the change.
    pub before: Stretch,
    /// After it.
    pub after: Stretch,
    /// Whether the traffic was about the same, as far as it can be seen; a rate means little if not.
    pub traffic_alike: bool,
    /// Causes that occurred at all.
    pub causes: Vec<CauseCompared>,
}

impl Comparison {
    /// Compares.
    #[must_use]
    pub fn of(before: Stretch, after: Stretch) -> Self {
        let causes = Cause::ALL.iter().filter(|cause| before.count(**cause) + after.count(**cause) > 0);
        let causes = causes.map(|cause| CauseCompared::of(*cause, &before, &after)).collect();
        Self { traffic_alike: alike(&before, &after), causes, before, after }
    }
}

impl CauseCompared {
    fn of(cause: Cause, before: &Stretch, after: &Stretch) -> Self {
        let (first, second) = (before.count(cause), after.count(cause));
        let all = first + second;
        let time = before.duration_s + after.duration_s;
        let share = if time > 0.0 { after.duration_s / time } else { 0.5 };
        let fewer = at_most(second, all, share);
        let more = at_most(first, all, 1.0 - share);
        let conclusion = match (fewer < SIGNIFICANCE, more < SIGNIFICANCE) {
            (true, _) if second == 0 => Conclusion::Gone,
            (true, _) => Conclusion::Fewer,
            (false, true) => Conclusion::More,
            (false, false) if first >= 20 && second >= 20 => Conclusion::Unchanged,
            (false, false) => Conclusion::TooFew,
        };
        let highest = at_most_share(second, all, SIGNIFICANCE);
        let odds = |share: f64| share / (1.0 - share);
        Self {
            cause,
            before: first,
            after: second,
            before_per_hour: before.per_hour(first),
            after_per_hour: after.per_hour(second),
            ratio_at_most: (first > 0 && share > 0.0 && highest < 1.0).then(|| odds(highest) / odds(share)),
            p_value: fewer.min(more).min(1.0),
            conclusion,
            enough_after_s: (conclusion == Conclusion::TooFew && first > 0)
                .then(|| enough_after(first, before.duration_s)),
        }
    }
}

/// After how long without any the test would say that it helped: `(T / (T + after)) ^ count` must fall below the bound.
#[expect(clippy::cast_precision_loss, reason = "a time of so many seconds needs no more digits")]
fn enough_after(count: u64, duration_s: f64) -> f64 {
    duration_s * (SIGNIFICANCE.powf(-1.0 / count as f64) - 1.0)
}

fn alike(before: &Stretch, after: &Stretch) -> bool {
    let measures = [(before.connections, after.connections), (before.idle_closes, after.idle_closes)];
    measures.into_iter().all(|(first, second)| {
        let (first, second) = (before.per_hour(first), after.per_hour(second));
        // A handful says nothing of the traffic.
        let few = first.max(second) * before.duration_s.min(after.duration_s) / 3600.0 < 10.0;
        few || (first <= second * ALIKE && second <= first * ALIKE)
    })
}

#[cfg(test)]
mod tests;
