//! The metrics count every reset that the kernel counts, no more and no less.

use anyhow::{Context, Result, ensure};

use lab::counters::tally::Tally;
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
    let before = Tally::settled(&daemon)?;
    for (scenario, stage) in scenarios.iter().zip(&mut stages) {
        (scenario.act)(stage).with_context(|| scenario.name)?;
        knock_at_closed_ports(stage)?;
    }
    let after = Tally::settled(&daemon)?;
    let (kernel, metric) = after.since(&before);
    ensure!(kernel >= 100, "the lab itself: only {kernel} resets were sent");
    ensure!(kernel == metric, "the kernel sent {kernel} resets, the metrics say {metric}");
    let (reasons, all) = (daemon.sum("reset_observer_resets_sent_by_reason_total", "reason=")?, after.metric());
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
