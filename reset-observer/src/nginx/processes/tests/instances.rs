use super::*;

#[test]
fn each_master_with_its_workers_is_an_instance() {
    let processes = NginxProcesses::fixed(vec![
        found(10, 1, MASTER),
        found(11, 10, WORKER),
        found(20, 1, MASTER),
        found(21, 20, WORKER),
        found(30, 1, "nginx -g master_process off;"),
    ]);
    let expected = [(0, vec![10], vec![11]), (1, vec![20], vec![21]), (2, vec![], vec![30])];
    assert_eq!(instances(&processes), expected);
    assert_eq!(processes.worker(21).and_then(|label| label.master), Some(20));
    assert_eq!(processes.instance_of(21), Some(InstanceId(1)));
}

#[test]
fn a_binary_upgrade_stays_one_instance_from_beginning_to_end() {
    let old = [found(10, 1, MASTER), found(11, 10, WORKER)];
    let (host, mut processes) = Host::with(old.to_vec());
    host.becomes([&old[..], &[found(20, 10, MASTER), found(21, 20, WORKER)]].concat());
    assert!(processes.refresh_if_unknown(21, "nginx", ms(1000)));
    assert_eq!(instances(&processes), [(0, vec![10, 20], vec![11, 21])]);
    assert_eq!(processes.instances().next().and_then(|instance| instance.root()), Some("/proc/20/root".into()));

    host.becomes(vec![found(20, 1, MASTER), found(21, 20, WORKER), found(22, 20, WORKER)]);
    assert!(processes.refresh_if_unknown(22, "nginx", ms(9000)));
    assert_eq!(instances(&processes), [(0, vec![20], vec![21, 22])]);
    assert!(processes.instances().all(|instance| instance.generation >= 1));
}

#[test]
fn workers_whose_master_was_killed_stay_in_their_instance() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER), found(12, 10, WORKER)]);
    host.becomes(vec![found(11, 1, WORKER), found(12, 1, WORKER), found(20, 1, MASTER), found(21, 20, WORKER)]);
    assert!(processes.refresh_if_unknown(21, "nginx", ms(1000)));
    assert_eq!(instances(&processes), [(0, vec![], vec![11, 12]), (1, vec![20], vec![21])]);
    assert_eq!(ordinal(&processes, 12), Some(1));
    assert_eq!(processes.worker(12).and_then(|label| label.master), Some(10));
}

#[test]
fn workers_found_without_their_master_are_one_instance_in_each_place() {
    let elsewhere = Namespaces { mount: Some(7), ..Namespaces::default() };
    let processes = NginxProcesses::fixed(vec![
        found(11, 1, WORKER),
        found(12, 1, WORKER),
        FoundProcess { namespaces: elsewhere, ..found(13, 1, WORKER) },
    ]);
    assert_eq!(instances(&processes), [(0, vec![], vec![11, 12]), (1, vec![], vec![13])]);
}

#[test]
fn an_instance_is_forgotten_a_minute_after_its_last_process() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    host.becomes(vec![found(20, 1, MASTER), found(21, 20, WORKER)]);
    processes.refresh_if_unknown(21, "nginx", ms(1000));
    assert_eq!(processes.instances().count(), 2);
    host.becomes(vec![found(20, 1, MASTER), found(21, 20, WORKER), found(22, 20, WORKER)]);
    processes.refresh_if_unknown(22, "nginx", ms(62_000));
    assert_eq!(instances(&processes), [(1, vec![20], vec![21, 22])]);
}

#[test]
fn a_reload_is_a_new_generation_and_a_new_revision() {
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), found(11, 10, WORKER)]);
    let before = processes.revision();
    let draining = found(11, 10, "nginx: worker process is shutting down");
    host.becomes(vec![found(10, 1, MASTER), draining, found(12, 10, WORKER)]);
    processes.refresh_if_unknown(12, "nginx", ms(1000));
    assert_eq!(processes.instances().next().map(|instance| instance.generation), Some(1));
    assert!(processes.revision() > before);
    assert_eq!(ordinal(&processes, 12), Some(0));
}

#[test]
fn two_instances_share_no_ordinal_and_keep_theirs_over_reloads() {
    let others = [found(20, 1, MASTER), found(21, 20, WORKER), found(22, 20, WORKER)];
    let first = [found(10, 1, MASTER), found(11, 10, WORKER), found(12, 10, WORKER)];
    let (host, mut processes) = Host::with([&first[..], &others].concat());
    assert_eq!([11, 12, 21, 22].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1), Some(2), Some(3)]);

    let reloaded = [found(10, 1, MASTER), found(31, 10, WORKER), found(32, 10, WORKER)];
    host.becomes([&reloaded[..], &others].concat());
    assert!(processes.refresh_if_unknown(31, "nginx", ms(1000)));
    assert_eq!([31, 32].map(|pid| ordinal(&processes, pid)), [Some(0), Some(1)]);

    let others = [found(20, 1, MASTER), found(41, 20, WORKER), found(42, 20, WORKER)];
    host.becomes([&reloaded[..], &others].concat());
    assert!(processes.refresh_if_unknown(41, "nginx", ms(2000)));
    assert_eq!([41, 42].map(|pid| ordinal(&processes, pid)), [Some(2), Some(3)]);
}

#[test]
fn a_program_that_was_named_is_a_generic_proxy_and_its_processes_are_workers() {
    let haproxy = |pid, parent| FoundProcess { comm: "haproxy".into(), ..found(pid, parent, "haproxy -Ws -f x.cfg") };
    let (host, mut processes) = Host::naming(&["haproxy"], vec![haproxy(10, 1), haproxy(11, 10)]);
    assert_eq!(processes.instances().map(|instance| instance.profile).collect::<Vec<_>>(), [Profile::Generic]);
    assert_eq!(instances(&processes), [(0, vec![], vec![10, 11])]);
    assert_eq!(ordinal(&processes, 11), Some(0), "of its master's");

    host.becomes(vec![haproxy(10, 1), haproxy(12, 10)]);
    assert!(processes.refresh_if_unknown(12, "haproxy", ms(1000)));
    assert_eq!(ordinal(&processes, 12), Some(0));
    assert_eq!(processes.label(77, "haproxy").role, Role::Worker, "dead before any look");
}

#[test]
fn threads_of_a_named_program_may_bear_names_of_their_own() {
    let envoy = FoundProcess { comm: "envoy".into(), exe: Some("envoy".into()), ..found(10, 1, "envoy -c x.yaml") };
    let (host, mut processes) = Host::naming(&["envoy"], vec![envoy]);
    assert!(!processes.refresh_if_unknown(10, "wrk:worker_0", ms(1000)));
    assert_eq!(processes.label(10, "wrk:worker_0").name, "envoy");
    assert!(!processes.refresh_if_unknown(10, "wrk:worker_0", ms(1001)));
    assert_eq!(host.looks(), 1);
}

#[test]
fn the_inner_pid_of_a_process_is_kept_beside_the_outer_one() {
    let processes = NginxProcesses::fixed(vec![FoundProcess { inner_pid: Some(7), ..found(4711, 1, WORKER) }]);
    let label = processes.label(4711, "nginx");
    assert_eq!((label.pid, label.inner_pid), (4711, Some(7)));
}

#[test]
fn a_worker_of_a_new_binary_belongs_to_its_instance_however_soon_after_another_look() {
    let before = [found(10, 1, MASTER), found(11, 10, WORKER), found(12, 10, WORKER)];
    let (host, mut processes) = Host::with(before[..2].to_vec());
    host.becomes(before.to_vec());
    processes.refresh_if_unknown(12, "nginx", ms(1000));
    host.becomes([&before[..], &[found(20, 10, MASTER), found(21, 20, WORKER)]].concat());
    assert!(processes.refresh_if_unknown(21, "nginx", ms(1010)));
    assert_eq!(processes.worker(21).and_then(|label| label.master), Some(20));
    assert_eq!(processes.instance_of(21), processes.instance_of(11));
    assert_eq!(processes.generation_of(11), Some(0));
    assert!(processes.generation_of(21) > processes.generation_of(12));
}
