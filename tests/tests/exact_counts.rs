//! The metrics count every reset that the kernel counts, no more and no less.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use lab::counters::Counters;
use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::topology::Family;

/// Deeds that send resets for as many reasons as possible, and from both ends.
const DEEDS: &[&str] = &[
    "crash_with_reset",
    "crash_then_refused",
    "race_crossing",
    "race_held",
    "abort_linger0",
    "abort_cut_reset",
    "refused",
];

/// The daemon reads the kernel's counters once a second.
const LAG: Duration = Duration::from_millis(1_500);

#[test]
fn the_sum_of_resets_sent_equals_the_growth_of_tcp_out_rsts_exactly() {
    if programs::has_root() {
        compare().unwrap();
    }
}

fn compare() -> Result<()> {
    let _machine = MachineLock::take()?;
    let scenarios = DEEDS.iter().map(|name| scenario::named(name)).collect::<Result<Vec<_>>>()?;
    let plans = scenarios.iter().zip([Family::V4, Family::V6].into_iter().cycle());
    let mut stages =
        plans.map(|(scenario, family)| Stage::set_up(&(scenario.plan)(family))).collect::<Result<Vec<_>>>()?;
    let mut daemon = Daemon::start()?;
    let before = settled(&daemon)?;
    for (scenario, stage) in scenarios.iter().zip(&mut stages) {
        (scenario.act)(stage).with_context(|| scenario.name)?;
        knock_at_closed_ports(stage)?;
    }
    let after = settled(&daemon)?;
    let (kernel, metric) = (growth(&before.0, &after.0), after.1 - before.1);
    ensure!(kernel >= 100, "the lab itself: only {kernel} resets were sent");
    ensure!(kernel == metric, "the kernel sent {kernel} resets, the metrics say {metric}");
    let (reasons, all) = (daemon.sum("reset_observer_resets_sent_by_reason_total", "reason=")?, after.1);
    ensure!(reasons == all, "by reason there are {reasons} resets sent, by leg {all}");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

/// Resets for no socket at all, as a port scan gets them.
fn knock_at_closed_ports(stage: &Stage) -> Result<()> {
    for port in 4000..4020 {
        let refused = stage.net().proxy().connect((stage.server().ip(), port).into());
        ensure!(refused.is_err(), "the lab itself: port {port} is open");
    }
    Ok(())
}

/// `TcpOutRsts` by namespace and the metric's sum, when neither has moved for longer than the metric may lag behind.
fn settled(daemon: &Daemon) -> Result<(BTreeMap<PathBuf, u64>, u64)> {
    let mut last = read_both(daemon)?;
    let mut since = Instant::now();
    while since.elapsed() < LAG {
        thread::sleep(Duration::from_millis(100));
        let now = read_both(daemon)?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(last)
}

fn read_both(daemon: &Daemon) -> Result<(BTreeMap<PathBuf, u64>, u64)> {
    Ok((resets_by_namespace()?, daemon.sum("reset_observer_resets_total", "direction=\"sent\"")?))
}

/// `TcpOutRsts` of every network namespace on the machine that a process lives in.
fn resets_by_namespace() -> Result<BTreeMap<PathBuf, u64>> {
    let mut resets = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while it is looked at.
        let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/net")) else { continue };
        if let Ok(counters) = Counters::of_process(pid) {
            resets.insert(namespace, counters.get("TcpOutRsts"));
        }
    }
    Ok(resets)
}

fn growth(before: &BTreeMap<PathBuf, u64>, after: &BTreeMap<PathBuf, u64>) -> u64 {
    after.iter().map(|(namespace, count)| count - before.get(namespace).copied().unwrap_or(0)).sum()
}
