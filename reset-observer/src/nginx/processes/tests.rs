use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use super::*;

const WORKER: &str = "nginx: worker process";
const MASTER: &str = "nginx: master process /usr/sbin/nginx -g daemon on;";

fn found(pid: u32, parent: u32, title: &str) -> FoundProcess {
    FoundProcess { pid, parent, comm: "nginx".to_owned(), title: title.to_owned() }
}

/// Processes that the test changes, and how often they were scanned.
struct Host {
    found: Arc<Mutex<Vec<FoundProcess>>>,
    scans: Arc<AtomicUsize>,
}

impl Host {
    fn with(found: Vec<FoundProcess>) -> (Self, NginxProcesses) {
        let host = Self { found: Arc::new(Mutex::new(found)), scans: Arc::default() };
        let (list, scans) = (Arc::clone(&host.found), Arc::clone(&host.scans));
        let source = move || {
            scans.fetch_add(1, Ordering::Relaxed);
            list.lock().unwrap().clone()
        };
        (host, NginxProcesses::from_source(Box::new(source)))
    }

    fn becomes(&self, found: Vec<FoundProcess>) {
        *self.found.lock().unwrap() = found;
    }

    fn scans(&self) -> usize {
        self.scans.load(Ordering::Relaxed)
    }
}

fn ms(ms: u64) -> KernelTime {
    KernelTime(0).after(Duration::from_millis(ms))
}

fn ordinal(processes: &NginxProcesses, pid: u32) -> Option<u32> {
    processes.worker(pid).and_then(|label| label.ordinal)
}

#[test]
fn workers_are_numbered_per_master_in_the_order_of_their_pids() {
    let processes = NginxProcesses::fixed(vec![
        found(12, 10, WORKER),
        found(11, 10, WORKER),
        found(10, 1, MASTER),
        found(13, 10, "nginx: cache manager process"),
        found(20, 1, MASTER),
        found(21, 20, WORKER),
    ]);
    assert_eq!([11, 12, 21].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1), Some(0)]);
    assert_eq!((processes.masters(), processes.workers()), (2, 3));
    assert!(processes.worker(10).is_none());
    assert_eq!(processes.label(13, "nginx").role, Role::Cache);
    assert_eq!(processes.label(10, "nginx").role, Role::Master);
}

#[test]
fn a_worker_that_still_bears_its_masters_title_is_a_worker() {
    let processes = NginxProcesses::fixed(vec![found(10, 1, MASTER), found(11, 10, MASTER)]);
    assert_eq!(processes.label(10, "nginx").role, Role::Master);
    assert_eq!(ordinal(&processes, 11), Some(0));
}

#[test]
fn in_a_binary_upgrade_both_masters_are_masters() {
    let processes = NginxProcesses::fixed(vec![
        found(10, 1, MASTER),
        found(11, 10, WORKER),
        found(20, 10, MASTER),
        found(21, 20, WORKER),
    ]);
    assert_eq!(processes.masters(), 2);
    assert_eq!(ordinal(&processes, 21), Some(0));
}

#[test]
fn a_single_process_without_a_master_is_a_worker() {
    let processes = NginxProcesses::fixed(vec![found(10, 1, "nginx -g master_process off;")]);
    assert_eq!(ordinal(&processes, 10), Some(0));
}

#[test]
fn a_worker_keeps_its_ordinal_and_its_heir_takes_it_over() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER), found(12, 10, WORKER)]);
    host.becomes(vec![found(10, 1, MASTER), found(12, 10, WORKER), found(30, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(30, "nginx", ms(1000)));
    assert_eq!([12, 30].map(|pid| ordinal(&processes, pid)), [Some(1), Some(0)]);
}

#[test]
fn after_a_reload_the_new_workers_take_the_ordinals_of_those_that_drain() {
    let processes = NginxProcesses::fixed(vec![
        found(10, 1, MASTER),
        found(11, 10, "nginx: worker process is shutting down"),
        found(12, 10, "nginx: worker process is shutting down"),
        found(13, 10, WORKER),
        found(14, 10, WORKER),
    ]);
    assert_eq!([13, 14].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1)]);
}

#[test]
fn a_dead_worker_stays_known_for_a_minute_and_counts_no_more() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    host.becomes(vec![found(10, 1, MASTER), found(12, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(12, "nginx", ms(1000)));
    assert_eq!(ordinal(&processes, 11), Some(0));
    assert_eq!(processes.workers(), 1);

    host.becomes(vec![found(10, 1, MASTER), found(12, 10, WORKER), found(13, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(13, "nginx", ms(62_000)));
    assert!(processes.worker(11).is_none());
}

#[test]
fn scans_are_two_hundred_milliseconds_apart() {
    let (host, mut processes) = Host::with(Vec::new());
    assert!(processes.refresh_if_unknown(11, "nginx", ms(1000)));
    assert!(!processes.refresh_if_unknown(12, "nginx", ms(1199)));
    assert!(processes.refresh_if_unknown(12, "nginx", ms(1200)));
    assert_eq!(host.scans(), 3);
}

#[test]
fn only_a_process_named_nginx_makes_it_scan() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER)]);
    assert!(!processes.refresh_if_unknown(99, "curl", ms(1000)));
    assert!(!processes.refresh_if_unknown(10, "nginx", ms(1000)));
    assert_eq!(host.scans(), 1);
}

#[test]
fn a_process_that_no_scan_finds_is_looked_for_once_and_taken_for_a_worker() {
    let (host, mut processes) = Host::with(Vec::new());
    assert!(processes.refresh_if_unknown(11, "nginx", ms(1000)));
    assert!(!processes.refresh_if_unknown(11, "nginx", ms(9000)));
    assert_eq!(host.scans(), 2);
    let label = processes.label(11, "nginx");
    assert_eq!((label.role, label.ordinal), (Role::Worker, None));
    assert!(!processes.is_running());
}

#[test]
fn a_renamed_binary_is_known_by_its_title() {
    let openresty = |pid, parent, title: &str| FoundProcess { comm: "openresty".into(), ..found(pid, parent, title) };
    let (host, mut processes) = Host::with(vec![openresty(10, 1, MASTER), openresty(11, 10, WORKER)]);
    host.becomes(vec![openresty(10, 1, MASTER), openresty(12, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(12, "openresty", ms(1000)));
    assert_eq!(processes.label(12, "openresty").name, "openresty");
}

#[test]
fn a_stranger_is_no_part_of_nginx() {
    let processes = NginxProcesses::fixed(vec![found(10, 1, MASTER)]);
    let label = processes.label(77, "node");
    assert_eq!((label.pid, label.name.as_str(), label.role), (77, "node", Role::Other));
}
