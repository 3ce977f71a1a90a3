mod instances;
mod strangers;

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};
use std::time::Duration;

use super::*;
use crate::record::{Exit, Fate, Process, ProcessEvent};

const WORKER: &str = "nginx: worker process";
const MASTER: &str = "nginx: master process /usr/sbin/nginx -g daemon on;";

fn found(pid: u32, parent: u32, title: &str) -> FoundProcess {
    FoundProcess { pid, parent, comm: "nginx".to_owned(), title: title.to_owned(), ..FoundProcess::default() }
}

/// Processes that the test changes, and how they were read.
#[derive(Clone, Default)]
struct Host {
    found: Arc<Mutex<Vec<FoundProcess>>>,
    /// Readings of all processes.
    scans: Arc<AtomicUsize>,
    /// Looks at one process.
    looks: Arc<AtomicUsize>,
}

impl Host {
    fn with(found: Vec<FoundProcess>) -> (Self, NginxProcesses) {
        Self::naming(&[], found)
    }

    fn naming(names: &[&str], found: Vec<FoundProcess>) -> (Self, NginxProcesses) {
        let host = Self::default();
        host.becomes(found);
        let names = names.iter().map(|name| name.parse().unwrap()).collect();
        let processes = NginxProcesses::from_source_for(Box::new(host.clone()), names);
        (host, processes)
    }

    fn becomes(&self, found: Vec<FoundProcess>) {
        *self.found.lock().unwrap() = found;
    }

    fn scans(&self) -> usize {
        self.scans.load(Ordering::Relaxed)
    }

    fn looks(&self) -> usize {
        self.looks.load(Ordering::Relaxed)
    }
}

impl ProcessSource for Host {
    fn all(&self) -> Vec<FoundProcess> {
        self.scans.fetch_add(1, Ordering::Relaxed);
        let found = self.found.lock().unwrap();
        found.iter().filter(|process| process.comm != "node").cloned().collect()
    }

    fn one(&self, pid: u32) -> Option<FoundProcess> {
        self.looks.fetch_add(1, Ordering::Relaxed);
        self.found.lock().unwrap().iter().find(|process| process.pid == pid).cloned()
    }

    fn children(&self, pid: u32) -> Option<Vec<u32>> {
        let found = self.found.lock().unwrap();
        Some(found.iter().filter(|process| process.parent == pid).map(|process| process.pid).collect())
    }
}

fn ended(pid: u32, comm: &str, at: KernelTime) -> ProcessEvent {
    let process = Process { tgid: pid, comm: comm.into() };
    ProcessEvent { at, process, fate: Fate::Ended(Exit::Signal(9)) }
}

fn instances(processes: &NginxProcesses) -> Vec<(u32, Vec<u32>, Vec<u32>)> {
    processes.instances().map(|instance| (instance.id.0, instance.masters, instance.workers)).collect()
}

fn ms(ms: u64) -> KernelTime {
    KernelTime(0).after(Duration::from_millis(ms))
}

fn ordinal(processes: &NginxProcesses, pid: u32) -> Option<u32> {
    processes.worker(pid).and_then(|label| label.ordinal)
}

#[test]
fn workers_of_all_instances_are_numbered_through_in_the_order_of_their_pids() {
    let processes = NginxProcesses::fixed(vec![
        found(12, 10, WORKER),
        found(11, 10, WORKER),
        found(10, 1, MASTER),
        found(13, 10, "nginx: cache manager process"),
        found(20, 1, MASTER),
        found(21, 20, WORKER),
    ]);
    assert_eq!([11, 12, 21].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1), Some(2)]);
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
fn a_new_worker_is_found_without_reading_all_processes() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    host.becomes(vec![found(10, 1, MASTER), found(12, 10, WORKER), found(13, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(13, "nginx", ms(1000)));
    assert_eq!([12, 13].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1)]);
    assert_eq!(host.scans(), 1, "the one at the start");
}

#[test]
fn an_nginx_that_started_later_is_found_by_its_relatives() {
    let (host, mut processes) = Host::with(Vec::new());
    host.becomes(vec![
        found(10, 1, MASTER),
        found(11, 10, WORKER),
        found(12, 10, WORKER),
        FoundProcess { comm: "init".into(), ..found(1, 0, "init") },
    ]);
    assert!(processes.refresh_if_unknown(12, "nginx", ms(1000)));
    assert_eq!(instances(&processes), [(0, vec![10], vec![11, 12])]);
    assert_eq!(host.scans(), 1);
}

#[test]
fn where_children_are_not_listed_all_processes_are_read() {
    let list = Arc::new(Mutex::new(vec![found(10, 1, MASTER)]));
    let source = Arc::clone(&list);
    let mut processes = NginxProcesses::from_source(Box::new(move || source.lock().unwrap().clone()));
    list.lock().unwrap().extend([found(11, 10, WORKER), found(12, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(12, "nginx", ms(1000)));
    assert_eq!([11, 12].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1)]);
}

#[test]
fn looks_at_relatives_are_two_hundred_milliseconds_apart() {
    let tree =
        |workers: u32| (11..=10 + workers).map(|pid| found(pid, 10, WORKER)).chain([found(10, 1, MASTER)]).collect();
    let (host, mut processes) = Host::with(tree(1));
    host.becomes(tree(8));
    assert!(processes.refresh_if_unknown(12, "nginx", ms(1000)));
    host.becomes(tree(16));
    let looks = host.looks();
    assert!(processes.refresh_if_unknown(26, "nginx", ms(1100)));
    assert_eq!(host.looks(), looks + 1, "only this one, for now");
    assert_eq!(ordinal(&processes, 26), Some(8));
    assert_eq!(processes.next_look(), Some(ms(1300)));
    assert!(processes.refresh_due(ms(1300)));
    assert_eq!(processes.workers(), 16);
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
fn a_renamed_binary_that_starts_later_is_known_by_its_title() {
    let proxy = |pid, parent, title: &str| FoundProcess { comm: "edge".into(), ..found(pid, parent, title) };
    let (host, mut processes) = Host::with(Vec::new());
    host.becomes(vec![proxy(10, 1, MASTER), proxy(11, 10, WORKER)]);
    assert!(processes.refresh_if_unknown(11, "edge", ms(1000)));
    assert_eq!(ordinal(&processes, 11), Some(0));
}

#[test]
fn a_pid_that_is_used_again_is_another_process() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    processes.note(&ended(11, "nginx", ms(500)));
    let node = FoundProcess { comm: "node".into(), started: 9, ..found(11, 1, "node server.js") };
    host.becomes(vec![found(10, 1, MASTER), node]);
    assert!(!processes.refresh_if_unknown(11, "node", ms(1000)));
    assert_eq!(processes.label(11, "node").role, Role::Other);
    assert_eq!(processes.label(11, "nginx").role, Role::Worker, "its last records may still come");

    host.becomes(vec![found(10, 1, MASTER), FoundProcess { started: 12, ..found(11, 10, WORKER) }]);
    processes.refresh_due(ms(1000));
    assert_eq!((ordinal(&processes, 11), processes.workers()), (Some(0), 1));
}

#[test]
fn a_worker_that_the_kernel_says_is_dead_counts_no_more_though_it_can_still_be_seen() {
    let (_, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    processes.note(&ended(11, "nginx", ms(500)));
    assert_eq!(processes.workers(), 0);
    processes.refresh_due(ms(700));
    assert_eq!(processes.workers(), 0);
    assert_eq!(processes.label(11, "nginx").ordinal, Some(0));
}

#[test]
fn after_the_end_of_a_worker_its_heir_is_found_before_it_does_anything() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER), found(12, 10, WORKER)]);
    host.becomes(vec![found(10, 1, MASTER), found(12, 10, WORKER), found(30, 10, WORKER)]);
    processes.note(&ended(11, "nginx", ms(500)));
    assert_eq!(processes.next_look(), Some(ms(700)));
    assert!(!processes.refresh_due(ms(699)));
    assert!(processes.refresh_due(ms(700)));
    assert_eq!(processes.next_look(), None);
    assert_eq!(ordinal(&processes, 30), Some(0));
    assert_eq!(processes.instances().next().map(|instance| instance.generation), Some(0), "no reload");
    assert_eq!(host.scans(), 1);
}

#[test]
fn the_end_of_a_stranger_is_no_reason_to_look() {
    let (_, mut processes) = Host::with(vec![found(10, 1, MASTER)]);
    processes.note(&ended(99, "node", ms(500)));
    assert_eq!(processes.next_look(), None);
}

#[test]
fn a_reload_is_counted_and_workers_that_were_killed_and_replaced_are_none() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    host.becomes(vec![found(10, 1, MASTER), found(12, 10, WORKER)]);
    let killed = Fate::Ended(Exit::Signal(9));
    processes.note(&ProcessEvent { fate: killed, ..ended(11, "nginx", ms(500)) });
    assert!(processes.refresh_due(ms(700)));
    assert_eq!((processes.worker(12).is_some(), processes.reloads()), (true, 0));
    host.becomes(vec![
        found(10, 1, MASTER),
        found(12, 10, "nginx: worker process is shutting down"),
        found(13, 10, WORKER),
    ]);
    assert!(processes.refresh_if_unknown(13, "nginx", ms(5000)));
    assert_eq!(processes.reloads(), 1);
    host.becomes(vec![found(10, 1, MASTER), found(13, 10, WORKER)]);
    processes.note(&ended(12, "nginx", ms(9000)));
    processes.refresh_due(ms(9200));
    assert_eq!(processes.reloads(), 1, "the end of its old workers is no other");
}
