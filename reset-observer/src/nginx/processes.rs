//! nginx's masters and workers, by their process tree.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use crate::{
    record::KernelTime,
    verdict::{ProcessLabel, Role},
};

/// Scans of `/proc` are at least this far apart: one costs some 10 ms of CPU where a thousand processes run.
const RESCAN_INTERVAL: Duration = Duration::from_millis(200);

/// How long a process that is gone stays known. Records of a worker are read after it died: they wait in the ring
/// buffer, and a verdict waits for the settle window.
const REMEMBER_DEAD: Duration = Duration::from_secs(60);

/// The name that nginx gives itself. Distributions that rename the binary keep the title (`nginx: worker process`).
const COMM: &str = "nginx";

/// A process as `/proc` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundProcess {
    /// Process id.
    pub pid: u32,
    /// Process id of the parent.
    pub parent: u32,
    /// Command name, at most 15 bytes.
    pub comm: String,
    /// The title, which nginx writes over its arguments: `nginx: worker process`.
    pub title: String,
}

/// Where the list of nginx's processes comes from: `/proc`, or a recording.
pub type ProcessSource = Box<dyn Fn() -> Vec<FoundProcess> + Send>;

/// One nginx process, alive or dead for less than a minute.
#[derive(Debug)]
struct Known {
    label: ProcessLabel,
    parent: u32,
    /// Draining after a reload: its ordinal is free for a worker of the new generation.
    shutting_down: bool,
    missed_at: Option<KernelTime>,
}

/// nginx's processes: those alive at the last scan, and those that died within the last minute.
pub struct NginxProcesses {
    source: ProcessSource,
    known: HashMap<u32, Known>,
    scanned_at: Option<KernelTime>,
}

impl NginxProcesses {
    /// Reads `/proc` once. Processes that vanish while it reads are left out; without a mounted `/proc` there are none.
    #[must_use]
    pub fn scan() -> Self {
        Self::from_source(Box::new(crate::nginx::proc_fs::nginx_processes))
    }

    /// Asks `source` once, and again at each rescan.
    #[must_use]
    pub fn from_source(source: ProcessSource) -> Self {
        let mut processes = Self { source, known: HashMap::new(), scanned_at: None };
        processes.rescan(KernelTime(0));
        processes
    }

    /// A fixed set of processes, for recordings and tests.
    #[must_use]
    pub fn fixed(found: Vec<FoundProcess>) -> Self {
        Self::from_source(Box::new(move || found.clone()))
    }

    /// The label of the nginx worker with this thread group id.
    #[must_use]
    pub fn worker(&self, tgid: u32) -> Option<&ProcessLabel> {
        self.known.get(&tgid).map(|known| &known.label).filter(|label| label.role == Role::Worker)
    }

    /// The label of any process. One that calls itself nginx and is in no process list (it died too soon, or lives
    /// in a pid namespace that `/proc` does not show) is taken for a worker: of nginx, only workers open connections.
    #[must_use]
    pub fn label(&self, tgid: u32, comm: &str) -> ProcessLabel {
        if let Some(known) = self.known.get(&tgid) {
            return known.label.clone();
        }
        let role = if comm == COMM { Role::Worker } else { Role::Other };
        ProcessLabel { pid: tgid, name: comm.to_owned(), role, ordinal: None }
    }

    /// Scans again if this process is unknown and bears a name of nginx; at most once in 200 ms of `now`.
    /// Returns whether it scanned.
    ///
    /// A process that no scan finds is remembered like a dead one: without that, an observer in a pid namespace of its
    /// own would scan without end.
    pub fn refresh_if_unknown(&mut self, tgid: u32, comm: &str, now: KernelTime) -> bool {
        let too_soon = self.scanned_at.is_some_and(|at| now.since(at) < RESCAN_INTERVAL);
        if too_soon || self.known.contains_key(&tgid) || !self.is_name_of_nginx(comm) {
            return false;
        }
        self.scanned_at = Some(now);
        self.rescan(now);
        if !self.known.contains_key(&tgid) {
            let label = self.label(tgid, comm);
            self.known.insert(tgid, Known { label, parent: 0, shutting_down: false, missed_at: Some(now) });
        }
        true
    }

    /// Whether any nginx process was alive at the last scan.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.alive().next().is_some()
    }

    /// How many masters were alive at the last scan.
    #[must_use]
    pub fn masters(&self) -> usize {
        self.alive().filter(|label| label.role == Role::Master).count()
    }

    /// How many workers were alive at the last scan.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.alive().filter(|label| label.role == Role::Worker).count()
    }

    /// The labels of all processes that were alive at the last scan, in no order.
    pub fn alive(&self) -> impl Iterator<Item = &ProcessLabel> {
        self.known.values().filter(|known| known.missed_at.is_none()).map(|known| &known.label)
    }

    fn is_name_of_nginx(&self, comm: &str) -> bool {
        comm == COMM || self.known.values().any(|known| known.label.name == comm)
    }

    fn rescan(&mut self, now: KernelTime) {
        let mut found = (self.source)();
        found.sort_by_key(|process| process.pid);
        let pids: BTreeSet<u32> = found.iter().map(|process| process.pid).collect();
        for (pid, known) in &mut self.known {
            if !pids.contains(pid) {
                known.missed_at.get_or_insert(now);
            }
        }
        self.known.retain(|_, known| known.missed_at.is_none_or(|at| now.since(at) <= REMEMBER_DEAD));
        for process in &found {
            self.learn(process, &found);
        }
    }

    fn learn(&mut self, process: &FoundProcess, all: &[FoundProcess]) {
        let role = role(process, all);
        let before = self.known.get(&process.pid).filter(|known| known.parent == process.parent);
        let ordinal = match (role, before.and_then(|known| known.label.ordinal)) {
            (Role::Worker, None) => Some(self.free_ordinal(process.parent)),
            (Role::Worker, kept) => kept,
            (Role::Master | Role::Cache | Role::Other, _) => None,
        };
        let label = ProcessLabel { pid: process.pid, name: process.comm.clone(), role, ordinal };
        let shutting_down = process.title.contains("is shutting down");
        self.known.insert(process.pid, Known { label, parent: process.parent, shutting_down, missed_at: None });
    }

    /// The smallest ordinal that no serving worker of this master holds.
    fn free_ordinal(&self, master: u32) -> u32 {
        let serving = |known: &&Known| known.parent == master && known.missed_at.is_none() && !known.shutting_down;
        let taken: BTreeSet<u32> =
            self.known.values().filter(serving).filter_map(|known| known.label.ordinal).collect();
        (0..).find(|ordinal| !taken.contains(ordinal)).unwrap_or_default()
    }
}

/// The part a process plays, by its title and, where the title does not decide, by its place in the tree.
///
/// A worker inherits the title of its master until it sets its own, and the master that takes over in a binary upgrade
/// is a child of the old one: of these two, only the master has children. nginx with `master_process off` sets no title.
fn role(process: &FoundProcess, all: &[FoundProcess]) -> Role {
    let child_of_nginx = all.iter().any(|other| other.pid == process.parent);
    let parent_of_nginx = all.iter().any(|other| other.parent == process.pid);
    match process.title.strip_prefix("nginx: ") {
        Some(title) if title.starts_with("worker process") => Role::Worker,
        Some(title) if title.starts_with("cache ") => Role::Cache,
        Some(title) if title.starts_with("master process") && child_of_nginx && !parent_of_nginx => Role::Worker,
        Some(title) if title.starts_with("master process") => Role::Master,
        Some(_) => Role::Other,
        None if parent_of_nginx => Role::Master,
        None => Role::Worker,
    }
}

#[cfg(test)]
mod tests;
