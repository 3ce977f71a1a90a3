//! The proxies of this host: nginx's masters and workers, and programs named by `--process`.
//!
//! All of `/proc` is read once at the start. Later an unknown process is looked at when it shows up in a record, and if
//! it is a proxy, its relatives are: its master, and the children of all masters. All of `/proc` is read again only
//! where a process that bears a proxy's name is gone already, or where the kernel does not list children.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    time::Duration,
};

use crate::{
    record::{Fate, KernelTime, ProcessEvent},
    verdict::{ProcessLabel, Role},
};

mod found;
mod instance;
mod known;
mod name;
pub(crate) mod recognise;
mod relatives;

pub use found::{FoundProcess, Namespaces, ProcessSource};
pub use instance::{Instance, InstanceId};
pub use name::ProcessName;
pub use recognise::Profile;

use known::Known;

/// Readings of all of `/proc` are at least this far apart: one costs some 30 ms of CPU where a thousand processes run.
const SCAN_INTERVAL: Duration = Duration::from_secs(5);

/// Looks at the relatives are at least this far apart: one costs a few milliseconds with a hundred workers.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);

/// So long after the end of a worker its master has replaced it.
const REPLACED_WITHIN: Duration = Duration::from_millis(200);

/// How long a process that is gone stays known. Records of a worker are read after it died: they wait in the ring
/// buffer, and a verdict waits for the settle window.
const REMEMBER_DEAD: Duration = Duration::from_secs(60);

/// Strangers to remember, some 256 KiB: beyond that, all are forgotten and looked at again when they show up.
const MAX_STRANGERS: usize = 4096;

/// Strangers to look at per second; one look costs some 50 µs.
const STRANGERS_PER_SECOND: u32 = 100;

/// The proxies of this host: their processes alive at the last look, and those that ended within the last minute.
pub struct NginxProcesses {
    source: Box<dyn ProcessSource>,
    names: Vec<ProcessName>,
    known: HashMap<u32, Known>,
    instances: BTreeMap<InstanceId, instance::Kept>,
    next_instance: u32,
    /// Processes that were looked at and are no proxies, by the name they bore then.
    strangers: HashSet<(u32, String)>,
    /// Strangers looked at, and since when.
    strangers_seen: (KernelTime, u32),
    scanned_at: Option<KernelTime>,
    looked_at: Option<KernelTime>,
    next_look: Option<KernelTime>,
    revision: u64,
}

impl NginxProcesses {
    /// Reads `/proc` for nginx. Processes that vanish while it reads are left out; without a mounted `/proc` there are
    /// none.
    #[must_use]
    pub fn scan() -> Self {
        Self::scan_for(Vec::new())
    }

    /// Reads `/proc` for nginx and for programs with these names.
    #[must_use]
    pub fn scan_for(names: Vec<ProcessName>) -> Self {
        let source = crate::nginx::proc_fs::processes::ProcFs::new(names.clone());
        Self::from_source_for(Box::new(source), names)
    }

    /// Asks `source` for nginx once, and again when an unknown process shows up.
    #[must_use]
    pub fn from_source(source: Box<dyn ProcessSource>) -> Self {
        Self::from_source_for(source, Vec::new())
    }

    fn from_source_for(source: Box<dyn ProcessSource>, names: Vec<ProcessName>) -> Self {
        let found = source.all();
        let mut processes = Self {
            source,
            names,
            known: HashMap::new(),
            instances: BTreeMap::new(),
            next_instance: 0,
            strangers: HashSet::new(),
            strangers_seen: (KernelTime(0), 0),
            scanned_at: None,
            looked_at: None,
            next_look: None,
            revision: 0,
        };
        processes.update(found, KernelTime(0));
        processes
    }

    /// A fixed set of processes, for recordings and tests.
    #[must_use]
    pub fn fixed(found: Vec<FoundProcess>) -> Self {
        Self::from_source(Box::new(move || found.clone()))
    }

    /// The label of the worker with this thread group id.
    #[must_use]
    pub fn worker(&self, tgid: u32) -> Option<&ProcessLabel> {
        self.known.get(&tgid).map(|known| &known.label).filter(|label| label.role == Role::Worker)
    }

    /// The label of any process. One that bears a proxy's name and is in no process list (it died too soon, or lives
    /// in a pid namespace that `/proc` does not show) is taken for a worker: of nginx, only workers open connections.
    #[must_use]
    pub fn label(&self, tgid: u32, comm: &str) -> ProcessLabel {
        if let Some(known) = self.known.get(&tgid).filter(|known| known.goes_by(comm)) {
            return known.label.clone();
        }
        let is_stranger = self.strangers.contains(&(tgid, comm.to_owned()));
        let role = if !is_stranger && self.is_name_of_proxy(comm) { Role::Worker } else { Role::Other };
        ProcessLabel { pid: tgid, name: comm.to_owned(), role, inner_pid: None, master: None, ordinal: None }
    }

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
        if self.looked_at.is_some_and(|at| now.since(at) < LOOK_INTERVAL) {
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
        self.known.entry(tgid).or_insert_with(|| Known::unseen(label, now));
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
        let Fate::Ended(_) = event.fate else { return };
        let known = self.known.get_mut(&event.process.tgid).filter(|known| known.is_alive());
        if let Some(known) = known {
            (known.ended_at, known.is_gone) = (Some(event.at), true);
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

    /// Whether any proxy's process was alive at the last look.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.alive().next().is_some()
    }

    /// How many masters were alive at the last look.
    #[must_use]
    pub fn masters(&self) -> usize {
        self.alive().filter(|label| label.role == Role::Master).count()
    }

    /// How many workers were alive at the last look.
    #[must_use]
    pub fn workers(&self) -> usize {
        self.alive().filter(|label| label.role == Role::Worker).count()
    }

    /// The labels of all processes that were alive at the last look, in no order.
    pub fn alive(&self) -> impl Iterator<Item = &ProcessLabel> {
        self.known.values().filter(|known| known.is_alive()).map(|known| &known.label)
    }

    /// Grows whenever a process of a proxy came, ended or changed its part: what was read of instances may be outdated.
    #[must_use]
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// The instance of a process that is alive or ended within the last minute.
    #[must_use]
    pub fn instance_of(&self, tgid: u32) -> Option<InstanceId> {
        self.known.get(&tgid)?.instance
    }

    /// All instances, oldest first.
    pub fn instances(&self) -> impl Iterator<Item = Instance> + '_ {
        self.instances.iter().map(|(id, kept)| Instance {
            id: *id,
            profile: kept.profile,
            masters: self.members(*id, Role::Master),
            workers: self.members(*id, Role::Worker),
            namespaces: kept.namespaces,
            started: kept.started,
            generation: kept.generation,
        })
    }

    fn members(&self, id: InstanceId, role: Role) -> Vec<u32> {
        let is_member = |known: &&Known| known.is_alive() && known.instance == Some(id) && known.label.role == role;
        let mut members: Vec<&FoundProcess> = self.known.values().filter(is_member).map(|known| &known.found).collect();
        members.sort_by_key(|process| (process.started, process.pid));
        members.into_iter().map(|process| process.pid).collect()
    }

    fn is_name_of_proxy(&self, comm: &str) -> bool {
        recognise::is_comm_of_nginx(comm)
            || self.names.iter().any(|name| name.is_comm(comm))
            || self.known.values().any(|known| known.label.name == comm && known.label.role != Role::Other)
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

    /// Takes the processes of all proxies: those that are not among them have ended.
    fn update(&mut self, found: Vec<FoundProcess>, now: KernelTime) {
        for (pid, known) in &mut self.known {
            if known.is_alive() && !found.iter().any(|process| process.pid == *pid) {
                known.ended_at = Some(now);
                self.revision += 1;
            }
        }
        self.learn(found);
        self.known.retain(|_, known| known.ended_at.is_none_or(|at| now.since(at) <= REMEMBER_DEAD));
        let members: BTreeSet<InstanceId> = self.known.values().filter_map(|known| known.instance).collect();
        self.instances.retain(|id, _| members.contains(id));
        self.note_serving();
    }

    fn note_serving(&mut self) {
        for (id, kept) in &mut self.instances {
            let serving = self.known.values().filter(|known| known.instance == Some(*id) && known.is_serving());
            kept.note_serving(serving.map(|known| known.found.pid).collect());
        }
    }

    /// Takes processes of proxies, in whatever order.
    fn learn(&mut self, mut found: Vec<FoundProcess>) {
        // An ending process can be seen for a moment after the kernel told of its end.
        found.retain(|process| {
            !self.known.get(&process.pid).is_some_and(|known| known.is_gone && known.found.is_same(process))
        });
        // Masters are older than their workers, so their instances are known first.
        found.sort_by_key(|process| (process.started, process.pid));
        let mut all: BTreeMap<u32, FoundProcess> = self
            .known
            .values()
            .filter(|known| known.is_alive())
            .map(|known| (known.found.pid, known.found.clone()))
            .collect();
        all.extend(found.iter().map(|process| (process.pid, process.clone())));
        for process in found {
            let role = recognise::role(&process, all.values());
            self.take(process, role);
        }
    }

    fn take(&mut self, process: FoundProcess, role: Role) {
        let before = self.known.remove(&process.pid).filter(|known| known.found.is_same(&process));
        let (master, ordinal, instance, aliases) = match &before {
            Some(known) => (known.label.master, known.label.ordinal, known.instance, known.aliases.clone()),
            None => (self.master_of(&process), None, None, Vec::new()),
        };
        let instance = instance.or_else(|| self.instance_for(&process));
        let ordinal = match role {
            Role::Worker => ordinal.or_else(|| Some(self.free_ordinal(instance, master))),
            Role::Master | Role::Cache | Role::Other => None,
        };
        let name = process.comm.clone();
        let label = ProcessLabel { pid: process.pid, name, role, inner_pid: process.inner_pid, master, ordinal };
        let known = Known { label, found: process, instance, aliases, ended_at: None, is_gone: false };
        if before.is_none_or(|before| !before.looks_like(&known)) {
            self.revision += 1;
        }
        self.known.insert(known.found.pid, known);
    }

    fn master_of(&self, process: &FoundProcess) -> Option<u32> {
        self.known.get(&process.parent).filter(|known| known.instance.is_some()).map(|known| known.found.pid)
    }

    /// The instance of its parent, else one of orphans like it, else a new one.
    fn instance_for(&mut self, process: &FoundProcess) -> Option<InstanceId> {
        let profile = recognise::profile(process, &self.names)?;
        let parent = self.known.get(&process.parent).and_then(|parent| parent.instance);
        let kin = parent.or_else(|| self.known.values().find(|known| known.is_fellow_orphan(process))?.instance);
        Some(kin.unwrap_or_else(|| {
            let id = InstanceId(self.next_instance);
            self.next_instance += 1;
            self.instances.insert(id, instance::Kept::new(process, profile));
            id
        }))
    }

    /// The smallest ordinal that no serving worker of this master holds.
    fn free_ordinal(&self, instance: Option<InstanceId>, master: Option<u32>) -> u32 {
        let fellow = |known: &&Known| (known.instance, known.label.master) == (instance, master) && known.is_serving();
        let taken: BTreeSet<u32> = self.known.values().filter(fellow).filter_map(|known| known.label.ordinal).collect();
        (0..).find(|ordinal| !taken.contains(ordinal)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
