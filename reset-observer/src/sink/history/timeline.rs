//! Verdicts by cause and time, in buckets.

use std::{collections::VecDeque, time::Duration};

use crate::{record::KernelTime, verdict::Cause};

/// How far back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Span {
    /// An hour, by the minute.
    #[default]
    Hour,
    /// A day, by the quarter of an hour.
    Day,
}

impl Span {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Hour, Self::Day];

    /// How long one bucket is.
    #[must_use]
    pub const fn step(self) -> Duration {
        match self {
            Self::Hour => Duration::from_secs(60),
            Self::Day => Duration::from_secs(900),
        }
    }

    /// How many buckets there are.
    #[must_use]
    pub const fn buckets(self) -> usize {
        match self {
            Self::Hour => 60,
            Self::Day => 96,
        }
    }
}

/// How many verdicts of each cause.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CauseCounts([u64; Cause::ALL.len()]);

impl CauseCounts {
    /// One more of this cause.
    pub fn add(&mut self, cause: Cause) {
        self.0[cause as usize] += 1;
    }

    /// How many of this cause.
    #[must_use]
    pub const fn of(&self, cause: Cause) -> u64 {
        self.0[cause as usize]
    }

    /// How many of all causes but the harmless one.
    #[must_use]
    pub fn harmful(&self) -> u64 {
        self.each().filter(|(cause, _)| *cause != Cause::IdleClose).map(|(_, count)| count).sum()
    }

    /// These and those.
    #[must_use]
    pub fn plus(mut self, others: &Self) -> Self {
        self.0.iter_mut().zip(others.0).for_each(|(count, more)| *count += more);
        self
    }

    /// The causes that occurred.
    pub fn each(&self) -> impl Iterator<Item = (Cause, u64)> + '_ {
        Cause::ALL.iter().map(|cause| (*cause, self.of(*cause))).filter(|(_, count)| *count > 0)
    }
}

/// What fell within one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// When it began.
    pub from: KernelTime,
    /// What fell in it.
    pub counts: CauseCounts,
}

/// The buckets of one span, the oldest first; those in which nothing fell are left out.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    span: Span,
    buckets: VecDeque<(u64, CauseCounts)>,
}

impl Timeline {
    /// An empty one.
    #[must_use]
    pub fn new(span: Span) -> Self {
        Self { span, buckets: VecDeque::new() }
    }

    /// One verdict more. Verdicts come nearly in the order of their times.
    pub fn add(&mut self, at: KernelTime, cause: Cause) {
        let number = self.number(at);
        let place = self.buckets.iter().rposition(|(other, _)| *other <= number);
        let place = match place {
            Some(place) if self.buckets[place].0 == number => place,
            before => {
                let place = before.map_or(0, |before| before + 1);
                self.buckets.insert(place, (number, CauseCounts::default()));
                place
            }
        };
        self.buckets[place].1.add(cause);
        while self.buckets.len() > self.span.buckets() {
            self.buckets.pop_front();
        }
    }

    /// Every bucket of the span that ends with the one of `now`, also those in which nothing fell.
    #[must_use]
    pub fn buckets(&self, now: KernelTime) -> Vec<Bucket> {
        let last = self.number(now);
        let count = u64::try_from(self.span.buckets()).unwrap_or(u64::MAX);
        let first = (last + 1).saturating_sub(count);
        let counts = |number| self.buckets.iter().find(|(other, _)| *other == number).map(|(_, counts)| *counts);
        (first..=last)
            .map(|number| Bucket {
                from: KernelTime(number * self.step_ns()),
                counts: counts(number).unwrap_or_default(),
            })
            .collect()
    }

    fn number(&self, at: KernelTime) -> u64 {
        at.0 / self.step_ns()
    }

    fn step_ns(&self) -> u64 {
        self.span.step().as_secs() * 1_000_000_000
    }
}
