//! The idle timeouts of real servers are learned from three clean closes, plain and over TLS, as a client of their own
//! finds them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use lab::backend::{Real, Server};
use lab::fleet::{Fleet, Ship};
use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::topology::Shape;

/// Closes by which a timeout is to be known.
const CLOSES: usize = 3;

/// A quiet close is judged a second and a half later.
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn the_idle_timeouts_of_real_servers_are_known_after_three_closes() {
    if programs::has_root() {
        learn_all().unwrap();
    }
}

/// Each server, plain and over TLS. What is configured differs, so that one value cannot pass for another.
fn reals() -> Vec<Real> {
    let servers = [
        (Server::Node, 400),
        (Server::NodeHttp2, 900),
        (Server::Gunicorn, 1000),
        (Server::Uvicorn, 2000),
        (Server::Apache, 1300),
        (Server::Haproxy, 700),
    ];
    let with = |(server, idle_ms), tls| Real { server, idle: Duration::from_millis(idle_ms), tls };
    servers.into_iter().flat_map(|server| [with(server, false), with(server, true)]).collect()
}

fn learn_all() -> Result<()> {
    let _machine = MachineLock::take()?;
    let fleet = Fleet::set_up(Shape::Loopback, &reals(), "60s")?;
    let mut daemon = Daemon::start_with(&["--state-file", "none"])?;
    let probes: Vec<_> = fleet.ships().iter().map(|ship| fleet.probe(ship, 2)).collect::<Result<_>>()?;
    let truths: Vec<Vec<Duration>> = probes.into_iter().map(|probe| probe.finish()).collect::<Result<_>>()?;
    thread::scope(|scope| {
        let closes: Vec<_> =
            fleet.ships().iter().map(|ship| scope.spawn(|| close_for_idleness(&fleet, ship))).collect();
        closes.into_iter().try_for_each(|close| close.join().unwrap_or_else(|_| anyhow::bail!("a panic")))
    })?;
    let mut wrong = Vec::new();
    for (ship, truth) in fleet.ships().iter().zip(&truths) {
        let learned = wait_until_learned(&daemon, ship)?;
        println!("{:<16} configured {:?}, closes after {truth:?}, learned {learned:?}", ship.name, ship.real.idle);
        if !truth.iter().any(|truth| learned.is_some_and(|learned| is_near(learned, *truth))) {
            wrong.push(format!("{}: learned {learned:?}, and it closes after {truth:?}", ship.name));
        }
    }
    ensure!(wrong.is_empty(), "{wrong:#?}");
    let verdicts = |label| daemon.sum("reset_observer_verdicts_total", label);
    let (all, harmless) =
        (verdicts("leg=\"upstream\"")?, verdicts("cause=\"idle_close\",impact=\"none\",leg=\"upstream\"")?);
    ensure!(all == harmless && harmless > 0, "{all} verdicts, and {harmless} of them harmless");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

fn is_near(learned: Duration, truth: Duration) -> bool {
    learned.abs_diff(truth) <= (truth / 20).max(Duration::from_millis(20))
}

/// One request after another, each on a connection of its own, because the one before was closed.
fn close_for_idleness(fleet: &Fleet, ship: &Ship) -> Result<()> {
    for _ in 0..CLOSES {
        let status = fleet.client(ship)?.get("/ok")?.status;
        ensure!(status == 200, "the lab itself: a client of {} got {status}", ship.name);
        fleet.wait_until_closed(ship)?;
    }
    Ok(())
}

fn wait_until_learned(daemon: &Daemon, ship: &Ship) -> Result<Option<Duration>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let learned = daemon.learned_idle_timeout(ship.server)?;
        if learned.is_some() || Instant::now() > deadline {
            return Ok(learned);
        }
        // Metrics have no events.
        thread::sleep(Duration::from_millis(20));
    }
}
