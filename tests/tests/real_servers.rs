//! The idle timeouts of real servers are learned from three clean closes, plain and over TLS, as a client of their own
//! finds them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use lab::backend::{Probe, Real, Server};
use lab::fleet::{Fleet, Ship};
use lab::lock::MachineLock;
use lab::observer::Daemon;
use lab::programs;
use lab::topology::Shape;

/// Closes by which a timeout is to be known on a machine that does nothing else.
const CLOSES: usize = 3;

/// Closes by which it is to be known on a busy one, where a server that gets no processor closes late.
const CLOSES_WHEN_BUSY: usize = 8;

/// A quiet close is judged a second and a half later.
const PATIENCE: Duration = Duration::from_secs(3);

#[test]
fn the_idle_timeouts_of_real_servers_are_known_after_three_closes() {
    if programs::runs_all() {
        learn_all().unwrap();
    }
}

/// Each server, plain and over TLS. What is configured differs, so that one value cannot pass for another.
fn reals() -> Vec<Real> {
    let servers = [
        (Server::Node, 500),
        (Server::NodeHttp2, 1800),
        (Server::Gunicorn, 2000),
        (Server::Uvicorn, 2000),
        (Server::Apache, 1300),
        (Server::Haproxy, 1600),
    ];
    let with = |(server, idle_ms), tls| Real { server, idle: Duration::from_millis(idle_ms), tls };
    servers.into_iter().flat_map(|server| [with(server, false), with(server, true)]).collect()
}

fn learn_all() -> Result<()> {
    let _machine = MachineLock::take()?;
    let fleet = Fleet::set_up(Shape::Loopback, &reals(), "60s")?;
    let mut daemon = Daemon::start_with(&["--state-file", "none"])?;
    let probes: Vec<_> = fleet.ships().iter().map(|ship| fleet.probe(ship, 2)).collect::<Result<_>>()?;
    let truths: Vec<Vec<Duration>> = probes.into_iter().map(Probe::finish).collect::<Result<_>>()?;
    let faults = thread::scope(|scope| {
        let (fleet, daemon) = (&fleet, &daemon);
        let ships = fleet.ships().iter().zip(&truths);
        let judged: Vec<_> =
            ships.map(|(ship, truth)| scope.spawn(move || judge(fleet, daemon, ship, truth))).collect();
        let judged = judged.into_iter().map(|judged| judged.join().unwrap_or_else(|_| bail!("a panic")));
        judged.collect::<Result<Vec<_>>>()
    })?;
    let faults: Vec<String> = faults.into_iter().flatten().collect();
    ensure!(faults.is_empty(), "{faults:#?}");
    let verdicts = |label| daemon.sum("reset_observer_verdicts_total", label);
    let (all, harmless) =
        (verdicts("leg=\"upstream\"")?, verdicts("cause=\"idle_close\",impact=\"none\",leg=\"upstream\"")?);
    ensure!(all == harmless && harmless > 0, "{all} verdicts, and {harmless} of them harmless");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

/// Lets a server close until its timeout is known, and says what is wrong with that.
fn judge(fleet: &Fleet, daemon: &Daemon, ship: &Ship, truth: &[Duration]) -> Result<Option<String>> {
    let Real { server, idle, .. } = ship.real;
    let most = if server == Server::Gunicorn { CLOSES_WHEN_BUSY } else { CLOSES };
    let (mut closes, mut learned) = (0, None);
    while learned.is_none() && closes < most {
        close_for_idleness(fleet, ship)?;
        closes += 1;
        learned = if closes < CLOSES { None } else { wait_until_learned(daemon, ship)? };
    }
    println!("{:<16} configured {idle:?}, closes after {truth:?}, {closes} closes taught {learned:?}", ship.name);
    let right = learned.is_some_and(|learned| match server {
        // It looks once a second, and finds a connection in time or a second late by chance.
        Server::Gunicorn => [idle, idle + Duration::from_secs(1)].iter().any(|truth| is_near(learned, *truth)),
        Server::Node | Server::NodeHttp2 | Server::Grpc | Server::Uvicorn | Server::Apache | Server::Haproxy => {
            truth.iter().any(|truth| is_near(learned, *truth))
        }
    });
    // Whether a response ended with the GOAWAY cannot always be told, and then nothing is learned.
    let absent = server == Server::NodeHttp2 && learned.is_none();
    Ok((!right && !absent).then(|| format!("{}: learned {learned:?}, and it closes after {truth:?}", ship.name)))
}

fn is_near(learned: Duration, truth: Duration) -> bool {
    learned.abs_diff(truth) <= (truth / 20).max(Duration::from_millis(20))
}

/// One request, and then nothing until the server has closed the connection that nginx keeps.
fn close_for_idleness(fleet: &Fleet, ship: &Ship) -> Result<()> {
    let status = fleet.client(ship)?.get("/ok")?.status;
    ensure!(status == 200, "the lab itself: a client of {} got {status}", ship.name);
    fleet.wait_until_closed(ship)
}

fn wait_until_learned(daemon: &Daemon, ship: &Ship) -> Result<Option<Duration>> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let learned = daemon.learned_idle_timeout(ship.server)?;
        if learned.is_some() || Instant::now() > deadline {
            return Ok(learned);
        }
        // Metrics have no events.
        thread::sleep(Duration::from_millis(50));
    }
}
