use super::*;

#[test]
fn a_stranger_is_looked_at_once_and_a_known_process_never() {
    let node = FoundProcess { comm: "node".into(), ..found(99, 1, "node server.js") };
    let (host, mut processes) = Host::with(vec![found(10, 1, MASTER), node]);
    for _ in 0..3 {
        assert!(!processes.refresh_if_unknown(99, "node", ms(1000)));
        assert!(!processes.refresh_if_unknown(10, "nginx", ms(1000)));
    }
    assert_eq!((host.scans(), host.looks()), (1, 1));
    assert_eq!(processes.label(99, "node").role, Role::Other);
}

#[test]
fn a_flood_of_strangers_costs_a_hundred_looks_a_second() {
    let (host, mut processes) = Host::with(Vec::new());
    for tgid in 0..100_000 {
        assert!(!processes.refresh_if_unknown(tgid, "ab", ms(1000 + u64::from(tgid) / 100)));
    }
    assert_eq!((host.scans(), host.looks()), (1, 100), "one second of them");
    assert!(processes.strangers.len() <= 4096);
}

#[test]
fn a_process_that_no_scan_finds_is_looked_for_once_and_taken_for_a_worker() {
    let (host, mut processes) = Host::with(Vec::new());
    assert!(processes.refresh_if_unknown(11, "nginx", ms(1000)));
    assert!(!processes.refresh_if_unknown(11, "nginx", ms(9000)));
    assert!(!processes.refresh_if_unknown(12, "nginx", ms(10_999)), "all of /proc again, so soon?");
    assert_eq!(host.scans(), 2);
    let label = processes.label(11, "nginx");
    assert_eq!((label.role, label.ordinal), (Role::Worker, None));
    assert!(!processes.is_running());
}

#[test]
fn a_stranger_is_no_part_of_nginx() {
    let processes = NginxProcesses::fixed(vec![found(10, 1, MASTER)]);
    let label = processes.label(77, "node");
    assert_eq!((label.pid, label.name.as_str(), label.role), (77, "node", Role::Other));
}
