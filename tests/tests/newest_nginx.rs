//! The newest nginx beside the one of this Debian: what counts where the configuration says nothing, a race that only its
//! defaults make possible, and whose resets are.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use reset_observer::nginx::config::defaults;
use reset_observer::nginx::config::pass::Protocol;
use reset_observer::nginx::config::running::Running;
use serde_json::{Value, json};

use lab::backend::Backend;
use lab::client::Client;
use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::nginx::{Nginx, Settings};
use lab::observer::Observer;
use lab::programs::{self, has_root};

const PATIENCE: Duration = Duration::from_secs(5);

/// An nginx that was told nothing of keeping connections. The parts go in the order of the fields.
struct Place {
    nginx: Nginx,
    backend: Backend,
    ground: Ground,
}

impl Place {
    fn new(program: &Path, backend: &'static [&'static str]) -> Result<Self> {
        let ground = Ground::new()?;
        let backend = ground.backend(backend)?;
        let nginx = ground.nginx_of(program, &Settings { workers: 2, keepalive: 0, ..Settings::default() })?;
        let file = ground.nginx_dir().join("nginx.conf");
        let told = fs::read_to_string(&file)?;
        let told = told.replace("proxy_http_version 1.1;", "").replace("proxy_set_header Connection \"\";", "");
        ensure!(!told.contains("keepalive") && !told.contains("version"), "the lab itself: {told}");
        fs::write(&file, told)?;
        nginx.reload()?;
        Ok(Self { nginx, backend, ground })
    }

    fn client(&self) -> Result<Client> {
        self.ground.client()
    }

    /// The worker that logged the request with this path.
    fn worker_of(&self, path: &str) -> Result<u32> {
        let log = self.nginx.error_log();
        let line = log.iter().find(|line| line.contains(&format!("{path} "))).context("the lab itself: no line")?;
        let worker = line.split("] ").nth(1).and_then(|rest| rest.split('#').next()?.parse().ok());
        worker.with_context(|| format!("the lab itself: no worker in {line}"))
    }
}

/// The version that the reader finds, and whether it says that idle connections are kept, beside what nginx does.
fn assert_defaults(program: &Path) -> Result<String> {
    let place = Place::new(program, &[])?;
    let mut client = place.client()?;
    for _ in 0..2 {
        ensure!(client.get("/ok")?.status == 200, "the lab itself: no answer");
    }
    let kept = place.backend.events("accepted").len() == 1;
    let running = Running::read(place.nginx.master())?;
    ensure!(running.configuration.problems.is_empty(), "{:?}", running.configuration.problems);
    let version = running.version.as_ref().context("the reader finds no version")?;
    let [upstream] = running.configuration.upstreams.as_slice() else { anyhow::bail!("not one upstream block") };
    let pool = defaults::pool(upstream, Some(version));
    assert_eq!(pool.connections > 0, kept, "{version}: {pool:?}");
    let http = defaults::http_version(Protocol::Http, Some(version));
    assert_eq!(http, Some(if kept { "1.1" } else { "1.0" }), "{version}");
    Ok(version.to_string())
}

#[test]
fn what_counts_without_a_word_in_the_configuration_is_what_each_nginx_does() {
    if has_root() {
        let _machine = MachineLock::take().unwrap();
        println!("{}", assert_defaults(&programs::nginx().unwrap()).unwrap());
        if let Some(newest) = programs::newest_nginx() {
            println!("{}", assert_defaults(&newest).unwrap());
        }
    }
}

#[test]
fn a_race_on_a_connection_that_the_newest_nginx_keeps_by_itself_is_one() {
    if let Some(newest) = programs::newest_nginx().filter(|_| has_root()) {
        race(&newest).unwrap();
    }
}

fn race(newest: &Path) -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new(newest, &["--idle-close-ms", "500"])?;
    let observer = Observer::observe()?;
    let mut client = place.client()?;
    ensure!(client.get("/ok")?.status == 200, "the lab itself: no answer");
    // nginx takes events in the order in which they came: the request has to be there before the FIN.
    place.nginx.hold_still()?;
    client.send("GET", "/ok", "")?;
    let closed = place.backend.wait_for("idle_close", 0)?.peer.context("the lab itself: of nobody")?;
    place.nginx.go_on()?;
    ensure!(client.receive()?.status == 200, "the lab itself: nginx did not try again");
    let is_on = |line: &Value| line["type"] == "verdict" && line["local"]["port"] == closed.port();
    let verdict = observer.wait_for_json(0, PATIENCE, is_on)?;
    assert_eq!(verdict["cause"], "keepalive_race", "{verdict}");
    // On a busy machine the line may come too late for the verdict.
    let impact = verdict["impact"].as_str();
    assert!(impact.is_some_and(|impact| ["request_retried", "unknown"].contains(&impact)), "{verdict}");
    assert_eq!(
        verdict["upstream"],
        json!({ "name": "backend", "server": place.ground.server().to_string() }),
        "{verdict}"
    );
    Ok(())
}

#[test]
fn resets_under_the_newest_nginx_are_of_the_right_worker_over_a_reload_and_a_death() {
    if let Some(newest) = programs::newest_nginx().filter(|_| has_root()) {
        workers(&newest).unwrap();
    }
}

fn workers(newest: &Path) -> Result<()> {
    let _machine = MachineLock::take()?;
    let place = Place::new(newest, &[])?;
    let observer = Observer::observe()?;
    let mut named = reset_some(&place, &observer, 0)?;
    place.nginx.reload()?;
    named += reset_some(&place, &observer, 10)?;
    place.nginx.kill_worker(place.nginx.workers()?[0])?;
    named += reset_some(&place, &observer, 20)?;
    ensure!(named > 0, "no reset that came alone named its request: {:#?}", place.nginx.error_log());
    Ok(())
}

/// Has the backend reset requests, each with a path of its own. Gives how many verdicts named theirs.
fn reset_some(place: &Place, observer: &Observer, first: usize) -> Result<usize> {
    let mut named = 0;
    for number in first..first + 6 {
        let (since, told) = (observer.bookmark(), place.backend.told());
        let path = format!("/linger0/{number}");
        let status = place.client()?.post(&path, "x")?.status;
        ensure!(status == 502, "the lab itself: a request that was reset was answered with {status}");
        let local = place.backend.wait_for("request", told)?.peer.context("the lab itself: of nobody")?;
        let is_on = |line: &Value| {
            line["type"] == "verdict" && line["leg"] == "upstream" && line["local"]["port"] == local.port()
        };
        let verdict = observer.wait_for_json(since, PATIENCE, is_on)?;
        let worker = place.worker_of(&path)?;
        let process = json!({
            "name": "nginx", "role": "worker", "pid": worker, "inner_pid": worker, "master": place.nginx.master(),
        });
        assert_eq!(verdict["process"], process, "{verdict}");
        assert_eq!(
            verdict["upstream"],
            json!({ "name": "backend", "server": place.ground.server().to_string() }),
            "{verdict}"
        );
        assert_eq!(verdict["cause"], "backend_abort", "{verdict}");
        let line = &verdict["request"]["line"];
        assert!(line.is_null() || *line == format!("POST {path} HTTP/1.1"), "{verdict}");
        named += usize::from(!line.is_null());
    }
    Ok(named)
}
