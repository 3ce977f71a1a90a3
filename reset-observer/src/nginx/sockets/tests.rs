use super::*;

const NETNS: Option<u32> = Some(4_026_531_992);

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn listening_on(addresses: &[&str]) -> NginxSockets {
    let listening = addresses.iter().map(|text| ListeningSocket { netns: NETNS, address: address(text) }).collect();
    NginxSockets::fixed(FoundSockets { listening, ..FoundSockets::default() })
}

fn open(netns: Option<u32>, local: &str, remote: &str, worker: u32) -> Connection {
    Connection { netns, local: address(local), remote: address(remote), worker }
}

#[test]
fn a_listener_on_any_address_takes_every_local_address_of_its_family() {
    let sockets = listening_on(&["0.0.0.0:80"]);
    assert!(sockets.listens_on(NETNS, address("10.0.0.1:80")));
    assert!(!sockets.listens_on(NETNS, address("10.0.0.1:81")));
    assert!(!sockets.listens_on(NETNS, address("[2001:db8::1]:80")));
}

#[test]
fn a_listener_on_any_ipv6_address_takes_mapped_ipv4_too() {
    let sockets = listening_on(&["[::]:80"]);
    assert!(sockets.listens_on(NETNS, address("[2001:db8::1]:80")));
    assert!(sockets.listens_on(NETNS, address("[::ffff:10.0.0.1]:80")));
    assert!(sockets.listens_on(NETNS, address("10.0.0.1:80")));
}

#[test]
fn a_listener_on_one_address_takes_only_that_one() {
    let sockets = listening_on(&["127.0.0.1:8080", "[::ffff:10.0.0.1]:8080"]);
    assert!(sockets.listens_on(NETNS, address("127.0.0.1:8080")));
    assert!(sockets.listens_on(NETNS, address("10.0.0.1:8080")));
    assert!(!sockets.listens_on(NETNS, address("10.0.0.2:8080")));
}

#[test]
fn namespaces_are_told_apart_where_both_are_known() {
    let sockets = listening_on(&["0.0.0.0:80"]);
    assert!(!sockets.listens_on(Some(1), address("10.0.0.1:80")));
    assert!(sockets.listens_on(None, address("10.0.0.1:80")));
}

#[test]
fn a_connection_that_does_not_end_on_a_listener_is_an_upstream_one() {
    let sockets = NginxSockets::fixed(FoundSockets {
        listening: vec![ListeningSocket { netns: NETNS, address: address("0.0.0.0:80") }],
        open: vec![
            open(NETNS, "10.0.0.1:80", "192.0.2.7:40000", 11),
            open(NETNS, "10.0.0.1:50452", "10.0.0.2:3000", 12),
        ],
        ..FoundSockets::default()
    });
    assert_eq!(sockets.opened_by(NETNS, address("10.0.0.1:80"), address("192.0.2.7:40000")), None);
    assert_eq!(sockets.opened_by(NETNS, address("10.0.0.1:50452"), address("10.0.0.2:3000")), Some(12));
    assert_eq!(sockets.opened_by(Some(1), address("10.0.0.1:50452"), address("10.0.0.2:3000")), None);
}

#[test]
fn equal_ends_in_two_namespaces_are_two_connections() {
    let ends = ("10.0.0.1:50452", "10.0.0.2:3000");
    let connections = vec![open(Some(1), ends.0, ends.1, 11), open(Some(2), ends.0, ends.1, 12)];
    let sockets = NginxSockets::fixed(FoundSockets { open: connections, ..FoundSockets::default() });
    assert_eq!(sockets.opened_by(Some(1), address(ends.0), address(ends.1)), Some(11));
    assert_eq!(sockets.opened_by(Some(2), address(ends.0), address(ends.1)), Some(12));
}

#[test]
fn a_connection_outlives_a_scan_that_misses_it_and_ends_when_its_addresses_are_used_again() {
    let mut looks = vec![vec![], vec![open(NETNS, "10.0.0.1:50452", "10.0.0.2:3000", 11)]];
    let looks = std::sync::Mutex::new(std::mem::take(&mut looks));
    let source = move |_: &[u32]| FoundSockets {
        open: looks.lock().unwrap().pop().unwrap_or_default(),
        ..FoundSockets::default()
    };
    let processes = NginxProcesses::fixed(Vec::new());
    let mut sockets = NginxSockets::from_source(Box::new(source), &processes);
    sockets.rescan(&processes);
    let ends = (address("10.0.0.1:50452"), address("10.0.0.2:3000"));
    assert_eq!(sockets.opened_by(NETNS, ends.0, ends.1), Some(11));
    sockets.forget(Some(1), ends.0, ends.1);
    assert_eq!(sockets.opened_by(NETNS, ends.0, ends.1), Some(11), "the same addresses in another namespace");
    sockets.forget(NETNS, ends.0, ends.1);
    assert_eq!(sockets.opened_by(NETNS, ends.0, ends.1), None);
}

#[test]
fn what_is_denied_names_the_capability_that_helps() {
    assert!(Denied::NetworkNamespace.sentence().contains("CAP_SYS_PTRACE"));
    assert!(Denied::FileDescriptors.sentence().contains("CAP_DAC_READ_SEARCH"));
}
