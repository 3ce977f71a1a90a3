//! A process that opens and closes connections without end leaves the observer's maps and memory as they were.
//!
//! Ten seconds of it by default, as many as `LAB_CHURN_SECONDS` says.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::thread::{self, Scope};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};

use lab::bpf;
use lab::lock::MachineLock;
use lab::namespace::Namespace;
use lab::nginx::Settings;
use lab::observer::Daemon;
use lab::programs;
use lab::scenario;
use lab::stage::{Plan, Stage};
use lab::topology::Family;

/// Connections opened and closed per second.
const RATE: u32 = 10_000;

/// Pairs of threads that share the work.
const PAIRS: u32 = 4;

/// A short settle window: few connections are known at a time, so that their number does not cover a leak.
const SETTLE: &str = "20ms";

/// Makes the allocator give back what is free. Otherwise the kernel's types, which are read at the start, leave 20 MB of
/// it, in which a leak would not show.
const TRIM: (&str, &str) = ("MALLOC_TRIM_THRESHOLD_", "131072");

/// Longer than a connection is remembered after its verdict: ten settle windows.
const MEMORY: Duration = Duration::from_millis(500);

/// In seconds, many times as long as a connection is known: fifteen settle windows. Every table then has the size that this rate
/// needs, and what grows afterwards grows with the number of connections.
const WARM_UP: u32 = 3;

/// How far behind its rate a thread may be and still make up for it. More would be a burst.
const CATCH_UP: Duration = Duration::from_millis(10);

/// How much slower than asked for the machine may be before this says nothing about the observer.
const SLOWNESS: u32 = 10;

/// Less than the smallest allocation (32 bytes of glibc) for each of the 100,000 connections of the shortest run.
const LEAK_BYTES: u64 = 2 << 20;

/// Connections of other programs on this machine, and those that are just closing.
const OTHERS: usize = 50;

/// Files of other programs' that are looked at, such as the log of an nginx that was found meanwhile. A leak would be one for
/// each connection, or for each round of work.
const OTHER_FILES: usize = 8;

const VERDICTS: &str = "reset_observer_verdicts_total";

/// Who closes a connection first. The other end gets the FIN, of which the observer is told.
#[derive(Clone, Copy, PartialEq, Eq)]
enum First {
    Opener,
    Acceptor,
}

#[test]
fn ten_thousand_connections_a_second_leave_maps_and_memory_as_they_were() {
    if programs::has_root() {
        churn_beside_nginx().unwrap();
    }
}

fn churn_beside_nginx() -> Result<()> {
    let seconds = env::var("LAB_CHURN_SECONDS").map_or(Ok(10), |seconds| seconds.parse())?;
    let _machine = MachineLock::take()?;
    let stage = Stage::set_up(&plan()?)?;
    let mut daemon = Daemon::start_in(&["--settle", SETTLE], &[TRIM])?;
    let mut client = stage.client()?;
    ensure!(client.get("/ok")?.status == 200, "the lab itself: no answer");
    let owned = bpf::owned_sockets(daemon.pid())?;
    ensure!(!owned.is_empty(), "the connection of nginx has no owner");

    let (net, at) = (stage.net().proxy(), stage.net().front_address());
    churn(net, at, WARM_UP)?;
    let before = Footprint::of(&daemon)?;
    let took = churn(net, at, seconds)?;
    let after = Footprint::of(&daemon)?;
    let rate = f64::from(RATE * seconds) / took.as_secs_f64();
    println!("{} connections, {rate:.0} a second; before {before}, after {after}", RATE * seconds);

    ensure!(owned.is_subset(&after.owned), "the owner of nginx's connection was forgotten");
    let left = after.owned.len();
    ensure!(left <= owned.len() + OTHERS, "{left} owners are remembered, {} were before", owned.len());
    let grown = after.memory.saturating_sub(before.memory);
    ensure!(grown < LEAK_BYTES, "resident memory has grown by {grown} bytes: before {before}, after {after}");
    no_more_files(&daemon, &before.files)?;
    // A new client: nginx does not wait for the other one for more than a minute.
    stage.client()?.get("/linger0")?;
    wait_until_settled(&daemon)?;
    ensure!(daemon.sum(VERDICTS, "cause=\"backend_abort\"")? > 0, "an aborted request is not seen any more");
    ensure!(daemon.finish()?.success(), "the daemon did not end well");
    Ok(())
}

/// Whether hardly more files are open than before, or soon will be: one may be open for a moment, while it is looked at. Fewer
/// is no leak: the log of an nginx that ended is let go of a while later.
fn no_more_files(daemon: &Daemon, before: &[String]) -> Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let now = Footprint::of(daemon)?.files;
        if now.len() <= before.len() + OTHER_FILES {
            return Ok(());
        }
        let late = Instant::now() >= deadline;
        ensure!(!late, "{} files are open, {} were before: {now:#?}, before {before:#?}", now.len(), before.len());
        // Open files have no events.
        thread::sleep(Duration::from_millis(100));
    }
}

/// A stage whose nginx keeps its connection for longer than this takes.
fn plan() -> Result<Plan> {
    let plan = (scenario::named("abort_linger0")?.plan)(Family::V4);
    Ok(Plan { nginx: Settings { keepalive_timeout: "1h", ..plan.nginx }, ..plan })
}

/// Opens and closes so many seconds' worth of connections in `net`; gives the time it took.
fn churn(net: &Namespace, at: IpAddr, seconds: u32) -> Result<Duration> {
    // What is closed waits for a minute otherwise, in memory of the kernel.
    net.sysctl(&[("ipv4/tcp_max_tw_buckets", "20000")])?;
    let start = Instant::now();
    net.inside(|| {
        thread::scope(|scope| {
            let threads = (0..PAIRS).map(|pair| start_pair(scope, at, pair, RATE * seconds / PAIRS));
            let threads: Vec<_> = threads.collect::<Result<Vec<_>>>()?.into_iter().flatten().collect();
            let join =
                |thread: thread::ScopedJoinHandle<'_, Result<()>>| thread.join().map_err(|_| anyhow!("a panic"))?;
            threads.into_iter().try_for_each(join)
        })
    })?;
    Ok(start.elapsed())
}

/// Both threads bear the name of nginx, by which the observer takes their connections for a worker's.
fn start_pair<'scope>(
    scope: &'scope Scope<'scope, '_>,
    at: IpAddr,
    pair: u32,
    count: u32,
) -> Result<[thread::ScopedJoinHandle<'scope, Result<()>>; 2]> {
    let first = if pair.is_multiple_of(2) { First::Opener } else { First::Acceptor };
    let listener = TcpListener::bind((at, 0))?;
    let to = listener.local_addr()?;
    let nginx = || thread::Builder::new().name("nginx".to_owned());
    Ok([
        nginx().spawn_scoped(scope, move || accept(&listener, first, count))?,
        nginx().spawn_scoped(scope, move || open(to, first, count))?,
    ])
}

fn accept(listener: &TcpListener, first: First, count: u32) -> Result<()> {
    for _ in 0..count {
        let (stream, _) = listener.accept()?;
        if first == First::Opener {
            wait_for_end(stream)?;
        }
    }
    Ok(())
}

fn open(to: SocketAddr, first: First, count: u32) -> Result<()> {
    let start = Instant::now();
    let period = Duration::from_secs(1) * PAIRS / RATE;
    let mut due = start;
    for made in 0..count {
        ensure!(start.elapsed() < period * count * SLOWNESS, "the lab itself: only {made} connections in time");
        thread::sleep(due.saturating_duration_since(Instant::now()));
        due = (due + period).max(Instant::now() - CATCH_UP);
        let stream = TcpStream::connect(to).with_context(|| format!("the lab itself: connection {made}"))?;
        if first == First::Acceptor {
            wait_for_end(stream)?;
        }
    }
    Ok(())
}

fn wait_for_end(mut stream: TcpStream) -> Result<()> {
    ensure!(stream.read(&mut [0])? == 0, "the lab itself: nobody sends anything");
    Ok(())
}

/// What the observer takes up.
struct Footprint {
    /// Anonymous resident memory in bytes: its own, without the ring that it shares with the kernel.
    memory: u64,
    /// What its file descriptors are open on.
    files: Vec<String>,
    owned: BTreeSet<u64>,
}

impl Footprint {
    /// Of a daemon that has judged everything.
    fn of(daemon: &Daemon) -> Result<Self> {
        wait_until_settled(daemon)?;
        let pid = daemon.pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
        let memory = kib.context("no RssAnon")?.trim().parse::<u64>()? * 1024;
        let open = fs::read_dir(format!("/proc/{pid}/fd"))?;
        // One may be closed while this looks.
        let files =
            open.filter_map(|file| Some(fs::read_link(file.ok()?.path()).ok()?.display().to_string())).collect();
        Ok(Self { memory, files, owned: bpf::owned_sockets(pid)? })
    }
}

impl std::fmt::Display for Footprint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { memory, files, owned } = self;
        write!(f, "{} KiB, {} files and {} owners", memory / 1024, files.len(), owned.len())
    }
}

/// Waits until no verdict has fallen for so long that the last one's connection is forgotten.
fn wait_until_settled(daemon: &Daemon) -> Result<()> {
    let (mut last, mut since) = (daemon.sum(VERDICTS, "")?, Instant::now());
    while since.elapsed() < MEMORY {
        thread::sleep(Duration::from_millis(100));
        let now = daemon.sum(VERDICTS, "")?;
        if now != last {
            (last, since) = (now, Instant::now());
        }
    }
    Ok(())
}
