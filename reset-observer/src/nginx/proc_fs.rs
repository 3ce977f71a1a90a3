//! What `/proc` says about nginx. Everything here reads a moving target: an entry that vanishes is no error.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    io,
    os::unix::fs::MetadataExt,
};

use procfs::{
    ProcError,
    process::{FDTarget, Process},
};

use crate::{
    nginx::{
        socket_list::{self, HeldSocket},
        sockets::{Connection, Denied, FoundSockets, ListeningSocket},
    },
    record::TcpState,
};

pub(super) mod processes;

/// The sockets of these nginx processes: their own file descriptors, looked up in one list of sockets for each of their
/// network namespaces.
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
    let held: HashSet<u64> = holders.keys().copied().collect();
    for socket in held_sockets(netns, pids, &held, found) {
        if let Some(&holder) = holders.get(&socket.inode) {
            found.add(netns, &socket, holder);
        }
    }
}

/// One list serves all processes of a known namespace. Without a known one each process may be in another.
fn held_sockets(netns: Option<u32>, pids: &[u32], held: &HashSet<u64>, found: &mut FoundSockets) -> Vec<HeldSocket> {
    if held.is_empty() {
        return Vec::new();
    }
    let (Some(netns), Some(&any)) = (netns, pids.first()) else {
        let mut seen = HashSet::new();
        let sockets = pids.iter().flat_map(|&pid| socket_list::by_proc(pid, held));
        return sockets.filter(|socket| seen.insert(socket.inode)).collect();
    };
    socket_list::by_sock_diag(netns, any, held).unwrap_or_else(|error| {
        let reason = format!("{error:#}");
        log::debug!("the sockets of nginx are read from /proc/{any}/net/tcp: {reason}");
        found.without_sock_diag = Some(reason);
        socket_list::by_proc(any, held)
    })
}

fn socket_inodes(pid: u32) -> Result<Vec<u64>, ProcError> {
    let descriptors = open(pid)?.fd()?;
    Ok(descriptors
        .filter_map(|descriptor| if let FDTarget::Socket(inode) = descriptor.ok()?.target { Some(inode) } else { None })
        .collect())
}

fn open(pid: u32) -> Result<Process, ProcError> {
    Process::new(i32::try_from(pid).map_err(|error| ProcError::Other(error.to_string()))?)
}

impl FoundSockets {
    fn add(&mut self, netns: Option<u32>, socket: &HeldSocket, worker: u32) {
        match socket.state {
            TcpState::Listen => self.listening.push(ListeningSocket { netns, address: socket.local }),
            TcpState::Established | TcpState::SynSent | TcpState::CloseWait => {
                self.open.push(Connection { netns, local: socket.local, remote: socket.remote, worker });
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
