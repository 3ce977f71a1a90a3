//! A storm of resets that concern nobody, while a backend aborts requests: none of those goes missing, and every reset is
//! counted.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use lab::counters::tally::Tally;
use lab::lock::MachineLock;
use lab::namespace::Namespace;
use lab::observer::Daemon;
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::topology::Family;

/// Handshakes with a port where nobody listens.
const KNOCKS: u64 = 100_000;

/// Holds the record of each of them, so that it does not depend on the machine when the reader's turn comes.
const ROOM: &str = "32MiB";

/// Requests that the backend aborts meanwhile, each with a reset.
const ABORTS: u64 = 30;

const VERDICTS: (&str, &str) = ("reset_observer_verdicts_total", "cause=\"backend_abort\"");
const NOT_DETAILED: (&str, &str) = ("reset_observer_records_lost_total", "stage=\"socketless_rate\"");
const RING_FULL: (&str, &str) = ("reset_observer_records_lost_total", "stage=\"ring\"");

#[test]
fn in_a_storm_of_resets_every_one_is_counted_and_no_aborted_request_is_missed() {
    if programs::has_root() {
        storm().unwrap();
    }
}

fn storm() -> Result<()> {
    let _machine = MachineLock::take()?;
    let stage = Stage::set_up(&(scenario::named("abort_linger0")?.plan)(Family::V4))?;
    let mut daemon = Daemon::start_with(&["--ring-size", ROOM])?;
    let before = Tally::settled(&daemon)?;
    let closed = SocketAddr::new(stage.server().ip(), 4000);
    thread::scope(|scope| {
        let knocks = scope.spawn(|| knock(stage.net().proxy(), closed));
        for _ in 0..ABORTS {
            let answer = stage.client()?.get("/linger0")?;
            ensure!(answer.status == 502, "the lab itself: nginx answered {}", answer.status);
        }
        knocks.join().expect("knocking does not panic")
    })?;
    wait_for(&daemon, VERDICTS, ABORTS)?;
    let (kernel, metric) = Tally::settled(&daemon)?.since(&before);
    ensure!(kernel >= KNOCKS + ABORTS, "the lab itself: only {kernel} resets were sent");
    ensure!(kernel == metric, "the kernel sent {kernel} resets, the metrics say {metric}");
    let (rate, ring) = (read(&daemon, NOT_DETAILED)?, read(&daemon, RING_FULL)?);
    ensure!(rate > 0, "a storm of {KNOCKS} was detailed whole");
    ensure!(ring == 0, "{ring} records found the ring full");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

fn knock(from: &Namespace, at: SocketAddr) -> Result<()> {
    from.inside(|| {
        for _ in 0..KNOCKS {
            let refused = TcpStream::connect(at).map_err(|error| error.kind());
            ensure!(matches!(refused, Err(ErrorKind::ConnectionRefused)), "the lab itself: {refused:?}");
        }
        Ok(())
    })
}

fn read(daemon: &Daemon, (metric, label): (&str, &str)) -> Result<u64> {
    daemon.sum(metric, label)
}

/// Waits until the metric has exactly this value: it follows the kernel by a settle window.
fn wait_for(daemon: &Daemon, what: (&str, &str), expected: u64) -> Result<()> {
    let started = Instant::now();
    loop {
        let seen = read(daemon, what)?;
        if seen == expected {
            return Ok(());
        }
        ensure!(
            seen < expected && started.elapsed() < Duration::from_secs(20),
            "{what:?} is {seen}, and the truth is {expected}"
        );
        thread::sleep(Duration::from_millis(100));
    }
}
