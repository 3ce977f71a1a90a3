//! What becomes of what was found: parts, instances, ordinals.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use super::{FoundProcess, InstanceId, MAX_KNOWN, NginxProcesses, instance, known::Known, recognise};
use crate::{
    record::KernelTime,
    verdict::{ProcessLabel, Role},
};

/// How long a process that is gone stays known. Records of a worker are read after it died: they wait in the ring
/// buffer, and a verdict waits for the settle window.
const REMEMBER_DEAD: Duration = Duration::from_secs(60);

impl NginxProcesses {
    /// Takes the processes of all proxies: those that are not among them have ended.
    pub(super) fn update(&mut self, mut found: Vec<FoundProcess>, now: KernelTime) {
        found.truncate(MAX_KNOWN);
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
            let serving = serving.map(|known| known.found.pid).collect();
            let died = |pid| self.known.get(&pid).is_some_and(|known| known.died);
            self.reloads += u64::from(kept.note_serving(serving, died));
            let known = self.known.values_mut().filter(|known| known.instance == Some(*id) && known.is_serving());
            known.for_each(|known| _ = known.generation.get_or_insert(kept.generation));
        }
    }

    /// Takes processes of proxies, in whatever order.
    pub(super) fn learn(&mut self, mut found: Vec<FoundProcess>) {
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
        let (master, ordinal, instance, generation, aliases) = match &before {
            Some(known) => {
                let Known { label, instance, generation, aliases, .. } = known;
                (label.master, label.ordinal, *instance, *generation, aliases.clone())
            }
            None => (self.master_of(&process), None, None, None, Vec::new()),
        };
        let instance = instance.or_else(|| self.instance_for(&process));
        let ordinal = match role {
            Role::Worker => ordinal.or_else(|| Some(self.free_ordinal(instance, master))),
            Role::Master | Role::Cache | Role::Other => None,
        };
        let name = process.comm.clone();
        let label = ProcessLabel { pid: process.pid, name, role, inner_pid: process.inner_pid, master, ordinal };
        let known =
            Known { label, found: process, instance, generation, aliases, ended_at: None, is_gone: false, died: false };
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

    /// The smallest ordinal that no serving worker of this master holds, nor one of another instance. Those of another
    /// master of this instance are to be replaced, and their heirs take over their ordinals.
    fn free_ordinal(&self, instance: Option<InstanceId>, master: Option<u32>) -> u32 {
        let is_apart = |known: &Known| known.instance != instance || known.label.master == master;
        let fellow = |known: &&Known| known.is_serving() && is_apart(known);
        let taken: BTreeSet<u32> = self.known.values().filter(fellow).filter_map(|known| known.label.ordinal).collect();
        (0..).find(|ordinal| !taken.contains(ordinal)).unwrap_or_default()
    }
}
