use std::{
    net::Ipv4Addr,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use anyhow::bail;

use super::super::*;
use crate::{nginx::processes::FoundProcess, sample::at};

const ONE: &str = "http { upstream one { server 10.0.0.1:80; } }";
const TWO: &str = "http { upstream two { server 10.0.0.1:80; } }";

fn server() -> SocketAddr {
    SocketAddr::from(([10, 0, 0, 1], 80))
}

fn process(pid: u32, parent: u32) -> FoundProcess {
    let title = if parent == 1 { "nginx: master process nginx" } else { "nginx: worker process" };
    FoundProcess { pid, parent, comm: "nginx".into(), title: title.into(), ..FoundProcess::default() }
}

/// A host whose processes and whose configuration the test changes. A reading waits while the test holds `told`.
#[derive(Default)]
struct Host {
    processes: Arc<Mutex<Vec<FoundProcess>>>,
    told: Arc<Mutex<String>>,
    readings: Arc<AtomicU32>,
}

impl Host {
    fn told(text: &str, processes: Vec<FoundProcess>) -> (Self, NginxProcesses, Configurations) {
        let host = Self::default();
        host.tell(text);
        *host.processes.lock().unwrap() = processes;
        let list = Arc::clone(&host.processes);
        let processes = NginxProcesses::from_source(Box::new(move || list.lock().unwrap().clone()));
        let configurations = Configurations::from_source(host.source(), &processes);
        (host, processes, configurations)
    }

    fn source(&self) -> ConfigurationSource {
        let (told, readings) = (Arc::clone(&self.told), Arc::clone(&self.readings));
        Arc::new(move |_| {
            readings.fetch_add(1, Ordering::SeqCst);
            let told = told.lock().unwrap().clone();
            if told.is_empty() {
                bail!("it is gone");
            }
            Ok(Running::told(&told))
        })
    }

    fn tell(&self, text: &str) {
        *self.told.lock().unwrap() = text.into();
    }

    /// The master replaces its workers by this one, which shows up with a connection of its own.
    fn reload(&self, processes: &mut NginxProcesses, worker: u32, ms: u64) {
        *self.processes.lock().unwrap() = vec![process(10, 1), process(worker, 10)];
        processes.refresh_if_unknown(worker, "nginx", at(ms));
    }

    fn readings(&self) -> u32 {
        self.readings.load(Ordering::SeqCst)
    }
}

fn one_nginx() -> Vec<FoundProcess> {
    vec![process(10, 1), process(11, 10)]
}

fn name(configurations: &mut Configurations) -> Option<String> {
    let newest = *configurations.loaded.get(&InstanceId(0))?.told.keys().last()?;
    configurations.server(InstanceId(0), newest, server())?.label.name
}

/// Waits for the thread that reads.
fn collect(configurations: &mut Configurations) {
    let started = Instant::now();
    while configurations.next_look().is_some() {
        configurations.collect(at(3000));
        assert!(started.elapsed() < Duration::from_secs(10), "the reading does not end");
        thread::yield_now();
    }
}

#[test]
fn what_runs_at_the_start_is_read_before_anything_else() {
    let (host, _, mut configurations) = Host::told(ONE, one_nginx());
    assert_eq!((host.readings(), configurations.revision(), configurations.next_look()), (1, 1, None));
    assert_eq!(name(&mut configurations).as_deref(), Some("one"));
    assert_eq!(configurations.all().map(|(id, master, _)| (id.0, master)).collect::<Vec<_>>(), [(0, 10)]);
}

#[test]
fn a_server_that_is_in_no_file_has_no_name() {
    let (_, _, mut configurations) = Host::told(ONE, one_nginx());
    assert_eq!(configurations.server(InstanceId(0), 0, SocketAddr::from(([10, 0, 0, 2], 80))), None);
    assert_eq!(configurations.server(InstanceId(7), 0, server()), None);
}

#[test]
fn names_are_read_again_after_a_reload() {
    let (host, mut processes, mut configurations) = Host::told(ONE, one_nginx());
    host.tell(TWO);
    host.reload(&mut processes, 12, 2000);
    configurations.refresh(&processes, at(2000));
    assert!(configurations.next_look().is_some());
    collect(&mut configurations);
    assert_eq!(name(&mut configurations).as_deref(), Some("two"));
    assert_eq!((host.readings(), configurations.revision()), (2, 2));
}

#[test]
fn nothing_is_read_again_without_a_reload_or_while_it_is_being_read() {
    let (host, mut processes, mut configurations) = Host::told(ONE, one_nginx());
    configurations.refresh(&processes, at(2000));
    assert_eq!((host.readings(), configurations.next_look()), (1, None));

    let held = host.told.lock().unwrap();
    host.reload(&mut processes, 12, 2000);
    for ms in 2000..2010 {
        configurations.refresh(&processes, at(ms));
        configurations.collect(at(ms));
    }
    assert_eq!(name(&mut configurations).as_deref(), Some("one"), "what was read before counts meanwhile");
    drop(held);
    collect(&mut configurations);
    assert_eq!(host.readings(), 2);
}

#[test]
fn a_reading_that_a_reload_overtook_does_not_count() {
    let (host, mut processes, mut configurations) = Host::told(ONE, one_nginx());
    host.reload(&mut processes, 12, 2000);
    configurations.refresh(&processes, at(2000));
    host.reload(&mut processes, 13, 20_000);
    configurations.refresh(&processes, at(20_000));
    collect(&mut configurations);
    assert_eq!((host.readings(), configurations.revision()), (3, 2), "one reading was dropped");
}

#[test]
fn what_cannot_be_read_again_stays_as_it_was() {
    let (host, mut processes, mut configurations) = Host::told(ONE, one_nginx());
    host.tell("");
    host.reload(&mut processes, 12, 2000);
    configurations.refresh(&processes, at(2000));
    collect(&mut configurations);
    assert_eq!(name(&mut configurations).as_deref(), Some("one"));
    assert_eq!(configurations.revision(), 1);
}

#[test]
fn what_could_never_be_read_has_no_names_and_does_no_harm() {
    let (_, _, mut configurations) = Host::told("", one_nginx());
    assert_eq!((name(&mut configurations), configurations.revision()), (None, 0));
    assert_eq!((configurations.all().count(), configurations.server_of_any(server())), (0, None));
    assert!(configurations.of(InstanceId(0)).is_none());
}

#[test]
fn an_instance_that_is_gone_is_forgotten() {
    let (host, mut processes, mut configurations) = Host::told(ONE, one_nginx());
    for (worker, ms) in [(21, 2000), (22, 90_000)] {
        *host.processes.lock().unwrap() = vec![process(20, 1), process(worker, 20)];
        processes.refresh_if_unknown(worker, "nginx", at(ms));
    }
    configurations.refresh(&processes, at(90_000));
    collect(&mut configurations);
    assert_eq!(configurations.all().map(|(_, master, _)| master).collect::<Vec<_>>(), [20]);
}

#[test]
fn a_server_without_its_instance_has_a_name_only_if_all_instances_agree() {
    let found = vec![process(10, 1), process(11, 10), process(20, 1), process(21, 20)];
    let processes = NginxProcesses::fixed(found);
    let agreed = |second: &'static str| {
        let source = move |master| Ok(Running::told(if master == 10 { ONE } else { second }));
        let mut configurations = Configurations::from_source(Arc::new(source), &processes);
        configurations.server_of_any(server()).and_then(|server| server.label.name)
    };
    assert_eq!(agreed(ONE).as_deref(), Some("one"));
    assert_eq!(agreed("http { }").as_deref(), Some("one"), "the other does not know it");
    assert_eq!(agreed(TWO), None);
}

#[test]
fn no_more_addresses_are_remembered_than_there_is_room_for() {
    let (_, _, mut configurations) = Host::told(ONE, one_nginx());
    for port in 1..=u16::try_from(MAX_REMEMBERED).unwrap() + 100 {
        configurations.server(InstanceId(0), 0, SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    let told = configurations.loaded[&InstanceId(0)].told.values();
    assert!(told.map(|told| told.servers.len()).sum::<usize>() <= MAX_REMEMBERED);
    assert_eq!(name(&mut configurations).as_deref(), Some("one"));
}
