//! When and where to look for processes.

use std::time::Duration;

use super::{FoundProcess, MAX_KNOWN, NginxProcesses, known::Known, recognise, relatives};
use crate::record::{Fate, KernelTime, ProcessEvent};

/// Readings of all of `/proc` are at least this far apart: one costs some 40 ms of CPU where a thousand processes run.
const SCAN_INTERVAL: Duration = Duration::from_secs(10);

/// Looks at the relatives are at least this far apart: one costs some 10 ms of CPU with a hundred workers.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// So long after the end of a worker its master has replaced it.
const REPLACED_WITHIN: Duration = Duration::from_millis(200);

/// Strangers to remember, some 256 KiB: beyond that, all are forgotten and looked at again when they show up.
const MAX_STRANGERS: usize = 4096;

/// Strangers to look at per second; one look costs some 50 µs of CPU.
const STRANGERS_PER_SECOND: u32 = 100;

impl NginxProcesses {
    /// Looks at this process if it is unknown. Returns whether a process became known by that.
    ///
    /// A process that is nowhere to be found is remembered like one that ended, if it bears a proxy's name: without
    /// that, an observer in a pid namespace of its own would search without end.
    pub fn refresh_if_unknown(&mut self, tgid: u32, comm: &str, now: KernelTime) -> bool {
        let is_known = self.known.get(&tgid).is_some_and(|known| known.goes_by(comm));
        if is_known || self.strangers.contains(&(tgid, comm.to_owned())) {
            return false;
        }
        let named = self.is_name_of_proxy(comm);
        if !named && !self.may_look_at_stranger(now) {
            return false;
        }
        match self.source.one(tgid) {
            Some(found) if self.is_alias(&found, comm) => false,
            Some(found) if recognise::profile(&found, &self.names).is_some() => {
                self.meet(found, now);
                true
            }
            Some(_) | None if named => self.search(tgid, comm, now),
            Some(_) | None => {
                self.remember_stranger(tgid, comm);
                false
            }
        }
    }

    /// A thread of a known process may bear a name of its own, as those of envoy do.
    fn is_alias(&mut self, found: &FoundProcess, comm: &str) -> bool {
        let known = self.known.get_mut(&found.pid).filter(|known| known.found.is_same(found));
        known.map(|known| known.add_alias(comm)).is_some()
    }

    /// Learns of a proxy's process, and of its relatives unless they were looked at just before.
    fn meet(&mut self, found: FoundProcess, now: KernelTime) {
        // Without its master, a worker would be taken for an instance of its own.
        let is_stray = found.title.contains(": worker process") && !self.known.contains_key(&found.parent);
        if !is_stray && self.looked_at.is_some_and(|at| now.since(at) < LOOK_INTERVAL) {
            self.next_look.get_or_insert(now.after(LOOK_INTERVAL));
            self.learn(vec![found]);
            return;
        }
        self.look_at_relatives(Some(found), now);
    }

    /// A process with a proxy's name is gone, or `/proc` shows another one under its id.
    fn search(&mut self, tgid: u32, comm: &str, now: KernelTime) -> bool {
        let scans = self.scanned_at.is_none_or(|at| now.since(at) >= SCAN_INTERVAL);
        if scans {
            self.scan_again(now);
        }
        let label = self.label(tgid, comm);
        if self.known.len() < MAX_KNOWN {
            self.known.entry(tgid).or_insert_with(|| Known::unseen(label, now));
        }
        scans
    }

    fn scan_again(&mut self, now: KernelTime) {
        self.scanned_at = Some(now);
        let found = self.source.all();
        self.update(found, now);
    }

    fn look_at_relatives(&mut self, newcomer: Option<FoundProcess>, now: KernelTime) {
        self.looked_at = Some(now);
        self.next_look = None;
        let alive: Vec<u32> =
            self.known.values().filter(|known| known.is_alive()).map(|known| known.found.pid).collect();
        match relatives::find(&*self.source, &self.names, &alive, newcomer) {
            Some(found) => self.update(found, now),
            None => self.scan_again(now),
        }
    }

    /// Takes what happened to a process. The master of a worker that ended is looked at a moment later, by
    /// [`Self::refresh_due`].
    pub fn note(&mut self, event: &ProcessEvent) {
        let Fate::Ended(exit) = event.fate else { return };
        let known = self.known.get_mut(&event.process.tgid).filter(|known| known.is_alive());
        if let Some(known) = known {
            (known.ended_at, known.is_gone, known.died) = (Some(event.at), true, !exit.in_good_order());
            self.revision += 1;
            self.next_look.get_or_insert(event.at.after(REPLACED_WITHIN));
        }
    }

    /// When [`Self::refresh_due`] has something to do.
    #[must_use]
    pub fn next_look(&self) -> Option<KernelTime> {
        self.next_look
    }

    /// Looks at the relatives of known processes if that is due. Returns whether anything is new.
    pub fn refresh_due(&mut self, now: KernelTime) -> bool {
        if self.next_look.is_none_or(|at| now < at) {
            return false;
        }
        let before = self.revision;
        self.look_at_relatives(None, now);
        self.revision != before
    }

    fn may_look_at_stranger(&mut self, now: KernelTime) -> bool {
        let (since, seen) = &mut self.strangers_seen;
        if now.since(*since) >= Duration::from_secs(1) {
            (*since, *seen) = (now, 0);
        }
        *seen += 1;
        *seen <= STRANGERS_PER_SECOND
    }

    fn remember_stranger(&mut self, tgid: u32, comm: &str) {
        if self.strangers.len() >= MAX_STRANGERS {
            self.strangers.clear();
        }
        self.strangers.insert((tgid, comm.to_owned()));
    }
}
