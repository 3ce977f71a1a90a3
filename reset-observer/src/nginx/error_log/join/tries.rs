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
    request: u64,
    /// Which try of that request it is, of those that were told while any is remembered.
    nth: u64,
}

/// The tries of one request.
#[derive(Debug)]
struct Request {
    /// Those that were forgotten while others were remembered.
    forgotten: u64,
    /// All, the forgotten ones among them.
    tries: u64,
    /// The kind of the last one.
    kind: Kind,
    /// What nginx was doing then.
    action: Option<Action>,
}

/// The failed tries of late. Each has a place among all, in the order of their lines.
#[derive(Debug, Default)]
pub(super) struct Tries {
    hasher: RandomState,
    failed: VecDeque<Try>,
    /// How many were forgotten: the place of the first of these.
    forgotten: u64,
    requests: HashMap<u64, Request>,
}

impl Tries {
    /// Takes a line, if it tells of a try that failed, and names its connection; gives its place then.
    pub(super) fn add(&mut self, instance: u64, line: &Line, endings: Endings, at: KernelTime) -> u64 {
        let is_failure = line.complaint.kind == Kind::NoLiveUpstreams || !endings.is_empty();
        let Some(connection) = line.connection.filter(|_| is_failure) else { return u64::MAX };
        if self.failed.len() >= MAX_REMEMBERED {
            self.forget_first();
        }
        let request = (instance, line.pid, connection, &line.request, &line.subrequest, &line.host);
        let (request, kind) = (self.hasher.hash_one(request), line.complaint.kind);
        let known = self.requests.entry(request).or_insert(Request { forgotten: 0, tries: 0, kind, action: None });
        (known.tries, known.kind, known.action) = (known.tries + 1, kind, line.action);
        self.failed.push_back(Try { at, request, nth: known.tries });
        self.forgotten + self.failed.len() as u64 - 1
    }

    /// Tells an answer that has a line of its own how often that request failed before, and whether it did again.
    pub(super) fn tell(&self, answer: &mut Answer) {
        let Answer::Joined(joined) = answer else { return };
        let place = joined.serial.and_then(|serial| usize::try_from(serial.checked_sub(self.forgotten)?).ok());
        let Some(&Try { request, nth, .. }) = place.and_then(|place| self.failed.get(place)) else { return };
        let Some(Request { forgotten, tries, kind, action }) = self.requests.get(&request) else { return };
        let count = |tries: u64| u32::try_from(tries).unwrap_or(u32::MAX);
        joined.later = (nth < *tries).then(|| Later { failures: count(tries - nth), kind: *kind, action: *action });
        joined.failed_before = count(nth - 1 - forgotten);
    }

    /// Lets go of old tries.
    pub(super) fn forget(&mut self, now: KernelTime) {
        while self.failed.front().is_some_and(|failed| failed.at.after(MEMORY) < now) {
            self.forget_first();
        }
    }

    fn forget_first(&mut self) {
        let Some(first) = self.failed.pop_front() else { return };
        self.forgotten += 1;
        if let Entry::Occupied(mut request) = self.requests.entry(first.request) {
            request.get_mut().forgotten = first.nth;
            if request.get().tries == first.nth {
                request.remove();
            }
        }
    }
}
