//! How often a request has failed: nginx logs each try that does.

use std::{
    collections::{VecDeque, hash_map::RandomState},
    hash::BuildHasher as _,
    time::Duration,
};

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
}

impl Tries {
    /// Takes a line, if it tells of a try that failed.
    pub(super) fn add(&mut self, instance: u64, line: &Line, endings: Endings, serial: u64, at: KernelTime) {
        let is_failure = line.complaint.kind == Kind::NoLiveUpstreams || !endings.is_empty();
        let Some(connection) = line.connection.filter(|_| is_failure) else { return };
        if self.failed.len() >= MAX_REMEMBERED {
            self.failed.pop_front();
        }
        let request = (instance, line.pid, connection, &line.request, &line.subrequest, &line.host);
        let (request, kind) = (self.hasher.hash_one(request), line.complaint.kind);
        self.failed.push_back(Try { at, serial, request, kind, action: line.action });
    }

    /// Tells an answer that has a line of its own how often that request failed before, and whether it did again.
    pub(super) fn tell(&self, answer: &mut Answer) {
        let Answer::Joined(joined) = answer else { return };
        let Some(own) = self.failed.iter().find(|failed| Some(failed.serial) == joined.serial) else { return };
        let same = || self.failed.iter().filter(|failed| failed.request == own.request);
        let later = || same().filter(|other| other.serial > own.serial);
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        joined.later = later().next_back().map(|last| Later {
            failures: count(later().count()),
            kind: last.kind,
            action: last.action,
        });
        joined.failed_before = count(same().filter(|other| other.serial < own.serial).count());
    }

    /// Lets go of old tries.
    pub(super) fn forget(&mut self, now: KernelTime) {
        while self.failed.front().is_some_and(|failed| failed.at.after(MEMORY) < now) {
            self.failed.pop_front();
        }
    }
}
