use std::{
    io::Read,
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use super::*;

/// A process of this title, killed when dropped.
struct Titled(Child);

impl Titled {
    /// Returns when the process runs: right after exec(2) began, `/proc` shows no title yet.
    fn start(title: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.arg0(title).args(["-c", "echo running; read -r end"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 7]).unwrap();
        Self(child)
    }
}

impl Drop for Titled {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_process_with_a_title_of_nginx_is_found_with_its_parent() {
    let worker = Titled::start("nginx: worker process");
    let found = nginx_processes();
    let seen = found.iter().find(|process| process.pid == worker.0.id()).unwrap();
    assert_eq!(seen.parent, std::process::id());
    assert_eq!(seen.comm, "sh");
    assert!(seen.title.starts_with("nginx: worker process"), "{seen:?}");
}

#[test]
fn a_process_that_only_mentions_nginx_is_not_nginx() {
    let editor = Titled::start("vi /etc/nginx/nginx.conf");
    assert!(nginx_processes().iter().all(|process| process.pid != editor.0.id()));
}

#[test]
fn listening_sockets_and_connections_of_a_process_are_found_in_its_namespace() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let pid = std::process::id();
    let netns = Some(network_namespace(pid).unwrap());

    let found = nginx_sockets(&[pid]);
    let listening = ListeningSocket { netns, address: listener.local_addr().unwrap() };
    assert!(found.listening.contains(&listening), "{found:?}");
    let (local, remote) = (client.local_addr().unwrap(), client.peer_addr().unwrap());
    assert!(found.open.contains(&Connection { netns, local, remote, worker: pid }), "{found:?}");
    // The other end waits in the listener's queue and has no descriptor.
    assert!(!found.open.iter().any(|connection| connection.local == remote), "{found:?}");
    assert!(found.denied.is_empty());
}

#[test]
fn an_ipv6_listener_is_found() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else { return };
    let found = nginx_sockets(&[std::process::id()]);
    assert!(found.listening.iter().any(|socket| socket.address == listener.local_addr().unwrap()));
}

#[test]
fn a_process_that_vanished_is_no_error() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    assert_eq!(nginx_sockets(&[child.id()]), FoundSockets::default());
}
