mod reading;

use std::{
    path::Path,
    sync::Mutex,
    time::{Duration, Instant},
};

use super::*;
use crate::nginx::{
    config::{
        Configuration, directive::Origin, error_log::LogTarget, index::UpstreamIndex, source::Root, stale::Stale,
    },
    processes::FoundProcess,
};

const SERVER: &str = "10.0.0.2:3000";

fn process(pid: u32, parent: u32, title: &str) -> FoundProcess {
    let title = format!("nginx: {title} process");
    FoundProcess { pid, parent, comm: "nginx".into(), title, ..FoundProcess::default() }
}

/// A configuration whose only upstream block has this name, and whose file is said to be newer than it.
fn running(block: &str) -> Running {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("nginx.conf");
    let text = format!(
        "http {{ upstream {block} {{ server {SERVER}; }} server {{ location / {{ proxy_pass http://{block}; }} }} }}"
    );
    std::fs::write(&file, text).unwrap();
    let configuration = Configuration::read(&Root::at(Path::new("/")).unwrap(), &Origin::file(&file));
    let index = UpstreamIndex::new(&configuration, &|_| Vec::new());
    let stale = Some(Stale { file: file.into(), by: Duration::from_secs(9) });
    Running { version: None, configuration, index, first_log: LogTarget::Stderr, stale }
}

#[test]
fn after_a_reload_old_workers_go_by_what_they_were_told_and_new_ones_wait_for_what_is_read() {
    let host = Arc::new(Mutex::new(vec![process(10, 1, "master"), process(11, 10, "worker")]));
    let list = Arc::clone(&host);
    let mut processes = NginxProcesses::from_source(Box::new(move || list.lock().unwrap().clone()));
    let block = Arc::new(Mutex::new("before"));
    let told = Arc::clone(&block);
    let mut all = Configurations::from_source(Arc::new(move |_| Ok(running(&told.lock().unwrap()))), &processes);
    let name = |all: &mut Configurations, processes: &NginxProcesses, worker| {
        let (instance, generation) = processes.instance_of(worker).zip(processes.generation_of(worker))?;
        all.server(instance, generation, SERVER.parse().unwrap())?.label.name
    };
    assert_eq!(name(&mut all, &processes, 11).as_deref(), Some("before"));
    assert!(all.all().all(|(_, _, running)| running.stale.is_some()));

    *host.lock().unwrap() = vec![process(10, 1, "master"), process(11, 10, "worker"), process(12, 10, "worker")];
    let mut held = block.lock().unwrap();
    processes.refresh_if_unknown(12, "nginx", KernelTime(1_000_000_000));
    all.refresh(&processes, KernelTime(1_000_000_000));
    assert_eq!(name(&mut all, &processes, 12), None, "not read yet");
    *held = "after";
    drop(held);
    let deadline = Instant::now() + Duration::from_secs(10);
    while all.next_look().is_some() && Instant::now() < deadline {
        thread::yield_now();
        all.collect(KernelTime(2_000_000_000));
    }
    assert_eq!(name(&mut all, &processes, 11).as_deref(), Some("before"));
    assert_eq!(name(&mut all, &processes, 12).as_deref(), Some("after"));
    let stale = all.all().filter(|(_, _, running)| running.stale.is_some()).count();
    assert_eq!(stale, 1, "what a reload reads is what nginx reads");
}
