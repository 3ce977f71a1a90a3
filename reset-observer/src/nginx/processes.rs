//! The proxies of this host: nginx's masters and workers, and programs named by `--process`.
//!
//! All of `/proc` is read once at the start. Later an unknown process is looked at when it shows up in a record, and if
//! it is a proxy, its relatives are: its master, and the children of all masters. All of `/proc` is read again only
//! where a process that bears a proxy's name is gone already, or where the kernel does not list children.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::{
    record::KernelTime,
    verdict::{ProcessLabel, Role},
};

mod found;
mod instance;
mod known;
mod learn;
mod name;
pub(crate) mod recognise;
mod refresh;
mod relatives;

pub use found::{FoundProcess, Namespaces, ProcessSource};
pub use instance::{Instance, InstanceId};
pub use name::ProcessName;
pub use recognise::Profile;

use known::Known;

/// Processes to know of: with more, those found first are kept. Some 2 MiB.
const MAX_KNOWN: usize = 4096;

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
    reloads: u64,
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
            reloads: 0,
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

    /// How many reloads (or binary upgrades) of nginx were seen: by new workers beside the old, or in place of all of them
    /// with none that died. Two at one look are one.
    #[must_use]
    pub fn reloads(&self) -> u64 {
        self.reloads
    }

    /// The instance of a process that is alive or ended within the last minute.
    #[must_use]
    pub fn instance_of(&self, tgid: u32) -> Option<InstanceId> {
        self.known.get(&tgid)?.instance
    }

    /// The generation of its instance that a worker began to serve in, which tells by which configuration it works;
    /// `None` if that is not known. A process that ended is remembered for a minute.
    #[must_use]
    pub fn generation_of(&self, tgid: u32) -> Option<u32> {
        self.known.get(&tgid)?.generation
    }

    /// The generations of an instance that have a worker.
    #[must_use]
    pub fn generations(&self, id: InstanceId) -> BTreeSet<u32> {
        let members = self.known.values().filter(|known| known.instance == Some(id));
        members.filter_map(|known| known.generation).collect()
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
}

#[cfg(test)]
mod tests;
