//! Whose a record is: on which leg, held by which process, leading to which upstream server.

use std::{net::SocketAddr, sync::Arc};

use crate::{
    container::{Container, Containers},
    nginx::{
        configurations::Configurations, processes::NginxProcesses, sockets::NginxSockets,
        upstream_settings::UpstreamSettings,
    },
    record::{KernelTime, Process, ProcessEvent, Record},
    recording::Placing,
    verdict::{Leg, ProcessLabel, Role, UpstreamLabel},
};

/// A record with its place in nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributed {
    /// What the kernel said.
    pub record: Arc<Record>,
    /// Where it belongs, the same for many records.
    pub placing: Arc<Placing>,
}

#[cfg(test)]
impl Attributed {
    /// The record, to be changed.
    pub(crate) fn record_mut(&mut self) -> &mut Record {
        Arc::make_mut(&mut self.record)
    }

    /// Where it belongs, to be changed.
    pub(crate) fn placing_mut(&mut self) -> &mut Placing {
        Arc::make_mut(&mut self.placing)
    }

    /// The same record in another place.
    pub(crate) fn placed(mut self, change: impl FnOnce(&mut Placing)) -> Self {
        change(self.placing_mut());
        self
    }
}

/// Gives each record its place.
pub struct Attributor {
    processes: NginxProcesses,
    sockets: NginxSockets,
    containers: Option<Containers>,
    configurations: Option<Configurations>,
}

impl Attributor {
    /// Attributes by these processes and sockets, which it reads again when an unknown nginx process shows up.
    #[must_use]
    pub fn new(processes: NginxProcesses, sockets: NginxSockets) -> Self {
        Self { processes, sockets, containers: None, configurations: None }
    }

    /// Names the containers of processes, too.
    #[must_use]
    pub fn with_containers(self, containers: Containers) -> Self {
        Self { containers: Some(containers), ..self }
    }

    /// Names upstream servers by what nginx was told, too.
    #[must_use]
    pub fn with_configurations(self, configurations: Configurations) -> Self {
        Self { configurations: Some(configurations), ..self }
    }

    /// What the instances of nginx were told, where that is read.
    #[must_use]
    pub fn configurations(&self) -> Option<&Configurations> {
        self.configurations.as_ref()
    }

    /// The name of a server as verdicts give it, and what counts for it, where the instances of nginx agree.
    pub fn name_server(&mut self, remote: SocketAddr) -> (Arc<UpstreamLabel>, Option<Arc<UpstreamSettings>>) {
        let found = self.configurations.as_mut().and_then(|all| all.server_of_any(remote));
        let (label, settings) =
            found.map_or_else(|| (unnamed(remote), None), |found| (found.label, Some(found.settings)));
        (Arc::new(label), settings)
    }

    /// nginx's processes as known by now.
    #[must_use]
    pub fn processes(&self) -> &NginxProcesses {
        &self.processes
    }

    /// Finds the record's leg, process and upstream server. The rules, in order:
    ///
    /// 1. An nginx worker opened it: upstream.
    /// 2. A worker had it open before the observer started, and nobody opened it since: upstream.
    /// 3. nobody is known to have opened it and nginx listens on its local address: client.
    /// 4. Anything else: other.
    pub fn attribute(&mut self, record: impl Into<Arc<Record>>) -> Attributed {
        let record = record.into();
        self.refresh(&record);
        let (leg, process) = match self.upstream_worker(&record) {
            Some(worker) => (Leg::Upstream, Some(worker)),
            None => (self.other_leg(&record), record.current.as_ref().map(|current| self.label(current))),
        };
        let container = self.container(&record, process.as_ref());
        let worker = process.as_ref().filter(|_| leg == Leg::Upstream);
        let instance = worker.and_then(|worker| self.processes.instance_of(worker.pid));
        let (upstream, settings) = match worker.map(|worker| worker.pid) {
            Some(worker) => self.upstream(worker, record.remote),
            None => (None, None),
        };
        let ordinal = process.as_ref().and_then(|process| process.ordinal);
        let process = process.map(Arc::new);
        let placing = Placing { leg, process, ordinal, container, upstream, settings, instance };
        Attributed { record, placing: Arc::new(placing) }
    }

    /// Takes what happened to a process.
    pub fn note(&mut self, event: &ProcessEvent) {
        self.processes.note(event);
    }

    /// When [`Self::refresh_due`] has something to do.
    #[must_use]
    pub fn next_look(&self) -> Option<KernelTime> {
        let reading = self.configurations.as_ref().and_then(Configurations::next_look);
        self.processes.next_look().into_iter().chain(reading).min()
    }

    /// Looks at nginx again if that is due: a worker ended a moment ago.
    pub fn refresh_due(&mut self, now: KernelTime) {
        if self.processes.refresh_due(now) {
            self.sockets.rescan(&self.processes);
        }
        if let Some(configurations) = &mut self.configurations {
            configurations.refresh(&self.processes, now);
            configurations.collect(now);
        }
    }

    fn refresh(&mut self, record: &Record) {
        let owner = record.owner.as_ref().map(|owner| &owner.process);
        for process in owner.into_iter().chain(&record.current) {
            if self.processes.refresh_if_unknown(process.tgid, &process.comm, record.at) {
                self.sockets.rescan(&self.processes);
            }
        }
        if let Some(configurations) = &mut self.configurations {
            configurations.refresh(&self.processes, record.at);
        }
        if owner.is_some() {
            self.sockets.forget(record.netns, record.local, record.remote);
        }
    }

    fn upstream_worker(&self, record: &Record) -> Option<ProcessLabel> {
        let Some(owner) = &record.owner else {
            let worker = self.sockets.opened_by(record.netns, record.local, record.remote)?;
            let known = self.processes.worker(worker).cloned();
            return Some(known.unwrap_or_else(|| self.processes.label(worker, "nginx")));
        };
        Some(self.label(&owner.process)).filter(|label| label.role == Role::Worker)
    }

    fn other_leg(&self, record: &Record) -> Leg {
        if record.owner.is_none() && self.sockets.listens_on(record.netns, record.local) {
            Leg::Client
        } else {
            Leg::Other
        }
    }

    /// The server at the other end of a connection of this worker's, and what counts for it. After a reload old workers
    /// go by what they were told, new ones by what was read anew.
    pub fn upstream(
        &mut self,
        worker: u32,
        remote: SocketAddr,
    ) -> (Option<Arc<UpstreamLabel>>, Option<Arc<UpstreamSettings>>) {
        let instance = self.processes.instance_of(worker).zip(self.processes.generation_of(worker));
        let told = self.configurations.as_mut().zip(instance);
        let found = told.and_then(|(all, (instance, generation))| all.server(instance, generation, remote));
        match found {
            Some(found) => (Some(Arc::new(found.label)), Some(found.settings)),
            None => (Some(Arc::new(unnamed(remote))), None),
        }
    }

    fn container(&mut self, record: &Record, process: Option<&ProcessLabel>) -> Option<Arc<Container>> {
        let process = process.map(|label| (label.pid, label.name.as_str()));
        self.containers.as_mut()?.find(record.cgroup_id, process, record.at).map(Arc::new)
    }

    fn label(&self, process: &Process) -> ProcessLabel {
        self.processes.label(process.tgid, &process.comm)
    }
}

fn unnamed(remote: SocketAddr) -> UpstreamLabel {
    UpstreamLabel { name: None, server: remote.to_string() }
}

#[cfg(test)]
mod tests;
