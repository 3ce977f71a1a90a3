//! How long a server keeps an idle connection.
//!
//! What tells a timeout from other reasons to close is that its samples agree. Closes for other reasons (a deploy, a
//! worker that is recycled) come at any idle age below the timeout, and several at one instant. So:
//!
//! * All closes of one instant are one sample: many connections that fell idle together prove no more than one. If they
//!   had been idle for very different times, or one of them had a request outstanding, they are none.
//! * Three samples that agree closely are an estimate, if few others lie above. Those below it are other reasons.
//! * A server that looks for idle connections once in a while closes them up to that period late ([gunicorn] each
//!   second). Its samples scatter above the timeout; there must be more of them, nearly all within that scatter, and
//!   the shortest stands for all.
//! * If the newest three agree with each other and are longer than the estimate, the timeout was changed: older ones are
//!   forgotten. If they are shorter, six must: deploys at one and the same age are rare, and not unheard of.
//!
//! [gunicorn]: https://github.com/benoitc/gunicorn/blob/23.0.0/gunicorn/workers/gthread.py

use std::time::Duration;

use smallvec::SmallVec;

mod instant;

use instant::{Instant, TOGETHER};

use super::{
    ENOUGH_SAMPLES, SavedIdle, SavedSample, Stamp, nanoseconds,
    series::{KEPT, Series},
};
use crate::record::KernelTime;

/// Samples agree within this part of the larger, or [`CLOSE`]: timers fire that exactly.
const AGREE: f64 = 0.05;

/// The same for short times: a few jiffies, which are up to 10 ms long.
const CLOSE: Duration = Duration::from_millis(20);

/// A server that looks once in a while is late by less than this part of the timeout.
const SCATTER: f64 = 0.6;

/// Scattered samples are believed from this many on: a few of any kind could lie so.
const ENOUGH_SCATTERED: usize = 6;

/// So many that agree show that the timeout was made shorter.
const ENOUGH_SHORTER: usize = 6;

/// So many that agree are believed even if most others lie below.
const ENOUGH_AMONG_OTHERS: usize = 4;

/// On what a sample rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grade {
    /// A FIN long after the last payload.
    Clean,
    /// The last payload came with the close (a TLS `close_notify`, a GOAWAY of HTTP/2), so that the time counts from the
    /// last request and holds the response too. A slow response that ends with its connection looks the same, if it
    /// always takes the same time.
    Farewell,
}

/// A learned idle timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleTimeout {
    /// The median of the samples that agree; of a server that looks once in a while, the shortest.
    pub value: Duration,
    /// Largest minus smallest of them.
    pub spread: Duration,
    /// How many there are, at most 17.
    pub samples: usize,
}

impl IdleTimeout {
    /// Whether a connection that had been idle for `gap` was at its timeout: within a tenth or 20 ms of it, or later by
    /// no more than the samples were.
    #[must_use]
    pub fn matches(&self, gap: Duration) -> bool {
        let tolerance = (self.value / 10).max(CLOSE);
        let later = tolerance.max(self.spread);
        gap >= self.value.saturating_sub(tolerance) && gap <= self.value.saturating_add(later)
    }

    /// Whether a connection that had been idle for `gap` was well short of its timeout.
    #[must_use]
    pub fn is_far_above(&self, gap: Duration) -> bool {
        gap < self.value.mul_f64(0.8)
    }
}

/// One sample: nanoseconds, and on what they rest.
type Sample = (u64, Grade);

/// Samples of one server's idle timeout.
#[derive(Clone, Debug, Default)]
pub(super) struct IdleSamples {
    settled: Series<Sample>,
    /// What more closes may still belong to.
    instant: Option<Instant>,
    /// When it last ended a connection in use.
    disturbed: Option<KernelTime>,
    kept: Option<Duration>,
    /// What the samples say, which is asked for more often than it changes.
    estimate: Option<(IdleTimeout, Grade)>,
    /// Samples are others than when it was last looked for a change of the timeout.
    are_others: bool,
}

/// At most those that are settled and the newest.
type Samples = SmallVec<[Duration; KEPT + 1]>;

impl IdleSamples {
    /// Takes a close at `at` after `idle`.
    pub(super) fn add(&mut self, idle: Duration, grade: Grade, at: KernelTime) {
        match self.instant.as_mut().filter(|instant| instant.holds(at)) {
            Some(instant) => {
                let before = instant.sample();
                instant.join(idle, grade, at);
                if instant.sample() == before && !self.are_others {
                    return;
                }
            }
            None => {
                self.settle();
                self.instant = Some(Instant {
                    first: at,
                    last: at,
                    shortest: idle,
                    longest: idle,
                    grade,
                    spoiled: self.disturbed.is_some_and(|disturbed| disturbed.distance(at) <= TOGETHER),
                });
            }
        }
        self.forget_what_was_changed();
        self.estimate = self.estimated();
        self.are_others = false;
    }

    /// The server ended a connection in use, or was ended: what it closed at that time was not for idleness.
    pub(super) fn disturb(&mut self, at: KernelTime) {
        self.disturbed = Some(at);
        if let Some(instant) = self.instant.as_mut().filter(|instant| instant.holds(at)) {
            instant.spoiled = true;
            self.note_others();
        }
    }

    /// The server took a request after this idle time: samples well below were no timeout, or one of the past.
    pub(super) fn survived(&mut self, gap: Duration) {
        self.kept = self.kept.max(Some(gap));
        let least = least_that_agrees(gap);
        let is_too_short = |(idle, _): &Sample| Duration::from_nanos(*idle) < least;
        let newest = self.instant.as_ref().and_then(Instant::sample);
        if self.settled.iter().chain(&newest).any(is_too_short) {
            self.settled.retain(|sample| !is_too_short(sample));
            if let Some(instant) = self.instant.as_mut() {
                instant.spoiled |= instant.shortest < least;
            }
            self.note_others();
        }
    }

    fn note_others(&mut self) {
        self.estimate = self.estimated();
        self.are_others = true;
    }

    pub(super) fn kept(&self) -> Option<Duration> {
        self.kept
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settled.is_empty() && self.instant.is_none() && self.kept.is_none()
    }

    pub(super) fn updated(&self) -> Stamp {
        self.instant.map_or(self.settled.updated(), |instant| Stamp::at(instant.last))
    }

    /// The timeout, and on what it rests: farewells only where there are no clean closes enough.
    pub(super) const fn estimate(&self) -> Option<(IdleTimeout, Grade)> {
        self.estimate
    }

    fn estimated(&self) -> Option<(IdleTimeout, Grade)> {
        [Grade::Clean, Grade::Farewell]
            .into_iter()
            .find_map(|grade| Some((timeout(&self.samples(grade), grade)?, grade)))
    }

    /// All samples of this grade, the newest last.
    fn samples(&self, grade: Grade) -> Samples {
        let newest = self.instant.as_ref().and_then(Instant::sample);
        let all = self.settled.iter().copied().chain(newest);
        all.filter(|(_, known)| *known == grade).map(|(idle, _)| Duration::from_nanos(idle)).collect()
    }

    fn settle(&mut self) {
        if let Some(instant) = self.instant.take() {
            self.settled.add(instant.sample(), instant.last);
        }
    }

    fn forget_what_was_changed(&mut self) {
        let Some(grade) = self.instant.filter(|instant| !instant.spoiled).map(|instant| instant.grade) else { return };
        let samples = self.samples(grade);
        let longer = is_changed(&samples, ENOUGH_SAMPLES, grade, |idle, known| idle > known.value);
        if longer || is_changed(&samples, ENOUGH_SHORTER, grade, |_, _| true) {
            self.settled.retain(|(_, known)| *known == grade);
            self.settled.keep_newest(ENOUGH_SAMPLES - 1);
            self.kept = None;
        }
    }

    pub(super) fn save(&self, now: KernelTime) -> SavedIdle {
        let mut closed = self.clone();
        closed.settle();
        let sample = |&(idle_ns, grade): &Sample| SavedSample { idle_ns, grade };
        SavedIdle {
            samples: closed.settled.iter().map(sample).collect(),
            kept_ns: self.kept.map(nanoseconds),
            age_ms: closed.settled.save(now).age_ms,
        }
    }

    pub(super) fn restore(saved: &SavedIdle, now: KernelTime) -> Self {
        let values = saved.samples.iter().map(|sample| (sample.idle_ns, sample.grade)).collect();
        let settled = Series::restore(&super::SavedSeries { values, age_ms: saved.age_ms }, now);
        let mut restored = Self { settled, kept: saved.kept_ns.map(Duration::from_nanos), ..Self::default() };
        restored.note_others();
        restored
    }
}

impl IdleTimeout {
    /// Whether `idle` is no news.
    fn covers(&self, idle: Duration) -> bool {
        idle >= least_that_agrees(self.value) && least_that_agrees(idle) <= self.value.saturating_add(self.spread)
    }

    /// Of sorted samples that agree.
    fn of(sorted: &[Duration], value: Duration) -> Option<Self> {
        let (first, last) = (sorted.first()?, sorted.last()?);
        Some(Self { value, spread: *last - *first, samples: sorted.len() })
    }
}

/// What most samples agree on, if they do.
fn timeout(samples: &[Duration], grade: Grade) -> Option<IdleTimeout> {
    let mut sorted = Samples::from_slice(samples);
    sorted.sort_unstable();
    let most = sorted.len().div_ceil(2).max(ENOUGH_SAMPLES);
    let agreeing = |least| highest(&sorted, least, least_that_agrees).and_then(|(from, to)| exact(&sorted[from..=to]));
    let scattered = || (grade == Grade::Clean).then(|| late(&sorted)).flatten();
    // Many other closes may lie below a timeout, unless they are so many that these could lie together by chance.
    agreeing(most).or_else(scattered).or_else(|| agreeing(sorted.len().div_ceil(3).max(ENOUGH_AMONG_OTHERS)))
}

fn exact(agreeing: &[Duration]) -> Option<IdleTimeout> {
    IdleTimeout::of(agreeing, agreeing[agreeing.len() / 2])
}

/// The timeout of a server that looks once in a while.
fn late(sorted: &[Duration]) -> Option<IdleTimeout> {
    let nearly_all = (sorted.len() * 3).div_ceil(4).max(ENOUGH_SCATTERED);
    let (from, to) = highest(sorted, nearly_all, |largest| largest.div_f64(1.0 + SCATTER))?;
    IdleTimeout::of(&sorted[from..=to], sorted[from])
}

/// The first and the last of the highest samples of which at least `least` lie together, leaving out a few above.
fn highest(sorted: &[Duration], least: usize, lowest: impl Fn(Duration) -> Duration) -> Option<(usize, usize)> {
    let too_high = (sorted.len() / 8).max(1);
    (0..sorted.len()).rev().take(too_high + 1).find_map(|to| {
        let lowest = lowest(sorted[to]);
        let from = sorted.partition_point(|idle| *idle < lowest);
        (to + 1 - from >= least).then_some((from, to))
    })
}

/// Whether this many of the newest agree with each other, and none of them with the estimate of the older ones.
fn is_changed(
    samples: &[Duration],
    many: usize,
    grade: Grade,
    counts: impl Fn(Duration, &IdleTimeout) -> bool,
) -> bool {
    let Some(older) = samples.len().checked_sub(many) else { return false };
    if all_agree(samples) {
        return false;
    }
    let (older, newest) = samples.split_at(older);
    let changed = timeout(older, grade)
        .is_some_and(|known| newest.iter().all(|idle| !known.covers(*idle) && counts(*idle, &known)));
    changed && all_agree(newest)
}

fn all_agree(samples: &[Duration]) -> bool {
    let (smallest, largest) = (samples.iter().min(), samples.iter().max());
    smallest.zip(largest).is_some_and(|(smallest, largest)| *smallest >= least_that_agrees(*largest))
}

/// The shortest that agrees with `idle`.
fn least_that_agrees(idle: Duration) -> Duration {
    idle.saturating_sub(idle.mul_f64(AGREE).max(CLOSE.min(idle / 5)))
}

const _: () = assert!(ENOUGH_SCATTERED <= KEPT && ENOUGH_SAMPLES + ENOUGH_SHORTER <= KEPT);

#[cfg(test)]
mod tests;
