use std::{
    net::{TcpListener, TcpStream},
    process::Command,
};

use super::*;

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
