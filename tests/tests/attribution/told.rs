//! What nginx was told is odd, or broken, or not what its files say any more: it is said, and verdicts come all the same.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use lab::backend::Backend;
use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::nginx::{Nginx, Settings};
use lab::observer::Observer;
use lab::programs::has_root;
use lab::stage::BACKEND_PORT;

const NOBODY: u32 = 65_534;

const PATIENCE: Duration = Duration::from_secs(5);

/// An nginx whose configuration is to be changed.
struct Place {
    nginx: Nginx,
    _backend: Backend,
    ground: Ground,
}

impl Place {
    fn new() -> Result<Self> {
        let ground = Ground::new()?;
        let backend = ground.backend(&[])?;
        Ok(Self { nginx: ground.nginx(&Settings::default())?, _backend: backend, ground })
    }

    fn file(&self) -> PathBuf {
        self.ground.nginx_dir().join("nginx.conf")
    }

    fn text(&self) -> Result<String> {
        Ok(fs::read_to_string(self.file())?)
    }

    /// Where a directive says it writes errors.
    fn log_to(&self, target: &str) -> Result<()> {
        let lines = self.text()?;
        let lines = lines.lines().map(|line| match line.starts_with("error_log ") {
            true => format!("error_log {target};\n"),
            false => format!("{line}\n"),
        });
        Ok(fs::write(self.file(), lines.collect::<String>())?)
    }

    /// Has the backend reset a request; gives the verdict, which names the worker and the server.
    fn reset(&self, observer: &Observer) -> Result<Value> {
        let since = observer.bookmark();
        let [worker] = self.nginx.workers()?[..] else { anyhow::bail!("the lab itself: not one worker") };
        self.ground.client()?.post("/linger0", "x")?;
        let is_on = |line: &Value| line["type"] == "verdict" && line["leg"] == "upstream";
        let verdict = observer.wait_for_json(since, PATIENCE, is_on)?;
        let process = json!({
            "name": "nginx", "role": "worker", "pid": worker, "inner_pid": worker, "master": self.nginx.master(),
        });
        assert_eq!(verdict["process"], process, "{verdict}");
        assert_eq!(verdict["upstream"]["server"], self.ground.server().to_string(), "{verdict}");
        assert_eq!(verdict["cause"], "backend_abort", "{verdict}");
        Ok(verdict)
    }
}

fn assert_said(observer: &Observer, parts: &[&str]) {
    // It may be said, and not read yet.
    observer.wait_for_complaint(parts).expect("it should be said");
    let complaints = observer.complaints();
    let said = complaints.iter().filter(|line| parts.iter().all(|part| line.contains(part))).count();
    let unless = "another nginx on this machine is spoken of too: end it to run this test";
    assert_eq!(said, 1, "{parts:?} should be said once ({unless}): {complaints:#?}");
}

#[test]
fn a_server_in_two_blocks_is_said_to_be_in_both_and_a_log_that_cannot_be_followed_is_named() {
    if has_root() {
        two_blocks_and_no_log().unwrap();
    }
}

fn two_blocks_and_no_log() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new()?;
    let server = place.ground.server();
    let twice = format!("upstream a {{ server {server}; }}\n  upstream b {{");
    let text = place.text()?.replace("upstream backend {", &twice).replace("://backend", "://b");
    fs::write(place.file(), text)?;
    place.log_to("stderr")?;
    place.nginx.reload()?;
    let observer = Observer::observe()?;
    for _ in 0..2 {
        let verdict = place.reset(&observer)?;
        assert_eq!(verdict["upstream"]["name"], "a, b", "{verdict}");
        assert_eq!(verdict["request"], Value::Null, "{verdict}");
    }
    assert_said(&observer, &["error log stderr is not read", "add a second"]);
    place.log_to("syslog:server=127.0.0.1:5514")?;
    place.nginx.reload()?;
    let verdict = place.reset(&observer)?;
    assert_eq!(verdict["upstream"]["name"], "a, b", "{verdict}");
    assert_eq!(verdict["request"], Value::Null, "{verdict}");
    assert_said(&observer, &["error log syslog:server=127.0.0.1:5514 is not read", "add a second"]);
    assert_said(&observer, &["error log stderr is not read"]);
    Ok(())
}

#[test]
fn a_configuration_that_was_changed_and_not_loaded_is_said_to_be() {
    if has_root() {
        changed().unwrap();
    }
}

fn changed() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new()?;
    let loaded = Observer::observe()?;
    fs::write(
        place.file(),
        place.text()?.replace("upstream backend", "upstream later").replace("://backend", "://later"),
    )?;
    File::options().append(true).open(place.file())?.set_modified(SystemTime::now() + Duration::from_secs(10))?;
    let verdict = place.reset(&loaded)?;
    assert_eq!(verdict["upstream"]["name"], "backend", "what nginx was told before: {verdict}");
    drop(loaded);
    let late = Observer::observe()?;
    assert_said(&late, &["nginx.conf was written", "after nginx read its configuration", "then reload"]);
    place.reset(&late)?;
    Ok(())
}

#[test]
fn a_configuration_that_is_half_written_or_unreadable_or_includes_itself_costs_no_verdict() {
    if has_root() {
        broken().unwrap();
    }
}

fn broken() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new()?;
    let whole = place.text()?;
    let half = whole.find("keepalive 16").context("the lab itself: no upstream block")?;
    fs::write(place.file(), &whole[..half])?;
    let observer = Observer::observe()?;
    place.reset(&observer)?;
    assert_said(&observer, &["unexpected end of file", "nginx.conf:"]);
    drop(observer);

    let looping = format!("include {};\n{whole}", place.file().display());
    fs::write(place.file(), looping)?;
    let observer = Observer::observe()?;
    let verdict = place.reset(&observer)?;
    assert_said(&observer, &["includes itself: break the loop", "nginx.conf:1"]);
    assert_eq!(verdict["upstream"]["name"], "backend", "{verdict}");
    drop(observer);

    // Root without the right to read what is another's may not read it either.
    fs::write(place.file(), &whole)?;
    fs::set_permissions(place.file(), PermissionsExt::from_mode(0o600))?;
    chown(place.file(), Some(NOBODY), Some(NOBODY))?;
    let port = BACKEND_PORT.to_string();
    let args = ["observe", "--port", &port, "--output", "json", "--all"];
    let observer = Observer::start_with(&["bpf", "perfmon", "sys_ptrace"], &args)?;
    observer.wait_until_ready()?;
    place.reset(&observer)?;
    assert_said(&observer, &["may not read", "nginx.conf", "grant CAP_"]);
    drop(observer);

    fs::remove_file(place.file())?;
    let observer = Observer::observe()?;
    place.reset(&observer)?;
    assert_said(&observer, &["nginx.conf"]);
    Ok(())
}
