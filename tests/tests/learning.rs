//! The daemon learns how long a backend keeps idle connections, and knows it at once after a restart.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use lab::backend::Kind;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::{Daemon, Observer, Verdict};
use lab::programs;
use lab::router::Router;
use lab::stage::{Plan, Stage};
use lab::topology::{Family, Shape};

/// Closes by which a timeout is to be known.
const CLOSES: usize = 3;

/// Closes by which it is where a busy machine makes them differ.
const CLOSES_IF_BUSY: usize = 12;

#[test]
fn the_idle_timeout_of_a_backend_is_known_after_three_closes_and_at_once_after_a_restart() {
    if programs::has_root() {
        let backend = Kind::Fault(&["--idle-close-ms", "500"]);
        learn_and_recall(backend, Settings::default(), Duration::from_millis(500)).unwrap();
    }
}

#[test]
fn so_is_the_idle_timeout_of_real_node() {
    if programs::has_root() {
        // Node closes a second later than its `keepAliveTimeout` says.
        learn_and_recall(Kind::Node(100), Settings::default(), Duration::from_millis(1100)).unwrap();
    }
}

#[test]
fn so_is_the_idle_timeout_of_real_node_that_says_goodbye_by_tls() {
    if programs::has_root() {
        let nginx = Settings { tls: true, ..Settings::default() };
        learn_and_recall(Kind::NodeTls(800), nginx, Duration::from_millis(800)).unwrap();
    }
}

#[test]
fn a_size_at_which_responses_are_cut_again_and_again_is_said_to_repeat() {
    if programs::has_root() {
        cut_at_a_size().unwrap();
    }
}

#[test]
fn a_damaged_state_file_is_put_aside_in_words_and_the_daemon_runs() {
    if programs::has_root() {
        damaged().unwrap();
    }
}

#[test]
fn a_state_file_that_cannot_be_written_ends_the_daemon_with_what_to_do() {
    if programs::has_root() {
        nowhere().unwrap();
    }
}

fn learn_and_recall(backend: Kind, nginx: Settings, truth: Duration) -> Result<()> {
    let _machine = MachineLock::take()?;
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let stage = Stage::set_up(&Plan { family: Family::V4, shape, nginx, backend })?;
    let scratch = TempDir::new()?;
    let file = scratch.path().join("state.json");
    let mut daemon = remembering(&file)?;
    ensure!(learned(&daemon, &stage)?.is_none(), "nobody has closed anything yet");
    let learned_now = learn(&daemon, &stage)?;
    let tolerance = (truth / 20).max(Duration::from_millis(20));
    ensure!(learned_now.abs_diff(truth) <= tolerance, "learned {learned_now:?}, not {truth:?}");
    let verdicts = |label| daemon.sum("reset_observer_verdicts_total", label);
    let (all, harmless) =
        (verdicts("leg=\"upstream\"")?, verdicts("cause=\"idle_close\",impact=\"none\",leg=\"upstream\"")?);
    ensure!(all == harmless && harmless > 0, "{all} verdicts, and {harmless} of them harmless");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    let again = remembering(&file)?;
    ensure!(learned(&again, &stage)? == Some(learned_now), "not known at once after a restart");
    Ok(())
}

fn cut_at_a_size() -> Result<()> {
    let _machine = MachineLock::take()?;
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let backend = Kind::Fault(&["--max-response", "5000"]);
    let stage = Stage::set_up(&Plan { family: Family::V4, shape, nginx: Settings::default(), backend })?;
    let mut observer = Observer::observe()?;
    let mut repeats = Vec::new();
    for size in [20_000, 30_000, 40_000] {
        let seen = observer.bookmark();
        let response = stage.client()?.get(&format!("/size/{size}"))?;
        ensure!(!response.complete, "the lab itself: {size} bytes came whole");
        let is_cut = |verdict: &Verdict| verdict.leg == "upstream" && verdict.cause == "backend_abort";
        let verdict = observer.wait_for_verdict(seen, Duration::from_secs(5), is_cut)?;
        repeats.push(verdict.evidence.iter().any(|evidence| evidence == "size_repeats"));
    }
    ensure!(repeats == [false, false, true], "{repeats:?}: {:#?}", observer.lines(0));
    ensure!(observer.finish()?.0.success(), "the observer did not end well");
    Ok(())
}

fn damaged() -> Result<()> {
    let _machine = MachineLock::take()?;
    let scratch = TempDir::new()?;
    let file = scratch.path().join("state.json");
    remembering(&file)?.finish()?;
    let whole = fs::read(&file).context("no state file was written")?;
    fs::write(&file, &whole[..whole.len() / 2])?;
    let mut daemon = remembering(&file)?;
    daemon.wait_for_complaint(&["not usable", "state.json.damaged"])?;
    ensure!(fs::read(scratch.path().join("state.json.damaged"))? == whole[..whole.len() / 2], "not what was there");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

fn nowhere() -> Result<()> {
    let _machine = MachineLock::take()?;
    let scratch = TempDir::new()?;
    let file = scratch.path().join("missing/state.json");
    let arguments = ["daemon", "--web.listen-address", "127.0.0.1:0", "--state-file", &file.to_string_lossy()];
    let mut daemon = Observer::start(&arguments, |_| ())?;
    ensure!(daemon.wait()?.code() == Some(2), "{:#?}", daemon.complaints());
    let complaints = daemon.complaints().join("\n");
    ensure!(complaints.contains("missing/state.json") && complaints.contains("create its directory"), "{complaints}");
    Ok(())
}

fn remembering(file: &Path) -> Result<Daemon> {
    Daemon::start_with(&["--state-file", &file.to_string_lossy()])
}

/// One request, and then nothing until the backend has closed the connection that nginx keeps.
fn close_one_for_idleness(stage: &Stage) -> Result<()> {
    let seen = stage.backend()?.told();
    let status = stage.client()?.get("/ok")?.status;
    ensure!(status == 200, "the lab itself: a client got {status}");
    stage.backend()?.wait_for("idle_close", seen)?;
    Ok(())
}

/// Has connections closed until a timeout is known. That equal closes need no more than [`CLOSES`] is the unit tests'.
fn learn(daemon: &Daemon, stage: &Stage) -> Result<Duration> {
    for closes in 1..=CLOSES_IF_BUSY {
        close_one_for_idleness(stage)?;
        if closes < CLOSES {
            continue;
        }
        if let Some(timeout) = wait_until_learned(daemon, stage)? {
            println!("known after {closes} closes");
            return Ok(timeout);
        }
    }
    bail!("nothing was learned from {CLOSES_IF_BUSY} closes")
}

/// A quiet close is judged a second and a half later.
fn wait_until_learned(daemon: &Daemon, stage: &Stage) -> Result<Option<Duration>> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let timeout = learned(daemon, stage)?;
        if timeout.is_some() || Instant::now() >= deadline {
            return Ok(timeout);
        }
        // Metrics have no events.
        thread::sleep(Duration::from_millis(20));
    }
}

fn learned(daemon: &Daemon, stage: &Stage) -> Result<Option<Duration>> {
    daemon.learned_idle_timeout(stage.server())
}
