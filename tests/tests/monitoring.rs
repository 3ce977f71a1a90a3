//! The alerts and the dashboard, under a real Prometheus and a real Alertmanager: `cargo xtask monitoring`.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::stage::Stage;

mod monitoring {
    pub(crate) mod deeds;
    pub(crate) mod formats;
    pub(crate) mod hastened;
    pub(crate) mod prometheus;
    pub(crate) mod secured;
    pub(crate) mod webhook;
}

use monitoring::deeds::{self, Deed};
use monitoring::formats;
use monitoring::prometheus::{Monitoring, Programs};
use monitoring::secured::Secured;
use monitoring::webhook::Webhook;

/// How long a series may take to be there, or an alert to be told.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long an alert may take to fire: a verdict waits a minute for its collector.
const FIRE_PATIENCE: Duration = Duration::from_secs(100);

/// How long to look for alerts that should not fire: some evaluations, and the settle windows of quiet closes.
const LOOK: Duration = Duration::from_secs(4);

/// Everything that fired since Prometheus was started.
const FIRED: &str = "max_over_time(ALERTS{alertstate=\"firing\"}[10m])";

/// The backends, which is what one asks the observer to watch.
const BACKENDS: &[&str] = &["--port", "3000"];

/// The clients of nginx too.
const AND_CLIENTS: &[&str] = &["--port", "3000", "--port", "8080"];

/// Verdicts for a collector that is not there: nobody listens at the port of discard (RFC 863).
const WITHOUT_COLLECTOR: &[&str] = &["--port", "3000", "--port", "8080", "--otlp-endpoint", "http://127.0.0.1:9"];

/// Alerts that name no upstream, though there is one.
const OF_THE_HOST: [&str; 3] =
    ["ResetObserverProxyCrash", "ResetObserverClientAborts", "ResetObserverVerdictsNotDelivered"];

/// What is done before whose eyes, and the one alert that fires.
const SCENES: [(&str, &[&str], Deed, Option<&str>); 19] = [
    ("a worker dies", BACKENDS, deeds::worker_dies, Some("ResetObserverProxyCrash")),
    (
        "crash_with_reset",
        BACKENDS,
        |_| deeds::scenario("crash_with_reset").map(Some),
        Some("ResetObserverBackendCrash"),
    ),
    ("restart_exit", BACKENDS, |_| deeds::scenario("restart_exit").map(Some), Some("ResetObserverBackendRestart")),
    ("abort_linger0", BACKENDS, |_| deeds::scenario("abort_linger0").map(Some), Some("ResetObserverBackendAbort")),
    ("race_held", BACKENDS, |_| deeds::scenario("race_held").map(Some), Some("ResetObserverKeepaliveRace")),
    (
        "middlebox_reset",
        BACKENDS,
        |_| deeds::scenario("middlebox_reset").map(Some),
        Some("ResetObserverMiddleboxIdleDrop"),
    ),
    ("refused", BACKENDS, |_| deeds::scenario("refused").map(Some), Some("ResetObserverConnectionRefused")),
    (
        "connection_limit",
        BACKENDS,
        |_| deeds::scenario("connection_limit").map(Some),
        Some("ResetObserverConnectionLimit"),
    ),
    ("timeout_read", BACKENDS, |_| deeds::scenario("timeout_read").map(Some), Some("ResetObserverProxyTimeout")),
    ("many clients leave", AND_CLIENTS, deeds::many_clients_leave, Some("ResetObserverClientAborts")),
    ("many clients leave unseen", BACKENDS, deeds::many_clients_leave, Some("ResetObserverUndecided")),
    ("one client leaves", AND_CLIENTS, |_| deeds::scenario("client_abort").map(Some), None),
    ("the backend closes sooner", BACKENDS, deeds::closes_before_nginx, Some("ResetObserverKeepaliveMismatch")),
    ("the ring overflows", &["--ring-size", "64KiB"], deeds::ring_overflows, Some("ResetObserverRecordsLost")),
    ("the observer ends", BACKENDS, deeds::observer_ends, Some("ResetObserverDown")),
    ("a tracepoint is missing", BACKENDS, deeds::tracepoint_is_missing, Some("ResetObserverFeatureMissing")),
    ("settings are spoilt", BACKENDS, deeds::settings_are_spoilt, Some("ResetObserverSettingsRefused")),
    (
        "one client leaves, and no collector",
        WITHOUT_COLLECTOR,
        |_| deeds::scenario("client_abort").map(Some),
        Some("ResetObserverVerdictsNotDelivered"),
    ),
    ("control", BACKENDS, |_| deeds::scenario("control").map(Some), None),
];

#[test]
fn each_alert_fires_in_its_scenario_and_no_other_and_reaches_the_webhook_with_its_page() {
    with_programs(|programs| {
        for (name, arguments, deed, alert) in SCENES {
            fires(programs, arguments, deed, alert).with_context(|| name)?;
            println!("{name}: {}", alert.unwrap_or("no alert, as it should be"));
        }
        Ok(())
    });
}

fn fires(programs: &Programs, arguments: &[&'static str], deed: Deed, alert: Option<&str>) -> Result<()> {
    let webhook = Webhook::listen()?;
    let mut daemon = Secured::start(arguments)?;
    let monitoring = Monitoring::start(programs, &daemon, webhook.address())?;
    monitoring.wait_for_scrapes()?;
    let stage = deed(&mut daemon)?;
    if let Some(alert) = alert {
        monitoring.wait_for(&firing(alert), FIRE_PATIENCE)?;
    }
    thread::sleep(LOOK);
    let fired = monitoring.query(FIRED)?;
    let fired: BTreeSet<&str> = fired.iter().filter_map(|one| one["metric"]["alertname"].as_str()).collect();
    ensure!(fired == alert.into_iter().collect(), "these fired: {fired:?}");
    let Some(alert) = alert else {
        ensure!(webhook.names().is_empty(), "the webhook got {:?}", webhook.names());
        return Ok(());
    };
    let told = webhook.wait_for(alert, PATIENCE)?;
    ensure!(webhook.names().len() == 1, "the webhook got {:?}", webhook.names());
    let page = told["annotations"]["runbook_url"].as_str().context("it has no runbook link")?;
    let file = page.split_once("/docs/").context("not a page of docs")?.1;
    let file = file.split('#').next().unwrap_or(file);
    ensure!(root().join("docs").join(file).is_file(), "{page} leads nowhere");
    let concerns_server = stage.is_some() && !OF_THE_HOST.contains(&alert);
    ensure!(!concerns_server || told["labels"]["upstream"] == "backend", "it does not name the upstream: {told}");
    Ok(())
}

fn firing(alert: &str) -> String {
    format!("ALERTS{{alertname=\"{alert}\", alertstate=\"firing\"}}")
}

/// The trap of every counter that appears with its first event: Prometheus sees no increase in it.
#[test]
fn the_first_abort_of_a_server_alerts_and_so_do_the_next_and_the_first_after_a_restart_of_the_observer() {
    with_programs(|programs| {
        let webhook = Webhook::listen()?;
        let mut daemon = Secured::start(BACKENDS)?;
        let monitoring = Monitoring::start(programs, &daemon, webhook.address())?;
        let stage = Stage::set_up(&(lab::scenario::named("abort_linger0")?.plan)(lab::topology::Family::V4))?;
        // It was scraped for longer than the rules look back, so that what begins now is an event to Prometheus too.
        monitoring.wait_for("reset_observer_build_info offset 12s", PATIENCE)?;
        let alert = "ResetObserverBackendAbort";
        for round in 0..3 {
            if round == 2 {
                let before = monitoring.query("process_start_time_seconds")?;
                let before = before.first().and_then(|one| one["value"][1].as_str()).context("nothing scraped")?;
                daemon.replace()?;
                monitoring.wait_for(&format!("process_start_time_seconds > {before}"), PATIENCE)?;
            }
            let status = stage.client()?.get("/linger0")?.status;
            ensure!(status == 502, "the lab itself: nginx answered {status}");
            monitoring.wait_for(&firing(alert), PATIENCE).with_context(|| format!("event {round}"))?;
            monitoring.wait_for(&format!("absent({})", firing(alert)), PATIENCE)?;
        }
        webhook.wait_for(alert, PATIENCE).map(drop)
    });
}

#[test]
fn neither_promtool_nor_the_reference_parser_of_openmetrics_has_anything_to_say_about_the_metrics() {
    with_programs(|programs| {
        let daemon = Daemon::start_with(&["--state-file", "none", "--port", "3000"])?;
        let _stage = deeds::scenario("race_held")?;
        let raced = || Ok((daemon.sum("reset_observer_verdicts_total", "cause=\"keepalive_race\"")? > 0).then_some(()));
        await_some(PATIENCE, raced)?.context("the lab itself: no verdict")?;
        formats::lint(programs, daemon.address())?;
        let newest: Value = serde_json::from_str(&daemon.get("/api/v1/verdicts?cause=keepalive_race&limit=1")?.1)?;
        let newest = newest["verdicts"][0]["id"].as_str().context("the race has no id")?.to_owned();
        let exemplars = formats::exemplars(programs, daemon.address())?;
        for metric in ["reset_observer_verdicts_total", "reset_observer_idle_before_request_seconds_bucket"] {
            ensure!(exemplars.contains(&(metric.to_owned(), newest.clone())), "{metric} lacks {newest}: {exemplars:?}");
        }
        Ok(())
    });
}

#[test]
fn every_query_of_the_dashboard_gives_data() {
    with_programs(|programs| {
        let webhook = Webhook::listen()?;
        let mut daemon = Secured::start(&["--kernel.program-stats"])?;
        let monitoring = Monitoring::start(programs, &daemon, webhook.address())?;
        monitoring.wait_for_scrapes()?;
        let stage = deeds::scenario("race_held")?;
        monitoring
            .wait_for("reset_observer_verdicts_total{cause=\"keepalive_race\", upstream=\"backend\"} > 0", PATIENCE)?;
        drop(stage);
        let _stage = deeds::closes_before_nginx(&mut daemon)?;
        monitoring.wait_for("reset_observer_keepalive_mismatch == 1", PATIENCE)?;
        for (title, expression) in expressions()? {
            let found = monitoring.query(&expression).with_context(|| format!("panel {title}"))?;
            ensure!(!found.is_empty(), "panel {title} has no data: {expression}");
            println!("{title}: {} series, the first {}", found.len(), found[0]["value"][1]);
        }
        Ok(())
    });
}

#[test]
fn a_prometheus_that_asks_for_native_histograms_gets_them_and_all_else() {
    with_programs(|programs| {
        let webhook = Webhook::listen()?;
        let daemon = Secured::start(&["--port", "3000", "--web.native-histograms"])?;
        let flags = ["--enable-feature=native-histograms"];
        let monitoring = Monitoring::start_with(programs, &daemon, webhook.address(), &flags)?;
        monitoring.wait_for_scrapes()?;
        let _stage = deeds::scenario("race_held")?;
        let histogram = "reset_observer_idle_before_request_seconds";
        let race = format!("histogram_count({histogram}{{cause=\"keepalive_race\"}}) == 1");
        monitoring.wait_for(&race, PATIENCE)?;
        let verdicts = "sum(reset_observer_verdicts_total{cause=\"keepalive_race\"}) == 1";
        monitoring.wait_for(verdicts, PATIENCE)?;
        let classic = monitoring.query(&format!("{histogram}_bucket"))?;
        ensure!(classic.is_empty(), "docs/metrics.md says that the classic series are dropped: {classic:?}");
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
