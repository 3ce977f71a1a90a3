//! The newest values of one kind.

use std::collections::VecDeque;

use super::{SavedSeries, Stamp, saved::milliseconds};
use crate::record::KernelTime;

/// How many values are kept of each kind.
pub(super) const KEPT: usize = 16;

/// The newest values, the last one the newest, at most [`KEPT`].
#[derive(Clone, Debug)]
pub(super) struct Series<T> {
    values: VecDeque<T>,
    updated: Stamp,
}

impl<T> Default for Series<T> {
    fn default() -> Self {
        Self { values: VecDeque::new(), updated: Stamp::default() }
    }
}

impl<T: Copy + PartialEq> Series<T> {
    /// Takes a value, if there is one.
    pub(super) fn add(&mut self, value: Option<T>, at: KernelTime) {
        if let Some(value) = value {
            self.push(value);
            self.updated = Stamp::at(at);
        }
    }

    fn push(&mut self, value: T) {
        if self.values.len() == KEPT {
            self.values.pop_front();
        }
        self.values.push_back(value);
    }

    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.values.iter()
    }

    pub(super) fn count(&self, value: T) -> usize {
        self.values.iter().filter(|known| **known == value).count()
    }

    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    pub(super) fn updated(&self) -> Stamp {
        self.updated
    }

    pub(super) fn retain(&mut self, keep: impl FnMut(&T) -> bool) {
        self.values.retain(keep);
    }

    /// Forgets all but the newest `count`.
    pub(super) fn keep_newest(&mut self, count: usize) {
        self.values.drain(..self.values.len().saturating_sub(count));
    }

    pub(super) fn save(&self, now: KernelTime) -> SavedSeries<T> {
        if self.is_empty() {
            return SavedSeries::default();
        }
        let age_ms = milliseconds(self.updated.age(now));
        SavedSeries { values: self.values.iter().copied().collect(), age_ms }
    }

    /// The newest of what was saved, whatever their number.
    pub(super) fn restore(saved: &SavedSeries<T>, now: KernelTime) -> Self {
        let mut series = Self { updated: Stamp::of_age(saved.age(), now), ..Self::default() };
        saved.values.iter().for_each(|value| series.push(*value));
        series
    }
}
