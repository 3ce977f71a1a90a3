//! What `/proc` says about nginx. Everything here reads a moving target: an entry that vanishes is no error.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    os::unix::fs::MetadataExt,
};

use procfs::{
    ProcError,
    net::{TcpNetEntry, TcpState},
    process::{FDTarget, Process},
};

use crate::nginx::sockets::{Connection, Denied, FoundSockets, ListeningSocket};

pub(super) mod processes;

/// The sockets of these nginx processes. Only their own file descriptors and the tables of their own network
/// namespaces are read.
pub(super) fn nginx_sockets(pids: &[u32]) -> FoundSockets {
    let mut found = FoundSockets::default();
    let mut namespaces: BTreeMap<Option<u32>, Vec<u32>> = BTreeMap::new();
    for &pid in pids {
        match network_namespace(pid) {
            Ok(inode) => namespaces.entry(Some(inode)).or_default().push(pid),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                found.denied.insert(Denied::NetworkNamespace);
                namespaces.entry(None).or_default().push(pid);
            }
            Err(_vanished) => {}
        }
    }
    for (netns, pids) in namespaces {
        sockets_of_namespace(netns, &pids, &mut found);
    }
    found
}

fn network_namespace(pid: u32) -> io::Result<u32> {
    let inode = std::fs::metadata(format!("/proc/{pid}/ns/net"))?.ino();
    u32::try_from(inode).map_err(io::Error::other)
}

fn sockets_of_namespace(netns: Option<u32>, pids: &[u32], found: &mut FoundSockets) {
    let mut holders: HashMap<u64, u32> = HashMap::new();
    for &pid in pids {
        match socket_inodes(pid) {
            Ok(inodes) => holders.extend(inodes.into_iter().map(|inode| (inode, pid))),
            Err(ProcError::PermissionDenied(_)) => _ = found.denied.insert(Denied::FileDescriptors),
            Err(_vanished) => {}
        }
    }
    // Without a known namespace each process may be in another one, and each table has to be read.
    let tables = if netns.is_some() { &pids[..pids.len().min(1)] } else { pids };
    let mut seen = HashSet::new();
    for entry in tables.iter().flat_map(|&pid| tcp_table(pid)) {
        if let Some(&holder) = holders.get(&entry.inode)
            && seen.insert(entry.inode)
        {
            found.add(netns, &entry, holder);
        }
    }
}

fn socket_inodes(pid: u32) -> Result<Vec<u64>, ProcError> {
    let descriptors = open(pid)?.fd()?;
    Ok(descriptors
        .filter_map(|descriptor| if let FDTarget::Socket(inode) = descriptor.ok()?.target { Some(inode) } else { None })
        .collect())
}

fn tcp_table(pid: u32) -> Vec<TcpNetEntry> {
    let Ok(process) = open(pid) else { return Vec::new() };
    let mut entries = process.tcp().unwrap_or_default();
    // Absent on a kernel without IPv6.
    entries.extend(process.tcp6().unwrap_or_default());
    entries
}

fn open(pid: u32) -> Result<Process, ProcError> {
    Process::new(i32::try_from(pid).map_err(|error| ProcError::Other(error.to_string()))?)
}

impl FoundSockets {
    fn add(&mut self, netns: Option<u32>, entry: &TcpNetEntry, worker: u32) {
        match entry.state {
            TcpState::Listen => self.listening.push(ListeningSocket { netns, address: entry.local_address }),
            TcpState::Established | TcpState::SynSent | TcpState::CloseWait => {
                let (local, remote) = (entry.local_address, entry.remote_address);
                self.open.push(Connection { netns, local, remote, worker });
            }
            // nginx has let go of these, or never had them.
            TcpState::SynRecv
            | TcpState::FinWait1
            | TcpState::FinWait2
            | TcpState::TimeWait
            | TcpState::Close
            | TcpState::LastAck
            | TcpState::Closing
            | TcpState::NewSynRecv => {}
        }
    }
}

#[cfg(test)]
mod tests;
