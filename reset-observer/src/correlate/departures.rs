//! When clients left with their answers due, for the upstream connections that nginx cuts then.

use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

use crate::record::KernelTime;

/// How long before the upstream connection is cut.
const WITHIN: Duration = Duration::from_millis(50);

/// How many are kept of one network namespace: a case is judged some settle windows later, and whoever left since must not
/// hide who left then.
const KEPT: usize = 1024;

/// The newest departures of each network namespace.
#[derive(Debug, Default)]
pub(super) struct Departures(HashMap<Option<u32>, VecDeque<KernelTime>>);

impl Departures {
    /// A client left.
    pub(super) fn add(&mut self, netns: Option<u32>, at: KernelTime) {
        let known = self.0.entry(netns).or_default();
        if known.len() >= KEPT {
            known.pop_front();
        }
        known.push_back(at);
    }

    /// Whether one left just before this instant.
    pub(super) fn any_just_before(&self, netns: Option<u32>, at: KernelTime) -> bool {
        let mut known = self.0.get(&netns).into_iter().flatten().rev();
        known.any(|&left| left <= at && at.since(left) <= WITHIN)
    }

    /// Forgets the network namespaces where nobody left since.
    pub(super) fn forget_before(&mut self, since: KernelTime) {
        self.0.retain(|_, known| known.back().is_some_and(|last| *last >= since));
    }
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
