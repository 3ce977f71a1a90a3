//! However the lab ends, it leaves no process, no namespace and no file behind.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use lab::child::signal_process;
use lab::programs::{self, has_root};
use rustix::process::Signal;

/// Starts the lab with `scratch` for its files, and waits until its first stage stands.
fn start_lab(args: &[&str], scratch: &Path) -> Child {
    let mut lab = Command::new(programs::lab().unwrap());
    lab.args(args).env("TMPDIR", scratch).stdout(Stdio::null()).stderr(Stdio::null());
    let lab = lab.spawn().unwrap();
    // The backend is asked only when the stage stands: nginx has written its access log by then.
    wait_until("the stage stands", || logs_a_request(scratch));
    lab
}

fn logs_a_request(scratch: &Path) -> bool {
    let stages = fs::read_dir(scratch).unwrap().map_while(Result::ok);
    stages
        .map(|stage| stage.path().join("nginx/access.log"))
        .any(|log| fs::metadata(log).is_ok_and(|log| log.len() > 0))
}

fn wait_until(what: &str, done: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !done() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

/// The network namespaces, other than the test's own, in which processes live whose files are in `scratch`.
fn namespaces_of(scratch: &Path) -> BTreeSet<PathBuf> {
    let own = namespace("self").unwrap();
    let names_scratch = |pid: &String| {
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        command.contains(scratch.to_str().unwrap())
    };
    processes().filter(names_scratch).filter_map(|pid| namespace(&pid)).filter(|found| *found != own).collect()
}

/// Everything that runs in one of these namespaces, whatever it calls itself.
fn processes_in(namespaces: &BTreeSet<PathBuf>) -> Vec<String> {
    let inside = |pid: &String| namespace(pid).is_some_and(|found| namespaces.contains(&found));
    processes()
        .filter(inside)
        .map(|pid| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default())
        .collect()
}

fn processes() -> impl Iterator<Item = String> {
    fs::read_dir("/proc").unwrap().map_while(Result::ok).filter_map(|entry| entry.file_name().into_string().ok())
}

fn namespace(pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/net")).ok()
}

/// The processes that inherited `scratch` as their directory for temporary files, the observers of the demo among them.
fn processes_given(scratch: &Path) -> Vec<String> {
    let mark = format!("TMPDIR={}", scratch.display());
    let given = |pid: &String| {
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes())
    };
    processes().filter(given).collect()
}

fn end_by(signal: Signal, args: &[&str]) -> ExitStatus {
    let scratch = tempfile::tempdir().unwrap();
    let mut lab = start_lab(args, scratch.path());
    let namespaces = namespaces_of(scratch.path());
    assert_eq!(namespaces.len(), 3, "proxy, router and backend");
    // Three holders, nginx's master and its worker, and the backend if it lives.
    assert!(processes_in(&namespaces).len() >= 5, "{:?}", processes_in(&namespaces));
    signal_process(lab.id(), signal).unwrap();
    let status = lab.wait().unwrap();
    // A namespace lives by its processes alone: with the last of them it is gone.
    wait_until("no process is left", || processes_in(&namespaces).is_empty());
    wait_until("no program is left", || processes_given(scratch.path()).is_empty());
    wait_until("no file is left", || fs::read_dir(scratch.path()).unwrap().next().is_none());
    status
}

#[test]
fn after_sigkill_nothing_is_left() {
    if has_root() {
        assert_eq!(end_by(Signal::KILL, &["scenario", "middlebox_silence"]).signal(), Some(9));
    }
}

#[test]
fn after_ctrl_c_nothing_is_left() {
    if has_root() {
        assert_eq!(end_by(Signal::INT, &["scenario", "middlebox_silence"]).code(), Some(130));
    }
}

#[test]
fn after_ctrl_c_in_the_demo_nothing_is_left() {
    if has_root() {
        assert_eq!(end_by(Signal::INT, &["demo"]).code(), Some(130));
    }
}

#[test]
fn after_sigkill_in_the_demo_nothing_is_left() {
    if has_root() {
        assert_eq!(end_by(Signal::KILL, &["demo"]).signal(), Some(9));
    }
}
