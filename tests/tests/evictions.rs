//! The observer remembers who opened a connection for a bounded number of them, and says how many it had to forget.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use lab::lock::MachineLock;
use lab::namespace::Namespace;
use lab::observer::Daemon;
use lab::programs;

/// Connections that the observer under test remembers.
const ROOM: u64 = 1024;

/// The kernel keeps up to 128 free entries of such a map for each CPU, and evicts before another CPU's are used.
const HELD_BACK_BY_A_CPU: u64 = 128;

const EVICTED: (&str, &str) = ("reset_observer_records_lost_total", "stage=\"owner_evicted\"");

#[test]
fn openers_are_remembered_up_to_the_bound_and_those_forgotten_beyond_it_are_counted() {
    if programs::has_root() {
        overflow().unwrap();
    }
}

fn overflow() -> Result<()> {
    let _machine = MachineLock::take()?;
    let scratch = TempDir::new()?;
    let host = Namespace::new("crowded", scratch.path())?;
    host.run("ip", &["link", "set", "lo", "up"], "")?;
    let mut daemon = Daemon::start_with(&["--max-owners", &ROOM.to_string()])?;
    let listener = host.inside(|| TcpListener::bind("127.0.0.1:0").context("cannot listen"))?;
    let half = connect(&host, &listener, ROOM / 2)?;
    ensure!(evicted(&daemon)? == 0, "half as many as there is room for, and {} were evicted", evicted(&daemon)?);
    let many = connect(&host, &listener, 2 * ROOM)?;
    let over = ROOM / 2 + 2 * ROOM - ROOM;
    let slack = HELD_BACK_BY_A_CPU * u64::try_from(thread::available_parallelism()?.get())?;
    let counted = wait_for_evictions(&daemon)?;
    ensure!((over.saturating_sub(slack)..=over + slack).contains(&counted), "{counted} counted, {over} were too many");
    drop((half, many));
    ensure!(evicted(&daemon)? >= counted, "the count went down when the connections ended");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

/// Both ends of so many connections.
fn connect(host: &Namespace, listener: &TcpListener, count: u64) -> Result<Vec<(TcpStream, TcpStream)>> {
    let address = listener.local_addr()?;
    host.inside(|| (0..count).map(|_| Ok((TcpStream::connect(address)?, listener.accept()?.0))).collect())
}

fn evicted(daemon: &Daemon) -> Result<u64> {
    daemon.sum(EVICTED.0, EVICTED.1)
}

/// The daemon reads the kernel's counters at each scrape, or a second apart.
fn wait_for_evictions(daemon: &Daemon) -> Result<u64> {
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let counted = evicted(daemon)?;
        if counted > 0 || Instant::now() > deadline {
            return Ok(counted);
        }
        thread::sleep(Duration::from_millis(50));
    }
}
