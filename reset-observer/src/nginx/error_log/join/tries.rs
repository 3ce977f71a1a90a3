//! How often a request has failed: nginx logs each try that does.

use std::{
    collections::{VecDeque, hash_map::Entry},
    hash::BuildHasher as _,
    time::Duration,
};

use foldhash::{HashMap, quality::RandomState};

use super::{
    super::line::{Action, Kind, Line},
    Answer, Endings, Later,
};
use crate::record::KernelTime;

/// Tries remembered at a time.
const MAX_REMEMBERED: usize = 8192;

/// How long a try is remembered: longer than any window of the joiner.
const MEMORY: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct Try {
    at: KernelTime,
    serial: u64,
    request: u64,
    kind: Kind,
    action: Option<Action>,
}

/// The failed tries of late, in the order of their lines.
#[derive(Debug, Default)]
pub(super) struct Tries {
    hasher: RandomState,
    failed: VecDeque<Try>,
    /// How many of them are of each request.
    times: HashMap<u64, u32>,
}

impl Tries {
    /// Takes a line, if it tells of a try that failed.
    pub(super) fn add(&mut self, instance: u64, line: &Line, endings: Endings, serial: u64, at: KernelTime) {
        let is_failure = line.complaint.kind == Kind::NoLiveUpstreams || !endings.is_empty();
        let Some(connection) = line.connection.filter(|_| is_failure) else { return };
        if self.failed.len() >= MAX_REMEMBERED {
            self.forget_first();
        }
        let request = (instance, line.pid, connection, &line.request, &line.subrequest, &line.host);
        let (request, kind) = (self.hasher.hash_one(request), line.complaint.kind);
        self.failed.push_back(Try { at, serial, request, kind, action: line.action });
        *self.times.entry(request).or_default() += 1;
    }

    /// Tells an answer that has a line of its own how often that request failed before, and whether it did again.
    pub(super) fn tell(&self, answer: &mut Answer) {
        let Answer::Joined(joined) = answer else { return };
        let Some(serial) = joined.serial else { return };
        // In the order of their serial numbers.
        let Ok(place) = self.failed.binary_search_by_key(&serial, |failed| failed.serial) else { return };
        let request = self.failed[place].request;
        if self.times.get(&request) == Some(&1) {
            return;
        }
        let same = |failed: &&Try| failed.request == request;
        let (mut failures, mut last) = (0_u32, None);
        for later in self.failed.range(place + 1..).filter(same) {
            (failures, last) = (failures.saturating_add(1), Some(later));
        }
        joined.later = last.map(|last| Later { failures, kind: last.kind, action: last.action });
        joined.failed_before = u32::try_from(self.failed.range(..place).filter(same).count()).unwrap_or(u32::MAX);
    }

    /// Lets go of old tries.
    pub(super) fn forget(&mut self, now: KernelTime) {
        while self.failed.front().is_some_and(|failed| failed.at.after(MEMORY) < now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(first) = self.failed.pop_front() else { return };
        if let Entry::Occupied(mut times) = self.times.entry(first.request) {
            *times.get_mut() -= 1;
            if *times.get() == 0 {
                times.remove();
            }
        }
    }
}
