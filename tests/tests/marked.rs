//! SIGUSR1 or a reload of nginx marks the point of a change: the session ends with both sides of it compared, and so does its replay.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs;
use lab::recording::Recording;
use lab::scenario;
use lab::topology::Family;
use lab::trial::hold;

/// Races before the mark.
const RACES: u64 = 2;

#[test]
fn what_came_before_a_mark_is_compared_with_what_came_after_live_and_replayed() {
    if programs::has_root() {
        compared().unwrap();
    }
}

fn compared() -> Result<()> {
    let _machine = MachineLock::take()?;
    let recording = Recording::of("marked-ipv4")?;
    let mut observer = Observer::observe_with(&recording.arguments()?)?;
    act(&observer, "race_crossing", RACES)?;
    observer.signal(Signal::USR1)?;
    let mark = observer.wait_for_line(|line| line["type"] == "mark")?;
    ensure!(mark["number"] == 1, "{mark:#}");
    act(&observer, "abort_close", 1)?;
    let (status, summary) = observer.finish()?;
    ensure!(status.success() && summary.is_some(), "it ended by {status}: {:#?}", observer.complaints());
    let lines = observer.lines(0);
    recording.check(&lines)?;
    check(&lines)?;
    recording.keep(&lines)
}

#[test]
fn a_reload_of_nginx_marks_the_point_live_and_replayed() {
    if programs::has_root() {
        compared_by_reload().unwrap();
    }
}

fn compared_by_reload() -> Result<()> {
    let _machine = MachineLock::take()?;
    let recording = Recording::of("marked_by_reload-ipv4")?;
    let mut observer = Observer::observe_with(&recording.arguments()?)?;
    act(&observer, "control", 1)?;
    let mark = observer.wait_for_line(|line| line["type"] == "mark")?;
    ensure!(mark["by"] == "reload" && mark["number"] == 1, "{mark:#}");
    let (status, summary) = observer.finish()?;
    ensure!(status.success() && summary.is_some(), "it ended by {status}: {:#?}", observer.complaints());
    let lines = observer.lines(0);
    recording.check(&lines)?;
    let compared = lines.iter().any(|line| line.starts_with(r#"{"type":"comparison""#));
    ensure!(compared, "nothing was compared: {lines:#?}");
    recording.keep(&lines)
}

fn act(observer: &Observer, name: &str, times: u64) -> Result<()> {
    let scenario = scenario::named(name)?;
    for _ in 0..times {
        let outcome = hold(&scenario, Family::V4, observer)?;
        ensure!(outcome.faults.is_empty(), "{name}: {}", outcome.told());
    }
    Ok(())
}

fn check(lines: &[String]) -> Result<()> {
    let lines: Vec<Value> = lines.iter().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<_>>()?;
    let [.., comparison, summary] = &lines[..] else { anyhow::bail!("too few lines: {lines:#?}") };
    let types = (&comparison["type"], &summary["type"]);
    ensure!(types == (&"comparison".into(), &"summary".into()), "the last lines are {types:?}");
    let of = |cause: &str| comparison["causes"].as_array()?.iter().find(|compared| compared["cause"] == cause);
    let (race, abort) = (of("keepalive_race").context("no races")?, of("backend_abort").context("no abort")?);
    ensure!((race["before"].as_u64(), race["after"].as_u64()) == (Some(RACES), Some(0)), "{race:#}");
    ensure!((abort["before"].as_u64(), abort["after"].as_u64()) == (Some(0), Some(1)), "{abort:#}");
    for half in ["before", "after"] {
        let opened = comparison[half]["connections"].as_u64();
        ensure!(opened > Some(0), "no connection was opened {half} the mark: {comparison:#}");
    }
    Ok(())
}
