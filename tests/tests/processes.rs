//! Whatever becomes of nginx's processes, each verdict names the worker whose line stands in nginx's own log.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use lab::backend::Backend;
use lab::boxed::inner_pid;
use lab::child::Launch;
use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::nginx::{Nginx, Settings};
use lab::observer::Observer;
use lab::programs::{self, has_root};

/// How long a verdict may take.
const PATIENCE: Duration = Duration::from_secs(5);

const TWO_WORKERS: Settings = Settings {
    workers: 2,
    keepalive: 16,
    keepalive_timeout: "60s",
    timeout: "3s",
    tls: false,
    server: "",
    location: "",
};

/// A backend and room for a proxy in front of it.
struct Place {
    _backend: Backend,
    ground: Ground,
}

impl Place {
    fn new() -> Result<Self> {
        let ground = Ground::new()?;
        Ok(Self { _backend: ground.backend(&[])?, ground })
    }

    fn nginx(&self, program: &Path) -> Result<Nginx> {
        self.ground.nginx_of(program, &TWO_WORKERS)
    }

    /// Has the backend reset a request that is not tried again; gives the verdict on the proxy's end.
    fn reset(&self, observer: &Observer, leg: &str) -> Result<Value> {
        let since = observer.bookmark();
        // A proxy without HTTP has no answer.
        let _ = self.ground.client()?.post("/linger0", "x");
        let to_server = json!(self.ground.server().port());
        let wanted =
            |line: &Value| line["type"] == "verdict" && line["remote"]["port"] == to_server && line["leg"] == leg;
        observer.wait_for_json(since, PATIENCE, wanted)
    }
}

/// The process id in the newest line of an error log.
fn logged_pid(log: &[String]) -> Result<u32> {
    let line = log.last().context("nothing in the error log")?;
    let pid = line.split("] ").nth(1).and_then(|rest| rest.split('#').next());
    pid.and_then(|pid| pid.parse().ok()).with_context(|| format!("no process id in {line}"))
}

fn assert_names(verdict: &Value, worker: u32, inner: u32, master: u32) {
    let expected = json!({ "role": "worker", "pid": worker, "inner_pid": inner, "master": master });
    let mut said = verdict["process"].clone();
    said.as_object_mut().unwrap().remove("name");
    assert_eq!(said, expected, "{verdict}");
}

fn assert_names_the_logged(verdict: &Value, nginx: &Nginx) -> Result<()> {
    let logged = logged_pid(&nginx.error_log())?;
    ensure!(nginx.workers()?.contains(&logged), "the lab itself: {logged} is no worker");
    assert_names(verdict, logged, logged, nginx.master());
    Ok(())
}

#[test]
fn across_reloads_and_killed_workers_the_right_one_is_named() {
    if has_root() {
        reload_and_kill().unwrap();
    }
}

fn reload_and_kill() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new()?;
    let nginx = place.nginx(&programs::nginx()?)?;
    let observer = Observer::observe()?;
    assert_names_the_logged(&place.reset(&observer, "upstream")?, &nginx)?;
    for _ in 0..3 {
        nginx.reload()?;
        assert_names_the_logged(&place.reset(&observer, "upstream")?, &nginx)?;
    }
    for _ in 0..3 {
        nginx.kill_worker(*nginx.workers()?.first().context("no worker")?)?;
        assert_names_the_logged(&place.reset(&observer, "upstream")?, &nginx)?;
    }
    Ok(())
}

#[test]
fn a_renamed_nginx_that_starts_after_the_observer_is_known() {
    if has_root() {
        renamed().unwrap();
    }
}

fn renamed() -> Result<()> {
    let _machine = MachineLock::take()?;
    let observer = Observer::observe()?;
    let place = Place::new()?;
    let program = place.ground.scratch().join("edge-proxy");
    fs::copy(programs::nginx()?, &program)?;
    let nginx = place.nginx(&program)?;
    let verdict = place.reset(&observer, "upstream")?;
    assert_names_the_logged(&verdict, &nginx)?;
    assert_eq!(verdict["process"]["name"], "edge-proxy");
    Ok(())
}

#[test]
fn in_a_pid_namespace_and_across_a_binary_upgrade_both_ids_of_the_worker_are_right() {
    if has_root() {
        upgrade_in_a_box().unwrap();
    }
}

fn upgrade_in_a_box() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new()?;
    let nginx = place.ground.boxed_nginx(&TWO_WORKERS)?;
    let observer = Observer::observe()?;
    let [old] = nginx.masters()[..] else { anyhow::bail!("{:?}", nginx.masters()) };
    let check = |masters: &[u32]| -> Result<()> {
        let verdict = place.reset(&observer, "upstream")?;
        let inner = logged_pid(&nginx.error_log())?;
        let all = masters.iter().flat_map(|master| nginx.workers(*master).into_iter().map(|worker| (worker, *master)));
        let mut named = all.filter(|(worker, _)| inner_pid(*worker) == Some(inner));
        let (worker, master) = named.next().with_context(|| format!("{inner} is no worker of {masters:?}"))?;
        ensure!(worker != inner, "the lab itself: this is no pid namespace of its own");
        assert_names(&verdict, worker, inner, master);
        Ok(())
    };
    check(&[old])?;
    let new = nginx.upgrade()?;
    check(&[old, new])?;
    nginx.retire_workers(old)?;
    check(&[new])?;
    nginx.retire(old)?;
    check(&[new])
}

#[test]
fn another_proxy_is_observed_if_it_is_named_and_only_then() {
    if has_root() {
        generic().unwrap();
    }
}

fn generic() -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new()?;
    let listen =
        format!("TCP-LISTEN:{},bind={},fork,reuseaddr", place.ground.front().port(), place.ground.front().ip());
    // One process for each connection, most of which are gone before anybody can look at them.
    let socat = Launch::new("socat", "socat")
        .inside(place.ground.net())
        .arg(listen)
        .arg(format!("TCP:{}", place.ground.server()))
        .start()?;
    let deadline = Instant::now() + PATIENCE;
    while !place.ground.net().listens(place.ground.front().port())? {
        ensure!(Instant::now() < deadline, "the lab itself: socat does not listen: {:?}", socat.stderr.all());
        // socat does not tell when it is ready.
        thread::sleep(Duration::from_millis(5));
    }
    {
        let observer = Observer::observe()?;
        assert_eq!(place.reset(&observer, "other")?["upstream"], Value::Null);
    }
    let observer = Observer::observe_with(&["--process", "socat"])?;
    for _ in 0..3 {
        let verdict = place.reset(&observer, "upstream")?;
        assert_eq!(verdict["process"]["name"], "socat", "{verdict}");
        assert_eq!(verdict["process"]["role"], "worker", "{verdict}");
        assert_eq!(verdict["upstream"]["server"], place.ground.server().to_string(), "{verdict}");
        assert_eq!(verdict["cause"], "backend_abort", "{verdict}");
    }
    Ok(())
}
