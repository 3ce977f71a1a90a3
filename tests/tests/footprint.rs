//! What a daemon holds and costs that knows ten thousand connections and two hundred servers. Memory is judged; what takes
//! time is printed, for it is this machine's.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use lab::client::Client;
use lab::lock::MachineLock;
use lab::nginx::{Nginx, Settings};
use lab::observer::Daemon;
use lab::programs;
use lab::stage::{BACKEND_PORT, FRONT_PORT};
use lab::topology::{Family, Shape, Topology};

/// Servers of the upstream block, at each of which nobody listens; as many as have series of their own.
const SERVERS: u8 = 200;

/// Requests, each of which nginx tries at every server.
const REQUESTS: u64 = 50;

const CONNECTIONS: u64 = REQUESTS * SERVERS as u64;

/// What may be resident at the worst moment, in KiB.
const RESIDENT: u64 = 24 * 1024;

/// How long verdicts may take, and for how long nothing happens then.
const PATIENCE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_secs(10);

#[test]
fn ten_thousand_connections_to_two_hundred_servers_fit_into_its_memory() {
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        fits().expect("the test holds");
    }
}

fn fits() -> Result<()> {
    let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
    let net = Topology::build(Shape::Loopback, Family::V4, scratch.path())?;
    let front = SocketAddr::new(net.front_address(), FRONT_PORT);
    let server = |number| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, number)), BACKEND_PORT);
    let servers: Vec<SocketAddr> = (1..=SERVERS).map(server).collect();
    let settings = Settings { server: "max_fails=0", ..Settings::default() };
    let _nginx = Nginx::start(net.proxy(), &scratch.path().join("nginx"), &settings, front, &servers)?;
    let mut daemon = Daemon::start_with(&["--state-file", "none", "--port", "3000"])?;
    let before = kib(&daemon, "VmRSS")?;
    for _ in 0..REQUESTS {
        let status = Client::inside(net.proxy(), front)?.get("/ok")?.status;
        ensure!(status == 502, "the lab itself: nginx answered {status}");
    }
    wait_for_verdicts(&daemon)?;
    ensure!(daemon.sum("reset_observer_records_lost_total", "stage=\"ring\"")? == 0, "the ring was full");
    let (_, metrics) = daemon.get("/metrics")?;
    ensure!(
        metrics.contains(&format!("reset_observer_upstream_servers {SERVERS}\n")),
        "not all servers are told apart"
    );
    let most = kib(&daemon, "VmHWM")?;
    println!("resident: {before} KiB at the start, {most} KiB at most, {} KiB now", kib(&daemon, "VmRSS")?);
    print_times(&daemon, metrics.len())?;
    ensure!(most < RESIDENT, "{most} KiB were resident, and {RESIDENT} KiB is the bound");
    ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
    Ok(())
}

fn wait_for_verdicts(daemon: &Daemon) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let verdicts = daemon.sum("reset_observer_verdicts_total", "cause=\"connection_refused\"")?;
        if verdicts == CONNECTIONS {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{verdicts} verdicts, not {CONNECTIONS}");
        // Metrics have no events.
        thread::sleep(Duration::from_millis(200));
    }
}

fn print_times(daemon: &Daemon, bytes: usize) -> Result<()> {
    let mut scrapes = Vec::new();
    for _ in 0..20 {
        // Metrics are made at most for a tenth of the time.
        thread::sleep(Duration::from_millis(300));
        let begun = Instant::now();
        daemon.get("/metrics")?;
        scrapes.push(begun.elapsed());
    }
    scrapes.sort_unstable();
    println!("a scrape of {bytes} bytes: {:?} in the median, {:?} at most", scrapes[10], scrapes[19]);
    let before = ticks(daemon)?;
    thread::sleep(IDLE);
    println!("{} ticks of 10 ms of processor time in {IDLE:?} of idleness", ticks(daemon)? - before);
    Ok(())
}

fn kib(daemon: &Daemon, field: &str) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let number = line.and_then(|line| line.trim().strip_suffix(" kB")).with_context(|| format!("no {field}"))?;
    Ok(number.parse()?)
}

/// Processor time of user and system, in ticks.
fn ticks(daemon: &Daemon) -> Result<u64> {
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.pid()))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let of = |index: usize| fields.get(index).and_then(|field| field.parse::<u64>().ok()).context("an odd stat");
    Ok(of(11)? + of(12)?)
}
