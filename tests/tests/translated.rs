//! Between nginx and the backend addresses are translated, so that the two ends of a connection know different ones. Both
//! are on this host, and what the backend's kernel recorded decides.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs;
use lab::scenario;
use lab::stage::{BACKEND_PORT, Stage};
use lab::topology::Family;

#[test]
fn the_two_ends_of_a_connection_are_put_together_across_address_translation() {
    if programs::has_root() {
        crash_behind_translation(Family::V4).unwrap();
    }
}

#[test]
fn the_two_ends_of_a_connection_are_put_together_across_address_translation_on_ipv6_too() {
    if programs::has_root() {
        crash_behind_translation(Family::V6).unwrap();
    }
}

fn crash_behind_translation(family: Family) -> Result<()> {
    let _machine = MachineLock::take()?;
    let scenario = scenario::named("crash_with_reset")?;
    let mut stage = Stage::set_up(&(scenario.plan)(family))?;
    let router = stage.net().router().context("the lab itself: no router")?;
    let rules = format!(
        "table inet translation {{ chain out {{ type nat hook postrouting priority 100; \
         tcp dport {BACKEND_PORT} masquerade random; }}\n}}"
    );
    router.run("nft", &["-f", "-"], &rules)?;
    let mut observer = Observer::observe()?;
    let truth = (scenario.act)(&mut stage)?;
    let verdict = observer.wait_for_verdict(0, Duration::from_secs(5), |verdict| verdict.leg == "upstream")?;
    let seen_by_backend = truth.expected.first().context("the lab itself: no victim")?.local_port;
    ensure!(Some(verdict.local.port) != seen_by_backend, "the lab itself: nothing was translated");
    ensure!((&*verdict.cause, &*verdict.confidence) == ("backend_crash", "high"), "{verdict:#?}");
    ensure!(verdict.backend["exit"] == "SIGKILL", "{verdict:#?}");
    ensure!(verdict.backend["reset_reason"] == "tcp_abort_on_close", "{verdict:#?}");
    ensure!(observer.finish()?.0.success(), "the observer did not end well");
    Ok(())
}
