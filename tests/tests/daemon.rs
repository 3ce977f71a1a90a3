//! What the daemon shows is one story, and SIGHUP changes its settings without losing it.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::topology::Family;

/// A race, whose verdict has all there is to show.
const SCENARIO: &str = "race_crossing";

const CAUSE: &str = "keepalive_race";

/// A verdict takes the settle window; a busy machine takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn json_metrics_and_page_mean_the_same_verdict() {
    if programs::has_root() {
        one_story().unwrap();
    }
}

#[test]
fn sighup_takes_over_what_can_change_says_what_cannot_and_loses_nothing() {
    if programs::has_root() {
        hangup().unwrap();
    }
}

#[test]
fn a_mistake_in_the_settings_is_told_with_its_line_and_what_was_meant() {
    let directory = TempDir::new().unwrap();
    let (config, web) = (directory.path().join("daemon.yml"), directory.path().join("web.yml"));
    fs::write(&config, "port: 3000\nsetle: 1s\n").unwrap();
    fs::write(&web, "basic_auth_user:\n  alice: x\n").unwrap();
    let told = |flag: &str, file: &std::path::Path| {
        let output = Command::new(programs::observer().unwrap()).arg("daemon").arg(flag).arg(file).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    let said = told("--config", &config);
    assert!(said.contains("daemon.yml:2:1: unknown key \"setle\": did you mean settle?"), "{said}");
    let said = told("--web.config.file", &web);
    assert!(said.contains("web.yml:1:1: unknown key \"basic_auth_user\": did you mean basic_auth_users?"), "{said}");
}

#[test]
fn the_settings_that_are_printed_make_the_same_settings() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("daemon.yml");
    let print = |args: &[&str]| {
        let output = Command::new(programs::observer().unwrap()).args(["daemon", "--print-config"]).args(args).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let printed = print(&["--port", "3000", "--settle", "1s", "--web.listen-address", ":9999"]);
    fs::write(&path, &printed).unwrap();
    let again = print(&["--config", path.to_str().unwrap()]);
    let values = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split("  # ").next().unwrap().to_owned())
            .collect()
    };
    assert_eq!(values(&again), values(&printed));
    assert!(again.contains("daemon.yml:"), "{again}");
}

fn one_story() -> Result<()> {
    let _machine = MachineLock::take()?;
    let daemon = Daemon::start_with(&["--state-file", "none"])?;
    let mut stage = Stage::set_up(&(scenario::named(SCENARIO)?.plan)(Family::V4))?;
    (scenario::named(SCENARIO)?.act)(&mut stage)?;
    let verdict = wait_for_verdict(&daemon)?;
    let id = verdict["id"].as_str().context("a verdict has an id")?;
    ensure!(id.len() == 12 && verdict["type"] == "verdict" && verdict["leg"] == "upstream", "{verdict:#}");

    let (_, page) = daemon.get("/")?;
    ensure!(page.contains(&format!("id=\"v-{id}\"")) && page.contains("class=\"keepalive_race\""), "{page}");
    let (_, one) = daemon.get(&format!("/api/v1/verdicts?id={id}"))?;
    ensure!(serde_json::from_str::<Value>(&one)?["verdicts"][0] == verdict, "{one}");
    let (_, plain) = daemon.get("/metrics")?;
    ensure!(plain.contains("process_resident_memory_bytes ") && !plain.contains("verdict_id"), "{plain}");
    Ok(())
}

/// The first verdict of the scenario's cause.
fn wait_for_verdict(daemon: &Daemon) -> Result<Value> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let (status, body) = daemon.get(&format!("/api/v1/verdicts?cause={CAUSE}"))?;
        ensure!(status == 200, "{status}: {body}");
        let mut found: Value = serde_json::from_str(&body)?;
        if found["verdicts"][0].is_object() {
            return Ok(found["verdicts"][0].take());
        }
        if Instant::now() > deadline {
            bail!("no {CAUSE} is shown: {:#?}", daemon.complaints());
        }
        // Nobody tells when a verdict falls but the answer itself.
        thread::sleep(Duration::from_millis(50));
    }
}

fn hangup() -> Result<()> {
    let _machine = MachineLock::take()?;
    let directory = TempDir::new()?;
    let config = directory.path().join("daemon.yml");
    fs::write(&config, "state-file: none\n")?;
    let mut daemon = Daemon::start_with(&["--config", &config.to_string_lossy()])?;
    let mut stage = Stage::set_up(&(scenario::named(SCENARIO)?.plan)(Family::V4))?;
    (scenario::named(SCENARIO)?.act)(&mut stage)?;
    let verdict = wait_for_verdict(&daemon)?;

    fs::write(&config, "state-file: none\nlog.level: debug\nsettle: 2s\n")?;
    reload_and_wait(&daemon, "log.level is debug now, before it was info")?;
    reload_and_wait(&daemon, "settle is to be 2s, and stays 300ms until a restart")?;
    ensure!(wait_for_verdict(&daemon)? == verdict, "the verdict is gone");
    wait_for_success(&daemon, 1)?;

    fs::write(&config, "state-file: none\nlog.levle: warn\n")?;
    reload_and_wait(&daemon, "daemon.yml:2:1: unknown key \"log.levle\": did you mean log.level?")?;
    wait_for_success(&daemon, 0)?;
    ensure!(wait_for_verdict(&daemon)? == verdict, "the verdict is gone");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

/// What a scrape tells is at most a tenth of a second old.
fn wait_for_success(daemon: &Daemon, wanted: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while daemon.sum("reset_observer_config_last_reload_successful", "file=\"config\"")? != wanted {
        ensure!(Instant::now() < deadline, "config_last_reload_successful does not become {wanted}");
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Sends SIGHUP and waits until the log says this.
fn reload_and_wait(daemon: &Daemon, sentence: &str) -> Result<()> {
    let pid = Pid::from_raw(i32::try_from(daemon.pid())?).context("no pid")?;
    kill_process(pid, Signal::HUP)?;
    let deadline = Instant::now() + PATIENCE;
    while !daemon.complaints().iter().any(|line| line.contains(sentence)) {
        ensure!(Instant::now() < deadline, "the log does not say {sentence:?}: {:#?}", daemon.complaints());
        // The log cannot be awaited beside the deadline.
        thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
