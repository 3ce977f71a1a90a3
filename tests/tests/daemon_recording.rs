//! The daemon records too, and what it recorded replays to the verdicts that it counted.

use anyhow::{Result, ensure};
use serde_json::Value;

use lab::lock::MachineLock;
use lab::observer::{Daemon, Observer};
use lab::programs;
use lab::recording::{Recording, replay};
use lab::scenario;
use lab::topology::Family;
use lab::trial::hold;

#[test]
fn what_a_daemon_recorded_replays_to_the_verdicts_of_an_observer_beside_it() {
    if programs::has_root() {
        recorded().unwrap();
    }
}

fn recorded() -> Result<()> {
    let _machine = MachineLock::take()?;
    let recording = Recording::of("daemon-ipv4")?;
    let arguments = recording.arguments()?;
    let mut daemon = Daemon::start_with(&[&["--state-file", "none"], &arguments[..]].concat())?;
    let mut observer = Observer::observe()?;
    let outcome = hold(&scenario::named("abort_close")?, Family::V4, &observer)?;
    ensure!(outcome.faults.is_empty(), "{}", outcome.told());
    observer.finish()?;
    ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
    let lines = replay(recording.file())?;
    let lines: Vec<Value> = lines.lines().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<_>>()?;
    ensure!(lines[0]["type"] == "ready" && lines[lines.len() - 1]["type"] == "summary", "{lines:#?}");
    let server = outcome.truth.server.to_string();
    let of_server = |line: &&Value| line["type"] == "verdict" && line["upstream"]["server"] == server.as_str();
    let causes: Vec<&Value> = lines.iter().filter(of_server).map(|line| &line["cause"]).collect();
    ensure!(causes == ["backend_abort"], "{causes:?} of {server}");
    Ok(())
}
