//! What a daemon holds and costs that knows ten thousand connections and two hundred servers. Memory is judged; what takes
//! time is printed, for it is this machine's.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::namespace::Namespace;
use lab::nginx::{Nginx, Settings};
use lab::observer::Daemon;
use lab::programs;
use lab::stage::BACKEND_PORT;

/// Servers of the upstream block, at each of which nobody listens; as many as have series of their own.
const SERVERS: u8 = 200;

/// Requests that make ten thousand connections end, each of which nginx tries at every server.
const REQUESTS: u64 = 50;

/// Listeners, and connections to each, which stay open.
const LISTENERS: u8 = 4;
const OPEN: usize = 2_500;

/// What may be resident while connections are open, and while as many have ended within some seconds, in KiB. The latter is
/// half of what the manifests allow. What the allocator keeps for good after that depends on where the last pieces lie.
const RESIDENT: u64 = 24 * 1024;
const STORMED: u64 = 64 * 1024;
const GIVEN_BACK: u64 = 32 * 1024;

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
    let ground = Ground::new()?;
    let net = ground.net();
    let server = |number| SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 1, number)), BACKEND_PORT);
    let servers: Vec<SocketAddr> = (1..=SERVERS).map(server).collect();
    let settings = Settings { server: "max_fails=0", ..Settings::default() };
    let _nginx = Nginx::start(net, &ground.nginx_dir(), &settings, ground.front(), &servers)?;
    let mut daemon = Daemon::start_with(&["--state-file", "none", "--port", "3000"])?;
    // The kernel forgets what was most until here, when its types had been read.
    fs::write(format!("/proc/{}/clear_refs", daemon.pid()), "5")?;
    let before = kib(&daemon, "VmRSS")?;
    let connections = (0..LISTENERS).map(|number| open(net, number)).collect::<Result<Vec<_>>>()?;
    ask(&ground, &daemon, 1)?;
    let steady = kib(&daemon, "VmHWM")?;
    let (_, metrics) = daemon.get("/metrics")?;
    ensure!(
        metrics.contains(&format!("reset_observer_upstream_servers {SERVERS}\n")),
        "not all servers are told apart"
    );
    print_times(&daemon, metrics.len())?;
    ask(&ground, &daemon, REQUESTS)?;
    let stormed = kib(&daemon, "VmHWM")?;
    println!("resident: {before} KiB at the start, {steady} KiB with all open, {stormed} KiB as so many ended");
    ensure!(daemon.sum("reset_observer_records_lost_total", "stage=\"ring\"")? == 0, "the ring was full");
    ensure!(steady < RESIDENT, "{steady} KiB were resident, and {RESIDENT} KiB is the bound");
    ensure!(stormed < STORMED, "{stormed} KiB were resident, and {STORMED} KiB is the bound");
    wait_until_given_back(&daemon)?;
    drop(connections);
    ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
    Ok(())
}

/// Opens connections that nobody accepts, and gives all that keeps them open.
fn open(net: &Namespace, number: u8) -> Result<(TcpListener, Vec<TcpStream>)> {
    let address = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 2, number + 1)), BACKEND_PORT);
    net.inside(|| {
        let listener = TcpListener::bind(address)?;
        // With a longer queue than the standard library asks for.
        rustix::net::listen(&listener, 4096)?;
        let limit = getrlimit(Resource::Nofile);
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
        let connect = |_| TcpStream::connect(address).with_context(|| format!("the lab itself: {address}"));
        Ok((listener, (0..OPEN).map(connect).collect::<Result<_>>()?))
    })
}

/// Lets nginx try every server so often, and waits for the verdicts.
fn ask(ground: &Ground, daemon: &Daemon, requests: u64) -> Result<()> {
    let before = verdicts(daemon)?;
    for _ in 0..requests {
        let status = ground.client()?.get("/ok")?.status;
        ensure!(status == 502, "the lab itself: nginx answered {status}");
    }
    wait_for_verdicts(daemon, before + requests * u64::from(SERVERS))
}

fn verdicts(daemon: &Daemon) -> Result<u64> {
    daemon.sum("reset_observer_verdicts_total", "cause=\"connection_refused\"")
}

fn wait_for_verdicts(daemon: &Daemon, expected: u64) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let verdicts = verdicts(daemon)?;
        if verdicts == expected {
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{verdicts} verdicts, not {expected}");
        // Metrics have no events.
        thread::sleep(Duration::from_millis(200));
    }
}

/// A connection that was judged is remembered for some seconds.
fn wait_until_given_back(daemon: &Daemon) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let resident = kib(daemon, "VmRSS")?;
        if resident < GIVEN_BACK {
            println!("{resident} KiB when they are forgotten");
            return Ok(());
        }
        ensure!(Instant::now() < deadline, "{resident} KiB are kept, and {GIVEN_BACK} KiB is the bound");
        // The kernel tells nobody.
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
