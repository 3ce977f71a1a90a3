//! A mismatch is told before the first race, and following the printed advice ends both.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use lab::backend::Kind;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::{Daemon, Observer};
use lab::programs;
use lab::router::Router;
use lab::stage::{Plan, Stage};
use lab::topology::{Family, Shape, WirePlace, WireSetting};

/// The backend's idle timeout.
const TRUTH_MS: f64 = 500.0;

/// How long a packet takes each way.
const WIRE: Duration = Duration::from_millis(20);

/// Closes by which that is known.
const CLOSES: usize = 3;

/// How often requests are sent right after the backend has closed: one in the time that its FIN takes is a race.
const TRIES: usize = 5;

/// A quiet close is judged a second and a half later.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn a_mismatch_is_told_before_the_first_race_and_the_advice_ends_it() {
    if programs::has_root() {
        told_and_ended().unwrap();
    }
}

fn told_and_ended() -> Result<()> {
    let _machine = MachineLock::take()?;
    let stage = Stage::set_up(&plan())?;
    let daemon = Daemon::start_with(&["--state-file", "none"])?;
    let mut observer = Observer::observe()?;
    for _ in 0..CLOSES {
        ask(&stage)?;
        stage.backend()?.wait_until_all_closed()?;
        // The next request comes when the FIN has arrived, which nobody tells: otherwise it would be a race.
        thread::sleep(WIRE * 10);
    }
    let found = wait_for_change(&observer, &stage, 0, "mismatch_found")?;
    let races = |since| observer.verdicts(since).iter().filter(|verdict| verdict.cause == "keepalive_race").count();
    ensure!(races(0) == 0, "it was told after a race: {:#?}", observer.lines(0));
    check_both_sides(&found)?;
    wait_for_metric(&daemon, &stage, 1)?;

    let (races_before, failures_before) = provoke(&stage, &observer)?;
    let shown = races_before > 0 && failures_before > 0;
    ensure!(shown, "the lab itself: this traffic shows no race: {:#?}", observer.lines(0));
    let bookmark = observer.bookmark();
    follow(found["advice"].as_str().context("there is no advice")?)?;
    stage.nginx().reload()?;
    let ended = wait_for_change(&observer, &stage, bookmark, "mismatch_ended")?;
    ensure!(ended["mismatch"] == Value::Bool(false) && ended["advice"].is_null(), "{ended:#}");
    wait_for_metric(&daemon, &stage, 0)?;
    let after = provoke(&stage, &observer)?;
    ensure!(after == (0, 0), "{after:?} though the advice was followed: {:#?}", observer.lines(bookmark));
    let (status, summary) = observer.finish()?;
    ensure!(status.success(), "the observer did not end well: {:#?}", observer.complaints());
    let left = summary.context("there is no summary")?["mismatches"].clone();
    ensure!(left == Value::Array(Vec::new()), "the summary still has {left:#}");
    Ok(())
}

fn plan() -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: WIRE });
    let shape = Shape::Routed { wire, router: Router::Plain };
    let nginx = Settings { keepalive_timeout: "60s", ..Settings::default() };
    Plan { family: Family::V4, shape, nginx, backend: Kind::Fault(&["--idle-close-ms", "500"]) }
}

fn ask(stage: &Stage) -> Result<()> {
    let status = stage.client()?.get("/ok")?.status;
    ensure!(status == 200, "the lab itself: a client got {status}");
    Ok(())
}

fn wait_for_change(observer: &Observer, stage: &Stage, since: usize, change: &str) -> Result<Value> {
    let server = stage.server().to_string();
    let wanted = |line: &Value| {
        line["type"] == "upstream" && line["change"] == change && line["upstream"]["server"] == server.as_str()
    };
    observer.wait_for_json(since, PATIENCE, wanted).with_context(|| format!("no {change}: {:#?}", observer.lines(0)))
}

fn check_both_sides(found: &Value) -> Result<()> {
    let learned = found["learned_timeout"]["value_ms"].as_f64().context("no learned timeout")?;
    ensure!((learned - TRUTH_MS).abs() <= TRUTH_MS * 0.05, "learned {learned} ms, not {TRUTH_MS}");
    ensure!(found["mismatch"] == Value::Bool(true) && found["upstream"]["name"] == "backend", "{found:#}");
    ensure!(found["nginx_timeout"]["value_ms"] == 60_000.0, "{found:#}");
    let (file, line) = place(found["nginx_timeout"]["at"].as_str().context("no place")?)?;
    let text = fs::read_to_string(&file)?;
    let there = text.lines().nth(line - 1).unwrap_or_default();
    ensure!(there.trim() == "keepalive_timeout 60s;", "{file}:{line} is {there:?}");
    Ok(())
}

/// Takes `FILE:LINE` apart.
fn place(place: &str) -> Result<(String, usize)> {
    let (file, line) = place.rsplit_once(':').with_context(|| format!("no place: {place}"))?;
    Ok((file.to_owned(), line.parse()?))
}

/// Does what the advice says, by its own words: `set A in upstream B, in place of C at FILE:LINE, or ...`.
fn follow(advice: &str) -> Result<()> {
    let parts = || {
        let (_, rest) = advice.split_once(": set ")?;
        let (directive, rest) = rest.split_once(" in upstream backend, in place of ")?;
        let (old, rest) = rest.split_once(" at ")?;
        Some((directive, old, rest.split_once(',')?.0))
    };
    let (directive, old, at) = parts().with_context(|| format!("not to be followed by its words: {advice}"))?;
    let (file, line) = place(at)?;
    let text = fs::read_to_string(&file)?;
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let there = lines.get_mut(line - 1).with_context(|| format!("{file} has no line {line}"))?;
    ensure!(there.contains(&format!("{old};")), "{at} is {there:?}");
    *there = there.replace(old, directive);
    Ok(fs::write(&file, lines.join("\n") + "\n")?)
}

/// Posts at the moment when the connection of the request before is closed; gives the races that this made, and how often
/// the client got a 502, for nginx does not repeat a POST.
fn provoke(stage: &Stage, observer: &Observer) -> Result<(usize, usize)> {
    let seen = observer.bookmark();
    let mut failures = 0;
    for _ in 0..TRIES {
        ask(stage)?;
        stage.backend()?.wait_until_all_closed()?;
        let status = stage.client()?.post("/ok", "a body")?.status;
        ensure!([200, 502].contains(&status), "the lab itself: a client got {status}");
        failures += usize::from(status == 502);
        stage.backend()?.wait_until_all_closed()?;
    }
    // Verdicts wait for what may still come, five settle windows of 300 ms at most.
    thread::sleep(Duration::from_secs(2));
    let races = observer.verdicts(seen).iter().filter(|verdict| verdict.cause == "keepalive_race").count();
    Ok((races, failures))
}

fn wait_for_metric(daemon: &Daemon, stage: &Stage, wanted: u64) -> Result<()> {
    let label = format!("upstream=\"backend\",server=\"{}\"", stage.server());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (_, text) = daemon.get("/metrics")?;
        let series = format!("reset_observer_keepalive_mismatch{{{label}}} {wanted}");
        if text.lines().any(|line| line == series) {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{series} is not in {text}");
        // Metrics have no events.
        thread::sleep(Duration::from_millis(20));
    }
}
