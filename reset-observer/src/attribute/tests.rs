use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::*;
use crate::{
    nginx::{
        processes::FoundProcess,
        sockets::{Connection, FoundSockets, ListeningSocket},
    },
    record::{Event, KernelTime, Owner},
};

const NETNS: Option<u32> = Some(4_026_531_992);

fn nginx() -> Vec<FoundProcess> {
    let process = |pid, parent, title: &str| FoundProcess {
        pid,
        parent,
        comm: "nginx".into(),
        title: title.into(),
        ..FoundProcess::default()
    };
    vec![process(10, 1, "nginx: master process nginx"), process(11, 10, "nginx: worker process")]
}

fn attributor() -> Attributor {
    let found = FoundSockets {
        listening: vec![ListeningSocket { netns: NETNS, address: address("0.0.0.0:80") }],
        open: vec![Connection {
            netns: NETNS,
            local: address("10.0.0.1:50000"),
            remote: address("10.0.0.2:3000"),
            worker: 11,
        }],
        ..FoundSockets::default()
    };
    Attributor::new(NginxProcesses::fixed(nginx()), NginxSockets::fixed(found))
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn process(tgid: u32, comm: &str) -> Process {
    Process { tgid, comm: comm.into() }
}

fn record(local: &str, remote: &str) -> Record {
    Record {
        at: KernelTime(1_000_000_000),
        event: Event::ResetReceived,
        socket: None,
        netns: NETNS,
        cgroup_id: None,
        local: address(local),
        remote: address(remote),
        state_before: None,
        owner: None,
        current: None,
        exit: None,
        reset_reason: None,
        snapshot: None,
        packet: None,
        peer_on_host: false,
    }
}

fn opened_by(owner: Process, record: Record) -> Record {
    Record { owner: Some(Owner { process: owner, opened_at: KernelTime(1) }), ..record }
}

#[test]
fn what_a_worker_opened_leads_to_an_upstream_server() {
    let seen = attributor().attribute(opened_by(process(11, "nginx"), record("10.0.0.1:50452", "10.0.0.2:3000")));
    assert_eq!(seen.placing.leg, Leg::Upstream);
    assert_eq!(seen.placing.process.as_ref().map(|label| (label.pid, label.ordinal)), Some((11, Some(0))));
    assert_eq!(
        seen.placing.upstream,
        Some(std::sync::Arc::new(UpstreamLabel { name: None, server: "10.0.0.2:3000".to_owned() }))
    );
}

#[test]
fn an_ipv6_server_stands_in_brackets() {
    let opened = opened_by(process(11, "nginx"), record("[2001:db8::1]:50452", "[2001:db8::2]:3000"));
    assert_eq!(attributor().attribute(opened).placing.upstream.as_ref().unwrap().server, "[2001:db8::2]:3000");
}

#[test]
fn a_connection_older_than_the_observer_is_known_from_the_scan() {
    let seen = attributor().attribute(record("10.0.0.1:50000", "10.0.0.2:3000"));
    assert_eq!(seen.placing.leg, Leg::Upstream);
    assert_eq!(seen.placing.process.as_ref().map(|label| label.pid), Some(11));
}

#[test]
fn addresses_that_somebody_else_uses_again_are_not_the_old_connection() {
    let mut attributor = attributor();
    let again = opened_by(process(77, "curl"), record("10.0.0.1:50000", "10.0.0.2:3000"));
    let seen = attributor.attribute(again);
    assert_eq!((seen.placing.leg, seen.placing.upstream.clone()), (Leg::Other, None));
    assert_eq!(attributor.attribute(record("10.0.0.1:50000", "10.0.0.2:3000")).placing.leg, Leg::Other);
}

#[test]
fn a_connection_accepted_on_a_listening_socket_is_a_clients() {
    let seen = attributor()
        .attribute(Record { current: Some(process(11, "nginx")), ..record("10.0.0.1:80", "192.0.2.7:40000") });
    assert_eq!((seen.placing.leg, seen.placing.upstream.clone()), (Leg::Client, None));
    assert_eq!(seen.placing.process.as_ref().map(|label| label.role), Some(Role::Worker));
}

#[test]
fn a_client_on_this_host_is_not_the_clients_leg() {
    let seen = attributor().attribute(opened_by(process(77, "curl"), record("10.0.0.1:40000", "10.0.0.1:80")));
    assert_eq!(seen.placing.leg, Leg::Other);
}

#[test]
fn a_backend_on_this_host_is_other_until_both_ends_are_seen() {
    let seen = attributor()
        .attribute(Record { current: Some(process(55, "node")), ..record("10.0.0.2:3000", "10.0.0.1:50452") });
    assert_eq!(seen.placing.leg, Leg::Other);
    assert_eq!(seen.placing.process.as_ref().map(|label| (label.pid, label.role)), Some((55, Role::Other)));
}

#[test]
fn another_namespace_with_the_same_addresses_is_not_nginx() {
    let elsewhere = |local, remote| Record { netns: Some(1), ..record(local, remote) };
    assert_eq!(attributor().attribute(elsewhere("10.0.0.1:80", "192.0.2.7:40000")).placing.leg, Leg::Other);
    assert_eq!(attributor().attribute(elsewhere("10.0.0.1:50000", "10.0.0.2:3000")).placing.leg, Leg::Other);
}

#[test]
fn nginx_that_starts_after_the_observer_is_found_with_its_sockets() {
    let started = Arc::new(AtomicBool::new(false));
    let runs = Arc::clone(&started);
    let source = move || if runs.load(Ordering::Relaxed) { nginx() } else { Vec::new() };
    let processes = NginxProcesses::from_source(Box::new(source));
    let listens = |pids: &[u32]| FoundSockets {
        listening: pids.iter().map(|_| ListeningSocket { netns: NETNS, address: address("0.0.0.0:80") }).collect(),
        ..FoundSockets::default()
    };
    let sockets = NginxSockets::from_source(Box::new(listens), &processes);
    let mut attributor = Attributor::new(processes, sockets);
    assert_eq!(attributor.attribute(record("10.0.0.1:80", "192.0.2.7:40000")).placing.leg, Leg::Other);
    started.store(true, Ordering::Relaxed);
    let opened = opened_by(process(11, "nginx"), record("10.0.0.1:50452", "10.0.0.2:3000"));
    assert_eq!(attributor.attribute(opened).placing.process.as_ref().and_then(|label| label.ordinal), Some(0));
    assert_eq!(attributor.attribute(record("10.0.0.1:80", "192.0.2.7:40000")).placing.leg, Leg::Client);
}
