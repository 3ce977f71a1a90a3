//! What was learned of a server holds when the server is replaced, and follows when its idle timeout is another one.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use lab::backend::{Real, Server};
use lab::fleet::Fleet;
use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::topology::Shape;

/// Closes by which a timeout is known.
const CLOSES: usize = 3;

/// A quiet close is judged a second and a half later.
const PATIENCE: Duration = Duration::from_secs(5);

#[test]
fn a_deploy_teaches_nothing_wrong_and_a_changed_timeout_is_learned() {
    if programs::runs_all() {
        replaced().unwrap();
    }
}

fn replaced() -> Result<()> {
    let _machine = MachineLock::take()?;
    let before = Duration::from_millis(500);
    let after = Duration::from_millis(1200);
    let real = |tls| Real { server: Server::Node, idle: before, tls };
    let mut fleet = Fleet::set_up(Shape::Loopback, &[real(false), real(true)], "60s")?;
    let mut daemon = Daemon::start_with(&["--state-file", "none"])?;
    close_for_idleness(&fleet)?;
    let first = learned_of_all(&fleet, &daemon)?;
    are_truths(&fleet, &first)?;
    for index in 0..fleet.ships().len() {
        // What lies idle when the server is replaced is closed at once, whatever its age: younger than any timeout.
        for round in 1..=CLOSES {
            let ship = fleet.ships().get(index).context("the lab itself: a ship is missing")?;
            let held: Vec<_> = (0..2).map(|_| fleet.client(ship)).collect::<Result<_>>()?;
            for mut client in held {
                ensure!(client.get("/ok")?.status == 200, "the lab itself: no answer");
                thread::sleep(Duration::from_millis(100) * u32::try_from(round)?);
            }
            fleet.replace(index, before)?;
        }
    }
    thread::sleep(Duration::from_secs(3));
    let still = learned_of_all(&fleet, &daemon)?;
    are_truths(&fleet, &still).with_context(|| format!("the deploys changed what was learned: {first:?}"))?;
    for index in 0..fleet.ships().len() {
        fleet.replace(index, after)?;
    }
    close_for_idleness(&fleet)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let second = learned_of_all(&fleet, &daemon)?;
        let told = are_truths(&fleet, &second);
        if told.is_ok() || Instant::now() > deadline {
            println!("first {first:?}, then {second:?}");
            told?;
            break;
        }
        // Metrics have no events.
        thread::sleep(Duration::from_millis(50));
    }
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

/// Closes of each server, side by side.
fn close_for_idleness(fleet: &Fleet) -> Result<()> {
    for _ in 0..CLOSES {
        for ship in fleet.ships() {
            let status = fleet.client(ship)?.get("/ok")?.status;
            ensure!(status == 200, "the lab itself: a client of {} got {status}", ship.name);
        }
        for ship in fleet.ships() {
            fleet.wait_until_closed(ship)?;
        }
    }
    Ok(())
}

fn learned_of_all(fleet: &Fleet, daemon: &Daemon) -> Result<Vec<Duration>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let learned: Vec<_> =
            fleet.ships().iter().map(|ship| daemon.learned_idle_timeout(ship.server)).collect::<Result<_>>()?;
        match learned.iter().copied().collect() {
            Some(all) => return Ok(all),
            None => ensure!(Instant::now() < deadline, "not all was learned: {learned:?}"),
        }
        // Metrics have no events.
        thread::sleep(Duration::from_millis(50));
    }
}

/// Each is what a client of its own finds, within 5 % or 20 ms.
fn are_truths(fleet: &Fleet, learned: &[Duration]) -> Result<()> {
    let probes: Vec<_> = fleet.ships().iter().map(|ship| fleet.probe(ship, 1)).collect::<Result<_>>()?;
    for ((ship, probe), learned) in fleet.ships().iter().zip(probes).zip(learned) {
        let truths = probe.finish()?;
        let near = |truth: &Duration| learned.abs_diff(*truth) <= (*truth / 20).max(Duration::from_millis(20));
        ensure!(truths.iter().any(near), "{}: learned {learned:?}, and it closes after {truths:?}", ship.name);
    }
    Ok(())
}
