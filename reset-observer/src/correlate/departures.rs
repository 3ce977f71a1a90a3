//! When clients left with their answers due, for the upstream connections that nginx cuts then.

use std::{collections::VecDeque, time::Duration};

use foldhash::HashMap;

use crate::record::KernelTime;

/// How long before the upstream connection is cut.
const WITHIN: Duration = Duration::from_millis(50);

/// How many are kept of one network namespace: a case is judged some settle windows later, and whoever left since must not
/// hide who left then.
const KEPT: usize = 1024;

/// The newest departures of each network namespace, sorted.
#[derive(Debug, Default)]
pub(super) struct Departures(HashMap<Option<u32>, VecDeque<KernelTime>>);

impl Departures {
    /// A client left.
    pub(super) fn add(&mut self, netns: Option<u32>, at: KernelTime) {
        let known = self.0.entry(netns).or_default();
        if known.len() >= KEPT {
            known.pop_front();
        }
        // Nearly always at the end.
        let place = if known.back().is_none_or(|last| *last <= at) { known.len() } else { count_until(known, at) };
        known.insert(place, at);
    }

    /// Whether one left just before this instant.
    pub(super) fn any_just_before(&self, netns: Option<u32>, at: KernelTime) -> bool {
        let Some(known) = self.0.get(&netns) else { return false };
        let last = count_until(known, at).checked_sub(1).and_then(|last| known.get(last));
        last.is_some_and(|&left| at.since(left) <= WITHIN)
    }

    /// Forgets the network namespaces where nobody left since.
    pub(super) fn forget_before(&mut self, since: KernelTime) {
        self.0.retain(|_, known| known.back().is_some_and(|last| *last >= since));
    }
}

/// How many left by this instant.
fn count_until(known: &VecDeque<KernelTime>, at: KernelTime) -> usize {
    known.partition_point(|left| *left <= at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::at;

    #[test]
    fn who_leaves_later_does_not_hide_who_left_then() {
        let mut departures = Departures::default();
        [100, 105, 300].into_iter().for_each(|ms| departures.add(Some(7), at(ms)));
        for (ms, expected) in [(99, false), (101, true), (155, true), (156, false), (299, false), (301, true)] {
            assert_eq!(departures.any_just_before(Some(7), at(ms)), expected, "{ms} ms");
        }
        assert!(!departures.any_just_before(None, at(101)), "of another network namespace");
    }

    #[test]
    fn departures_are_found_in_whatever_order_they_were_told() {
        let mut departures = Departures::default();
        [300, 100, 200, 105].into_iter().for_each(|ms| departures.add(None, at(ms)));
        for (ms, expected) in
            [(99, false), (101, true), (155, true), (156, false), (200, true), (301, true), (351, false)]
        {
            assert_eq!(departures.any_just_before(None, at(ms)), expected, "{ms} ms");
        }
    }

    #[test]
    fn the_newest_are_kept_and_namespaces_forgotten() {
        let mut departures = Departures::default();
        (0..5000).for_each(|ms| departures.add(Some(7), at(ms)));
        assert!(departures.any_just_before(Some(7), at(4990)));
        assert_eq!(departures.0[&Some(7)].len(), KEPT);
        departures.forget_before(at(4999));
        assert_eq!(departures.0.len(), 1);
        departures.forget_before(at(5000));
        assert!(departures.0.is_empty());
    }
}
