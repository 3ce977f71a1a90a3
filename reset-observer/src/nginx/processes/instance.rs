//! Instances: a master with its workers, as an operator knows them.

use std::{collections::BTreeSet, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::{FoundProcess, Namespaces, Profile};

/// Names an instance as long as the observer runs; never used again for another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InstanceId(pub u32);

/// One proxy: a master with its workers.
///
/// In a binary upgrade the new master is a child of the old one, and both belong to the same instance, also after the
/// old one is gone: it is the same proxy to whoever runs it. Workers whose master was killed stay in their instance.
/// A single process without a master is an instance of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Which one.
    pub id: InstanceId,
    /// Kind of program.
    pub profile: Profile,
    /// Process ids of the masters that live, oldest first: one, two during a binary upgrade, none without a master.
    pub masters: Vec<u32>,
    /// Process ids of the workers that live, in order; those that are shutting down too.
    pub workers: Vec<u32>,
    /// Namespaces of its first process.
    pub namespaces: Namespaces,
    /// When its first process started, clock ticks since boot.
    pub started: u64,
    /// Grows at least once with each reload and binary upgrade that was seen, which is when the configuration may be
    /// another. Also when all workers died and were replaced at once, which looks the same.
    pub generation: u32,
}

impl Instance {
    /// Where its files are: the root directory of its newest master, or of a worker, as seen through `/proc`. `None`
    /// if none of its processes lives.
    #[must_use]
    pub fn root(&self) -> Option<PathBuf> {
        let process = self.masters.last().or(self.workers.first())?;
        Some(PathBuf::from(format!("/proc/{process}/root")))
    }
}

/// What is kept of an instance between two looks at its processes.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) profile: Profile,
    pub(super) namespaces: Namespaces,
    pub(super) started: u64,
    pub(super) generation: u32,
    /// Workers that took new connections at the last look, by pid.
    serving: BTreeSet<u32>,
}

impl Kept {
    pub(super) fn new(first: &FoundProcess, profile: Profile) -> Self {
        let (namespaces, started) = (first.namespaces, first.started);
        Self { profile, namespaces, started, generation: 0, serving: BTreeSet::new() }
    }

    /// Compares with the workers that serve now. Workers that show up while fewer left, or in place of all, come of a
    /// reload: nginx replaces one that died one for one. Returns whether there was one for certain: what is gone did not
    /// die of something else, as `died` would say.
    pub(super) fn note_serving(&mut self, now: BTreeSet<u32>, died: impl Fn(u32) -> bool) -> bool {
        let new = now.difference(&self.serving).count();
        let lost = self.serving.difference(&now).count();
        let has_kept = self.serving.intersection(&now).next().is_some();
        let is_new_generation = new > 0 && !self.serving.is_empty() && (new > lost || !has_kept);
        let is_reload = is_new_generation && !self.serving.difference(&now).any(|pid| died(*pid));
        self.generation += u32::from(is_new_generation);
        // Between the death of all workers and their replacement there is nothing to compare with.
        if !now.is_empty() {
            self.serving = now;
        }
        is_reload
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn generations(looks: &[&[u32]]) -> u32 {
        let mut kept = Kept::new(&FoundProcess::default(), Profile::Nginx);
        for look in looks {
            kept.note_serving(look.iter().copied().collect(), |_| false);
        }
        kept.generation
    }

    #[test]
    fn the_first_look_is_no_reload() {
        assert_eq!(generations(&[&[11, 12]]), 0);
    }

    #[test]
    fn a_reload_is_seen_at_its_beginning_or_at_its_end() {
        assert_eq!(generations(&[&[11, 12], &[21, 22]]), 1);
        assert_eq!(generations(&[&[11, 12], &[11, 12, 21, 22], &[21, 22]]), 1);
        assert_eq!(generations(&[&[11, 12], &[], &[21, 22]]), 1);
        assert_eq!(generations(&[&[11, 12], &[12, 21, 22], &[21, 22]]), 1, "one of the old is not told yet");
    }

    #[test]
    fn a_worker_that_died_and_was_replaced_is_no_reload() {
        assert_eq!(generations(&[&[11, 12], &[12, 13]]), 0);
        assert_eq!(generations(&[&[11, 12], &[12], &[12]]), 0);
    }
}
