//! Whose a record is: on which leg, held by which process, leading to which upstream server.

use crate::{
    container::{Container, Containers},
    nginx::{processes::NginxProcesses, sockets::NginxSockets},
    record::{KernelTime, Process, ProcessEvent, Record},
    verdict::{Leg, ProcessLabel, Role, UpstreamLabel},
};

/// A record with its place in nginx.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attributed {
    /// What the kernel said.
    pub record: Record,
    /// Which side of nginx; never [`Leg::Backend`], which only both ends together show.
    pub leg: Leg,
    /// Who holds the connection: on the upstream leg the worker that opened it, else the process that caused the
    /// event, where there is one.
    pub process: Option<ProcessLabel>,
    /// The container, pod or service of that process.
    pub container: Option<Box<Container>>,
    /// The server at the other end, on the upstream leg.
    pub upstream: Option<UpstreamLabel>,
}

/// Gives each record its place.
pub struct Attributor {
    processes: NginxProcesses,
    sockets: NginxSockets,
    containers: Option<Containers>,
}

impl Attributor {
    /// Attributes by these processes and sockets, which it reads again when an unknown nginx process shows up.
    #[must_use]
    pub fn new(processes: NginxProcesses, sockets: NginxSockets) -> Self {
        Self { processes, sockets, containers: None }
    }

    /// Names the containers of processes, too.
    #[must_use]
    pub fn with_containers(self, containers: Containers) -> Self {
        Self { containers: Some(containers), ..self }
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
    pub fn attribute(&mut self, record: Record) -> Attributed {
        self.refresh(&record);
        let (leg, process) = match self.upstream_worker(&record) {
            Some(worker) => (Leg::Upstream, Some(worker)),
            None => (self.other_leg(&record), record.current.as_ref().map(|current| self.label(current))),
        };
        let upstream = (leg == Leg::Upstream).then(|| UpstreamLabel { name: None, server: record.remote.to_string() });
        let container = self.container(&record, process.as_ref());
        Attributed { record, leg, process, container, upstream }
    }

    /// Takes what happened to a process.
    pub fn note(&mut self, event: &ProcessEvent) {
        self.processes.note(event);
    }

    /// When [`Self::refresh_due`] has something to do.
    #[must_use]
    pub fn next_look(&self) -> Option<KernelTime> {
        self.processes.next_look()
    }

    /// Looks at nginx again if that is due: a worker ended a moment ago.
    pub fn refresh_due(&mut self, now: KernelTime) {
        if self.processes.refresh_due(now) {
            self.sockets.rescan(&self.processes);
        }
    }

    fn refresh(&mut self, record: &Record) {
        let owner = record.owner.as_ref().map(|owner| &owner.process);
        for process in owner.into_iter().chain(&record.current) {
            if self.processes.refresh_if_unknown(process.tgid, &process.comm, record.at) {
                self.sockets.rescan(&self.processes);
            }
        }
        if owner.is_some() {
            self.sockets.forget(record.local, record.remote);
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

    fn container(&mut self, record: &Record, process: Option<&ProcessLabel>) -> Option<Box<Container>> {
        let process = process.map(|label| (label.pid, label.name.as_str()));
        self.containers.as_mut()?.find(record.cgroup_id, process, record.at).map(Box::new)
    }

    fn label(&self, process: &Process) -> ProcessLabel {
        self.processes.label(process.tgid, &process.comm)
    }
}

#[cfg(test)]
mod tests;
