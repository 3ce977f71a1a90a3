//! Where nginx listens, and which connections its workers had open before the observer started.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    net::SocketAddr,
};

use crate::nginx::processes::NginxProcesses;

/// A socket that nginx listens on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListeningSocket {
    /// Inode of its network namespace; `None` if that may not be read, which matches any.
    pub netns: Option<u32>,
    /// Its address, which may be the unspecified one.
    pub address: SocketAddr,
}

/// A connection that a worker holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Inode of its network namespace; `None` if that may not be read, which matches any.
    pub netns: Option<u32>,
    /// The worker's end.
    pub local: SocketAddr,
    /// The other end.
    pub remote: SocketAddr,
    /// Process id of the worker.
    pub worker: u32,
}

/// What `/proc` would not tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Denied {
    /// Which network namespace a process is in.
    NetworkNamespace,
    /// Which sockets a process holds.
    FileDescriptors,
}

impl Denied {
    /// What is missing, what that costs, and which right brings it back.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::NetworkNamespace => {
                "cannot read the network namespaces of nginx, so that equal addresses in different namespaces are \
                 taken for one: grant CAP_SYS_PTRACE"
            }
            Self::FileDescriptors => {
                "cannot read the file descriptors of all nginx processes, so that client connections, or connections \
                 older than the observer, are not recognised: grant CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH"
            }
        }
    }
}

/// One look at the sockets of nginx.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoundSockets {
    /// Listening sockets.
    pub listening: Vec<ListeningSocket>,
    /// Connections in use, of clients and to upstream servers alike.
    pub open: Vec<Connection>,
    /// What could not be read.
    pub denied: BTreeSet<Denied>,
    /// Why the sockets were read from `/proc/PID/net/tcp`, which knows the same and takes longer; `None` if sock_diag
    /// listed them.
    pub without_sock_diag: Option<String>,
}

/// Where sockets come from: `/proc`, or a recording. It is given the ids of nginx's processes.
pub type SocketSource = Box<dyn Fn(&[u32]) -> FoundSockets + Send>;

/// Beyond this many connections those of earlier scans are dropped: some 10 MiB, and more than nginx holds by default.
const MAX_REMEMBERED: usize = 1 << 16;

type Ends = (SocketAddr, SocketAddr);

/// nginx's listening sockets, and the upstream connections that were open at a scan.
pub struct NginxSockets {
    source: SocketSource,
    listening: HashSet<ListeningSocket>,
    upstream: HashMap<Ends, Vec<Connection>>,
    denied: BTreeSet<Denied>,
    without_sock_diag: Option<String>,
}

impl NginxSockets {
    /// Reads the sockets of `processes` from `/proc`. What may not be read is left out, with a warning that names the
    /// missing capability.
    #[must_use]
    pub fn scan(processes: &NginxProcesses) -> Self {
        Self::from_source(Box::new(crate::nginx::proc_fs::nginx_sockets), processes)
    }

    /// Asks `source` once, and again at each rescan.
    #[must_use]
    pub fn from_source(source: SocketSource, processes: &NginxProcesses) -> Self {
        let (listening, upstream, denied) = Default::default();
        let mut sockets = Self { source, listening, upstream, denied, without_sock_diag: None };
        sockets.rescan(processes);
        sockets
    }

    /// A fixed set of sockets, for recordings and tests.
    #[must_use]
    pub fn fixed(found: FoundSockets) -> Self {
        Self::from_source(Box::new(move |_| found.clone()), &NginxProcesses::fixed(Vec::new()))
    }

    /// Reads the sockets again, after nginx reloaded or restarted.
    pub fn rescan(&mut self, processes: &NginxProcesses) {
        let mut pids: Vec<u32> = processes.alive().map(|label| label.pid).collect();
        pids.sort_unstable();
        let found = (self.source)(&pids);
        for denied in found.denied.difference(&self.denied) {
            log::warn!("{}", denied.sentence());
        }
        self.denied = found.denied;
        self.without_sock_diag = found.without_sock_diag;
        self.listening = found
            .listening
            .into_iter()
            .map(|socket| ListeningSocket { address: canonical(socket.address), ..socket })
            .collect();
        self.remember_upstream(found.open);
    }

    /// Adds to what is known, because records of a connection may be read after it is gone from the tables.
    fn remember_upstream(&mut self, open: Vec<Connection>) {
        let mut fresh: HashMap<Ends, Vec<Connection>> = HashMap::new();
        for connection in open {
            if !self.listens_on(connection.netns, connection.local) {
                let ends = (canonical(connection.local), canonical(connection.remote));
                fresh.entry(ends).or_default().push(connection);
            }
        }
        if self.upstream.len() + fresh.len() > MAX_REMEMBERED {
            self.upstream.clear();
        }
        for (ends, found) in fresh {
            let known = self.upstream.entry(ends).or_default();
            known.retain(|old| !found.iter().any(|new| same_namespace(old.netns, new.netns)));
            known.extend(found);
        }
    }

    /// Whether nginx listens on this local address, by itself or by the unspecified address of its family, in this
    /// network namespace (`None`: in any). `[::]` also takes IPv4 connections unless `ipv6only` is set, which the
    /// tables do not show: such a pair of listeners is one nginx anyway.
    #[must_use]
    pub fn listens_on(&self, netns: Option<u32>, local: SocketAddr) -> bool {
        let local = canonical(local);
        self.listening.iter().any(|socket| same_namespace(socket.netns, netns) && accepts(socket.address, local))
    }

    /// How many addresses nginx listens on.
    #[must_use]
    pub fn listening(&self) -> usize {
        self.listening.len()
    }

    /// The addresses that nginx listens on, each once, in order.
    #[must_use]
    pub fn addresses(&self) -> BTreeSet<SocketAddr> {
        self.listening.iter().map(|socket| socket.address).collect()
    }

    /// What could not be read at the last scan.
    #[must_use]
    pub fn denied(&self) -> &BTreeSet<Denied> {
        &self.denied
    }

    /// Why sock_diag did not list the sockets at the last scan; `None` if it did.
    #[must_use]
    pub fn without_sock_diag(&self) -> Option<&str> {
        self.without_sock_diag.as_deref()
    }

    /// The process id of the worker that had this upstream connection open at a scan.
    #[must_use]
    pub fn opened_by(&self, netns: Option<u32>, local: SocketAddr, remote: SocketAddr) -> Option<u32> {
        let connections = self.upstream.get(&(canonical(local), canonical(remote)))?;
        connections.iter().find(|connection| same_namespace(connection.netns, netns)).map(|found| found.worker)
    }

    /// Drops what is known of a connection: its addresses are in use by a newer one in its network namespace.
    pub fn forget(&mut self, netns: Option<u32>, local: SocketAddr, remote: SocketAddr) {
        let ends = (canonical(local), canonical(remote));
        let Some(connections) = self.upstream.get_mut(&ends) else { return };
        connections.retain(|connection| !same_namespace(connection.netns, netns));
        if connections.is_empty() {
            self.upstream.remove(&ends);
        }
    }
}

fn same_namespace(one: Option<u32>, other: Option<u32>) -> bool {
    one.is_none() || other.is_none() || one == other
}

fn accepts(listener: SocketAddr, local: SocketAddr) -> bool {
    listener.port() == local.port()
        && (listener.ip() == local.ip() || listener.ip().is_unspecified() && (listener.is_ipv6() || local.is_ipv4()))
}

/// An IPv4 address in IPv6 clothes is the IPv4 address: a `[::]` socket shows it one way, an IPv4 one the other.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

#[cfg(test)]
mod tests;
