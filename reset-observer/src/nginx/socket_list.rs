//! The TCP sockets that nginx holds in one network namespace. sock_diag lists them, once for all its processes; where
//! that is refused, `/proc/PID/net/tcp` does, which shows a process's namespace without entering it.

use std::{collections::HashSet, fs::File, net::SocketAddr, os::fd::AsFd as _, os::unix::fs::MetadataExt as _, thread};

use anyhow::{Context as _, Result, anyhow, ensure};
use procfs::process::Process;
use rustix::{
    fs::fstat,
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use crate::{nginx::sock_diag, record::TcpState};

/// A TCP socket that a process holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct HeldSocket {
    /// Number of the socket, as in the target of `/proc/PID/fd/N`.
    pub(super) inode: u64,
    pub(super) state: TcpState,
    pub(super) local: SocketAddr,
    pub(super) remote: SocketAddr,
}

/// The sockets with these inodes in the network namespace `netns`, in which process `pid` lives.
///
/// # Errors
/// If the namespace cannot be entered (CAP_SYS_ADMIN is missing, or a sandbox forbids it), or sock_diag gives no list.
pub(super) fn by_sock_diag(netns: u32, pid: u32, held: &HashSet<u64>) -> Result<Vec<HeldSocket>> {
    if own_namespace().is_some_and(|own| own == netns) {
        return sock_diag::tcp_sockets(held);
    }
    inside(netns, pid, || sock_diag::tcp_sockets(held))
}

/// The same as `/proc` tells it of the namespace of process `pid`; nothing if the process is gone.
pub(super) fn by_proc(pid: u32, held: &HashSet<u64>) -> Vec<HeldSocket> {
    let Some(process) = i32::try_from(pid).ok().and_then(|pid| Process::new(pid).ok()) else { return Vec::new() };
    let mut entries = process.tcp().unwrap_or_default();
    // Absent on a kernel without IPv6.
    entries.extend(process.tcp6().unwrap_or_default());
    let held = entries.into_iter().filter(|entry| held.contains(&entry.inode));
    held.filter_map(|entry| {
        let (inode, local, remote) = (entry.inode, entry.local_address, entry.remote_address);
        Some(HeldSocket { inode, state: TcpState::from_u8(entry.state.to_u8())?, local, remote })
    })
    .collect()
}

fn own_namespace() -> Option<u32> {
    u32::try_from(std::fs::metadata("/proc/self/ns/net").ok()?.ino()).ok()
}

/// Works on a thread that enters the namespace and ends with the work, so that no other work is done in there.
fn inside<T: Send>(netns: u32, pid: u32, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let namespace =
        File::open(format!("/proc/{pid}/ns/net")).context("the network namespace of nginx is closed to us")?;
    // The process may have ended meanwhile, and its id be that of another one.
    ensure!(fstat(&namespace).is_ok_and(|found| found.st_ino == u64::from(netns)), "process {pid} has moved or ended");
    let task = || {
        move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
            .context("entering the network namespace of nginx is refused (CAP_SYS_ADMIN brings it)")?;
        work()
    };
    thread::scope(|scope| scope.spawn(task).join()).map_err(|_| anyhow!("reading the sockets of nginx panicked"))?
}

#[cfg(test)]
mod tests;
