//! The alerts and the dashboard, under a real Prometheus and a real Alertmanager: `cargo xtask monitoring`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use lab::backend::Kind;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::Daemon;
use lab::programs;
use lab::router::Router;
use lab::scenario;
use lab::stage::{Plan, Stage};
use lab::topology::{Family, Shape};

mod monitoring {
    pub(crate) mod prometheus;
    pub(crate) mod webhook;
}

use monitoring::prometheus::{Monitoring, Programs};
use monitoring::webhook::Webhook;

/// How long an alert may take to fire, or a series to be there.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to look for alerts that should not fire: some evaluations, and the settle windows of quiet closes.
const LOOK: Duration = Duration::from_secs(4);

/// The scenario that the lab has for this test alone.
const WORKER_DIES: &str = "worker_dies";

/// Three closes that agree make an idle timeout known.
const MOST_CLOSES: usize = 12;

#[test]
fn each_alert_fires_in_its_scenario_and_no_other_and_reaches_the_webhook_with_its_page() {
    with_programs(|programs| {
        let scenarios = [
            (WORKER_DIES, Some("ResetObserverProxyCrash")),
            ("crash_with_reset", Some("ResetObserverBackendCrash")),
            ("restart_exit", Some("ResetObserverBackendRestart")),
            ("abort_linger0", Some("ResetObserverBackendAbort")),
            ("race_held", Some("ResetObserverKeepaliveRace")),
            ("middlebox_reset", Some("ResetObserverMiddleboxIdleDrop")),
            ("refused", Some("ResetObserverConnectionRefused")),
            ("connection_limit", Some("ResetObserverConnectionLimit")),
            ("control", None),
        ];
        for (name, alert) in scenarios {
            fires(programs, name, alert).with_context(|| format!("scenario {name}"))?;
            println!("{name}: {}", alert.unwrap_or("no alert, as it should be"));
        }
        Ok(())
    });
}

fn fires(programs: &Programs, name: &str, alert: Option<&str>) -> Result<()> {
    let webhook = Webhook::listen()?;
    let daemon = Daemon::start_with(&["--state-file", "none", "--port", "3000"])?;
    let monitoring = Monitoring::start(programs, daemon.address(), webhook.address())?;
    monitoring.wait_for("up == 1", PATIENCE)?;
    // nginx stays until its verdict is in: what one that is gone was told, nobody can read.
    let _stage = act(name)?;
    if let Some(alert) = alert {
        monitoring.wait_for(&format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}"), PATIENCE)?;
    }
    thread::sleep(LOOK);
    let firing = monitoring.query("ALERTS{alertstate=\"firing\"}")?;
    let firing: BTreeSet<&str> = firing.iter().filter_map(|one| one["metric"]["alertname"].as_str()).collect();
    ensure!(firing == alert.into_iter().collect(), "these fire: {firing:?}");
    let Some(alert) = alert else { return Ok(()) };
    let told = webhook.wait_for(alert, PATIENCE)?;
    let page = told["annotations"]["runbook_url"].as_str().context("it has no runbook link")?;
    let file = page.split_once("/docs/").context("not a page of docs")?.1;
    ensure!(root().join("docs").join(file).is_file(), "{page} leads nowhere");
    ensure!(name == WORKER_DIES || told["labels"]["upstream"] == "backend", "it does not name the upstream: {told}");
    Ok(())
}

/// Does the deed of a scenario, and gives its stage, which still stands.
fn act(name: &str) -> Result<Stage> {
    if name == WORKER_DIES {
        return worker_dies();
    }
    let scenario = scenario::named(name)?;
    let mut stage = Stage::set_up(&(scenario.plan)(Family::V4))?;
    (scenario.act)(&mut stage)?;
    Ok(stage)
}

/// A worker is killed with a request in hand.
fn worker_dies() -> Result<Stage> {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let plan = Plan { family: Family::V4, shape, nginx: Settings::default(), backend: Kind::Fault(&[]) };
    let stage = Stage::set_up(&plan)?;
    let mut client = stage.client()?;
    client.send("GET", "/delay/500", "")?;
    // The backend does not tell when it has a request.
    thread::sleep(Duration::from_millis(200));
    stage.nginx().hold_still()?;
    // The response lies unread when the worker dies: only then its kernel resets the connection.
    thread::sleep(Duration::from_millis(600));
    let [worker] = stage.nginx().workers()?[..] else { bail!("the lab itself: one worker was expected") };
    stage.nginx().kill_worker(worker)?;
    Ok(stage)
}

#[test]
fn every_query_of_the_dashboard_gives_data() {
    with_programs(|programs| {
        let webhook = Webhook::listen()?;
        let daemon = Daemon::start_with(&["--state-file", "none", "--kernel.program-stats"])?;
        let monitoring = Monitoring::start(programs, daemon.address(), webhook.address())?;
        monitoring.wait_for("up == 1", PATIENCE)?;
        let stage = act("race_held")?;
        monitoring
            .wait_for("reset_observer_verdicts_total{cause=\"keepalive_race\", upstream=\"backend\"} > 0", PATIENCE)?;
        drop(stage);
        let nginx = Settings { keepalive_timeout: "60s", ..Settings::default() };
        let backend = Kind::Fault(&["--idle-close-ms", "500"]);
        let stage = Stage::set_up(&Plan { family: Family::V4, shape: Shape::Loopback, nginx, backend })?;
        for _ in 0..MOST_CLOSES {
            ensure!(stage.client()?.get("/ok")?.status == 200, "the lab itself: no answer");
            stage.backend()?.wait_until_all_closed()?;
            // A quiet close is judged a second and a half later; on a busy machine closes disagree, and more are needed.
            thread::sleep(Duration::from_secs(2));
            if !monitoring.query("reset_observer_keepalive_mismatch == 1")?.is_empty() {
                break;
            }
        }
        monitoring.wait_for("reset_observer_keepalive_mismatch == 1", PATIENCE)?;
        for (title, expression) in expressions()? {
            let found = monitoring.query(&expression).with_context(|| format!("panel {title}"))?;
            ensure!(!found.is_empty(), "panel {title} has no data: {expression}");
            println!("{title}: {} series, the first {}", found.len(), found[0]["value"][1]);
        }
        Ok(())
    });
}

/// The title and the query of every panel, as Grafana would send them.
fn expressions() -> Result<Vec<(String, String)>> {
    let dashboard: Value = serde_json::from_slice(&fs::read(root().join("deploy/grafana/reset-observer.json"))?)?;
    let panels = dashboard["panels"].as_array().context("the dashboard has no panels")?;
    let mut all = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().context("a panel without a title")?;
        for target in panel["targets"].as_array().with_context(|| format!("panel {title} asks nothing"))? {
            let expression = target["expr"].as_str().context("a target without a query")?;
            let values = [("$__rate_interval", "1m"), ("$__range", "10m"), ("$instance", ".*"), ("$upstream", ".*")];
            let sent = values.iter().fold(expression.to_owned(), |text, (name, value)| text.replace(name, value));
            ensure!(!sent.contains('$'), "panel {title} uses a variable that is not known here: {sent}");
            all.push((title.to_owned(), sent));
        }
    }
    ensure!(!all.is_empty(), "the dashboard asks nothing");
    Ok(all)
}

fn with_programs(test: impl FnOnce(&Programs) -> Result<()>) {
    let Some(programs) = Programs::told() else {
        println!("left out: it needs Prometheus and Alertmanager; run `cargo xtask monitoring`");
        return;
    };
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        test(&programs).expect("the test holds");
    }
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map(Path::to_owned).unwrap_or_default()
}

/// Waits until `look` finds something.
fn await_some<T>(patience: Duration, look: impl Fn() -> Result<Option<T>>) -> Result<Option<T>> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look()? {
            return Ok(Some(found));
        }
        if Instant::now() > deadline {
            return Ok(None);
        }
        // Neither Prometheus nor Alertmanager says when it is done.
        thread::sleep(Duration::from_millis(100));
    }
}
