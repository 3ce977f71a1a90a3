use std::{
    io::{BufRead as _, BufReader},
    net::TcpListener,
    os::fd::AsRawFd as _,
    process::{Child, Command, Stdio},
};

use super::*;

/// A process in a network namespace of its own, killed when dropped; `None` without the right to make one.
struct Apart(Child);

impl Apart {
    fn start() -> Option<Self> {
        let mut unshare = Command::new("unshare");
        unshare.args(["--net", "sh", "-c", "ip link set lo up; echo up; read -r end"]);
        let mut child = unshare.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut line = String::new();
        BufReader::new(child.stdout.as_mut()?).read_line(&mut line).ok()?;
        let apart = Self(child);
        (line == "up\n").then_some(apart)
    }

    fn netns(&self) -> u32 {
        let inode = std::fs::metadata(format!("/proc/{}/ns/net", self.0.id())).unwrap().ino();
        u32::try_from(inode).unwrap()
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

fn inode(socket: &TcpListener) -> u64 {
    std::fs::metadata(format!("/proc/self/fd/{}", socket.as_raw_fd())).unwrap().ino()
}

#[test]
fn in_our_own_namespace_both_ways_tell_the_same() {
    let listeners: Vec<_> = ["127.0.0.1:0", "[::1]:0"].iter().flat_map(TcpListener::bind).collect();
    let held: HashSet<u64> = listeners.iter().map(inode).collect();
    let pid = std::process::id();
    let asked = by_sock_diag(own_namespace().unwrap(), pid, &held).unwrap();
    assert_eq!(asked.len(), listeners.len());
    assert_eq!(asked, by_proc(pid, &held));
}

#[test]
fn sockets_of_another_namespace_are_listed_and_this_thread_stays_where_it_was() {
    let Some(apart) = Apart::start() else { return };
    let (netns, pid) = (apart.netns(), apart.0.id());
    // The socket stays in the namespace in which its thread made it.
    let there = inside(netns, pid, || Ok(TcpListener::bind("127.0.0.1:0")?)).unwrap();
    let here = TcpListener::bind("127.0.0.1:0").unwrap();
    let found = by_sock_diag(netns, pid, &HashSet::from([inode(&there), inode(&here)])).unwrap();
    assert_eq!(found.iter().map(|socket| socket.inode).collect::<Vec<_>>(), [inode(&there)]);
    assert_eq!(found, by_proc(pid, &HashSet::from([inode(&there), inode(&here)])));
    let thread = std::fs::metadata("/proc/thread-self/ns/net").unwrap().ino();
    assert_eq!(u32::try_from(thread).ok(), own_namespace());
}

#[test]
fn a_process_that_is_gone_or_was_replaced_is_told_in_words() {
    let pid = std::process::id();
    let replaced = inside(1, pid, || Ok(())).unwrap_err();
    assert!(replaced.to_string().contains("has moved or ended"), "{replaced:#}");
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    assert!(by_sock_diag(1, child.id(), &HashSet::from([1])).is_err());
    assert!(by_proc(child.id(), &HashSet::from([1])).is_empty());
}
