//! The checks of the kernel matrix, and how they are run and reported.

use std::fs;
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use super::bench::Bench;
use super::features::Kernel;
use super::record::Records;
use super::report::{self, Finding};
use crate::recording;
use crate::scenario;
use crate::topology::Family;
use crate::trial;

mod after_close;
mod answered;
mod counts;
mod exact;
mod failed;
mod received;
mod sent;
mod shape;
mod silent;
mod unheeded;
mod unusual;

/// One thing that happens, and what must hold of it.
#[derive(Debug)]
pub struct Check {
    /// Its name on the command line and in the documentation.
    pub name: &'static str,
    /// What it shows, as a sentence.
    pub claim: &'static str,
    /// Makes it happen and compares.
    pub act: fn(&Bench) -> Result<Finding>,
}

/// The scenarios that run on every kernel as they do on this machine, with what a verdict rests on.
const SCENARIOS: [(&str, Family); 12] = [
    ("crash_with_reset", Family::V4),
    ("crash_then_refused", Family::V4),
    ("crash_exit_code", Family::V6),
    ("race_crossing", Family::V4),
    ("race_held", Family::V6),
    ("middlebox_reset", Family::V4),
    ("middlebox_silence", Family::V4),
    ("refused", Family::V4),
    ("abort_linger0", Family::V4),
    ("abort_size_limit", Family::V4),
    ("restart_sigterm", Family::V4),
    ("control", Family::V4),
];

/// Every check of facts, row by row.
pub fn all() -> impl Iterator<Item = &'static Check> {
    let rows = [received::CHECKS, exact::CHECKS, unheeded::CHECKS, after_close::CHECKS, failed::CHECKS];
    let more = [sent::CHECKS, answered::CHECKS, shape::CHECKS, unusual::CHECKS, silent::CHECKS, counts::CHECKS];
    rows.into_iter().chain(more).flatten()
}

/// The check of this name.
pub fn named(name: &str) -> Result<&'static Check> {
    all().find(|check| check.name == name).with_context(|| format!("no check is called {name:?}"))
}

/// Runs the checks of these names, all if none is given, and reports each.
pub fn run(only: &[String]) -> Result<()> {
    let chosen = |name: &str| only.is_empty() || only.iter().any(|wanted| wanted == name);
    report::kernel(fs::read_to_string("/proc/sys/kernel/osrelease").context("no kernel release")?.trim())?;
    // Where the programs do not load, nothing else has anything to say.
    if run_facts(chosen)? {
        run_with_log(chosen)?;
        run_by_cgroup(chosen)?;
        run_scenarios(chosen)?;
    }
    report::end()
}

/// Gives whether the programs loaded.
fn run_facts(chosen: impl Fn(&str) -> bool) -> Result<bool> {
    let start = Instant::now();
    let mut bench = None;
    let outcome = set_up(&mut bench).map(|()| Finding::Recorded);
    report::check(
        "programs",
        "the programs load, and use every feature that this kernel has",
        &outcome,
        start.elapsed(),
    )?;
    let Some(bench) = bench else { return Ok(false) };
    for check in all().filter(|check| chosen(check.name)) {
        let start = Instant::now();
        let outcome = (check.act)(&bench);
        report::check(check.name, check.claim, &outcome, start.elapsed())?;
    }
    Ok(true)
}

/// The programs' own log makes them many times longer for the verifier.
fn run_with_log(chosen: impl Fn(&str) -> bool) -> Result<()> {
    if !chosen("program_log") {
        return Ok(());
    }
    let start = Instant::now();
    let claim = "the programs load with their own log switched on, too (`--log.level trace`)";
    report::check("program_log", claim, &Records::start("trace").map(|_| Finding::Recorded), start.elapsed())
}

/// Where fentry gives no packet, a look at every packet does.
fn run_by_cgroup(chosen: impl Fn(&str) -> bool) -> Result<()> {
    if !chosen("packets_by_cgroup") {
        return Ok(());
    }
    let start = Instant::now();
    let claim = "what a reset packet looked like is told on every kernel that is asked to (`--rst-packets cgroup`)";
    report::check("packets_by_cgroup", claim, &tell_by_cgroup(), start.elapsed())
}

fn tell_by_cgroup() -> Result<Finding> {
    let (records, ready) = Records::start_with("debug", &["--rst-packets", "cgroup"])?;
    let bench = Bench { kernel: Kernel::ask()?, records, features: ready["features"].clone() };
    ensure!(bench.has("rst_packet"), "reset packets are not looked at: {ready}");
    shape::CHECKS.iter().try_for_each(|check| (check.act)(&bench).map(|_| ()))?;
    Ok(Finding::Recorded)
}

/// Fills `bench` as soon as the programs run, whatever is wrong with their features.
fn set_up(bench: &mut Option<Bench>) -> Result<()> {
    let kernel = Kernel::ask()?;
    let (records, ready) = Records::start("debug")?;
    *bench = Some(Bench { kernel, records, features: ready["features"].clone() });
    report::ready(&ready)?;
    kernel.judge(&ready)
}

/// The lab's own scenarios, under an observer that says no more than usual.
fn run_scenarios(chosen: impl Fn(&str) -> bool) -> Result<()> {
    for (scenario, family) in SCENARIOS {
        let name = check_name(scenario);
        if !chosen(&name) {
            continue;
        }
        let start = Instant::now();
        let deed = scenario::named(scenario)?.deed;
        let outcome = try_scenario(scenario, family).map(|()| Finding::Recorded);
        report::check(&name, deed, &outcome, start.elapsed())?;
        let recorded = trial::recording_of(scenario, family);
        if let Some((recording, live)) = recording::kept(&recorded)? {
            report::recording(&recorded, &recording, &live)?;
        }
    }
    Ok(())
}

/// Scenarios run on real nginx, and some are called as a check is.
fn check_name(scenario: &str) -> String {
    format!("nginx_{scenario}")
}

fn try_scenario(name: &str, family: Family) -> Result<()> {
    let outcome = trial::try_alone(name, family)?;
    if !outcome.faults.is_empty() {
        bail!("{}", outcome.told());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// What `cargo xtask vm` wrote down of its last runs.
    const SEEN: &str = include_str!("../../../docs/kernel-support.json");

    #[test]
    fn every_kernel_was_put_to_the_checks_that_there_are() {
        let scenarios = SCENARIOS.iter().map(|(name, _)| check_name(name));
        let facts = all().map(|check| check.name.to_owned());
        let mut expected: Vec<String> = ["programs", "program_log", "packets_by_cgroup"].map(str::to_owned).into();
        expected.extend(facts.chain(scenarios));
        expected.sort();
        let seen: Value = serde_json::from_str(SEEN).unwrap();
        for kernel in seen.as_array().unwrap() {
            let checks = kernel["checks"].as_array().unwrap();
            let mut names: Vec<_> = checks.iter().map(|check| check["name"].as_str().unwrap()).collect();
            names.sort_unstable();
            assert_eq!(names, expected, "docs/kernel-support.md is stale: type `cargo xtask vm`");
        }
    }
}
