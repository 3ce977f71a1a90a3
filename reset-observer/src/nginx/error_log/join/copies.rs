//! The same line in several logs: nginx writes it to each `error_log` directive of its level.

use std::{collections::VecDeque, hash::BuildHasher as _, time::Duration};

use foldhash::{HashMap, quality::RandomState};
use smallvec::SmallVec;

use super::{super::line::Line, LogId};
use crate::record::KernelTime;

/// Lines remembered at a time.
const MAX_REMEMBERED: usize = 8192;

/// How often a line was seen in each file.
type Times = SmallVec<[(u32, u32); 2]>;

/// Which lines were seen in which log.
#[derive(Debug, Default)]
pub(super) struct Copies {
    hasher: RandomState,
    /// How often each line was seen in each file of its instance.
    seen: HashMap<(u64, u64), Times>,
    order: VecDeque<(KernelTime, (u64, u64))>,
}

impl Copies {
    /// Whether another log of the instance has held this line before, as often as this one. Two requests may fail with
    /// the same words within a second; then they do so in each log.
    pub(super) fn is_copy(&mut self, log: LogId, line: &Line, at: KernelTime, memory: Duration) -> bool {
        self.forget(at.before(memory));
        let key = (log.instance, self.hash(line));
        let files = self.seen.entry(key).or_insert_with(|| {
            self.order.push_back((at, key));
            Times::new()
        });
        let elsewhere = files.iter().filter(|(file, _)| *file != log.file).map(|(_, times)| *times).max();
        let here = match files.iter_mut().find(|(file, _)| *file == log.file) {
            Some((_, times)) => times,
            None => {
                files.push((log.file, 0));
                &mut files.last_mut().expect("it was just put there").1
            }
        };
        *here = here.saturating_add(1);
        elsewhere.is_some_and(|elsewhere| *here <= elsewhere)
    }

    fn forget(&mut self, oldest: KernelTime) {
        while self.order.len() >= MAX_REMEMBERED || self.order.front().is_some_and(|(at, _)| *at < oldest) {
            let Some((_, key)) = self.order.pop_front() else { return };
            self.seen.remove(&key);
        }
    }

    fn hash(&self, line: &Line) -> u64 {
        let said = &line.complaint;
        let what = (line.written, line.pid, line.connection, said.kind, said.call, said.errno, line.action);
        self.hasher.hash_one((what, &line.client, &line.request, &line.subrequest, &line.upstream, &line.host))
    }
}
