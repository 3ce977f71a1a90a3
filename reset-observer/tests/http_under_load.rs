//! Slow, hostile and many clients, while verdicts fall: none is lost, and memory stays flat. In a process of its own,
//! because its memory is measured.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::{
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use reset_observer::{
    http::{Observed, Server, Web},
    own_process::OwnProcess,
    record::KernelTime,
    sink::{
        clock::WallClock,
        history::{Filter, History, Span},
        metrics::{BuildInfo, Metrics},
        overview::{Overview, Own, Server as KnownServer},
        upstream::Upstream,
    },
    verdict::{UpstreamLabel, Verdict},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::sleep,
};

const SLOW: usize = 100;
const REQUESTS: usize = 10_000;
const AT_A_TIME: usize = 16;
const SERVERS: u64 = 250;

/// More than the allocator's own unrest, and far less than 100 connections that keep what they were sent.
const GROWTH: u64 = 12 << 20;

const VERDICT: &str = r#"{"id":"0123456789ab","cause":"keepalive_race","confidence":"high","impact":"request_retried",
 "signal":"fin_received","leg":"upstream","local":{"addr":"10.99.1.1","port":50452},
 "remote":{"addr":"10.99.2.1","port":3000},"tcp_state":null,"netns":1,"process":null,"container":null,
 "remote_container":null,"upstream":null,"timing":{"connection_age_ms":3561.2,"idle_before_request_ms":3532.0,
 "since_request_us":120,"rtt_min_us":58},"bytes":null,"rst":null,"reset_reason":null,"backend":null,
 "evidence":["fin_seen","flight_never_acked"],"would_raise":[],"episode":null,"request":null,"advice":"set keepalive_timeout 800ms"}"#;

struct Daemon {
    metrics: Mutex<Metrics>,
    history: Mutex<History>,
    observed: AtomicU64,
}

impl Daemon {
    fn new() -> Self {
        Self {
            metrics: Mutex::new(Metrics::new(BuildInfo::of_this_program(), WallClock::fixed(0))),
            history: Mutex::new(History::new()),
            observed: AtomicU64::new(0),
        }
    }

    /// As the daemon does for each verdict.
    fn observe(&self, verdict: &Verdict) {
        let number = self.observed.fetch_add(1, Ordering::Relaxed);
        let server = format!("10.0.0.{}:3000", number % SERVERS);
        let upstream = Some(Arc::new(UpstreamLabel { name: Some("backend".into()), server }));
        let verdict = Verdict { at: KernelTime(number * 1_000_000), upstream, ..verdict.clone() };
        self.metrics.lock().unwrap().observe_verdict(&verdict);
        self.history.lock().unwrap().add(verdict);
    }
}

impl Observed for Daemon {
    fn open_metrics(&self) -> String {
        self.metrics.lock().unwrap().encode()
    }

    fn ready(&self) -> Result<(), String> {
        Ok(())
    }

    fn verdicts(&self, filter: &Filter, limit: usize) -> Vec<Arc<Verdict>> {
        self.history.lock().unwrap().newest(filter, limit)
    }

    fn upstreams(&self) -> Vec<Upstream> {
        Vec::new()
    }

    fn overview(&self, span: Span) -> Overview {
        let history = self.history.lock().unwrap();
        let now = KernelTime(self.observed.load(Ordering::Relaxed) * 1_000_000);
        Overview {
            node: "node-7".into(),
            clock: WallClock::fixed(0),
            now,
            started: KernelTime(0),
            ready: Ok(()),
            span,
            buckets: history.over_time(span, now),
            totals: *history.totals(),
            servers: KnownServer::all(&history, Vec::new()),
            episodes: Vec::new(),
            verdicts: history.newest(&Filter::default(), 50),
            own: Own::default(),
        }
    }

    fn clock(&self) -> WallClock {
        WallClock::fixed(0)
    }
}

/// What comes back; empty where the server closed without a word.
async fn send(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    _ = stream.write_all(request.as_bytes()).await;
    let mut answer = Vec::new();
    _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    send(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n")).await
}

/// Half of them send a header and never end it, half ask for everything and never read it.
async fn be_slow(address: SocketAddr, number: usize) {
    loop {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let reads_nothing = number.is_multiple_of(2);
        let begin: &[u8] =
            if reads_nothing { b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n" } else { b"GET / HTTP/1.1\r\n" };
        let mut open = stream.write_all(begin).await.is_ok();
        while open {
            sleep(Duration::from_millis(500)).await;
            // Not let go before its time, and then it comes again.
            open = reads_nothing && stream.writable().await.is_ok() && stream.try_write(b" ").is_ok()
                || !reads_nothing && stream.write_all(b"X: y\r\n").await.is_ok();
        }
    }
}

/// The status of each kind of request: metrics, a page, a header that is too long, a method that does not exist.
async fn ask(address: SocketAddr, number: usize) {
    let (answer, wanted) = match number % 50 {
        0 => (get(address, "/").await, "HTTP/1.1 200"),
        1 => (get(address, "/api/v1/verdicts?limit=20").await, "HTTP/1.1 200"),
        2 => {
            let long = "x".repeat(40_000);
            (send(address, &format!("GET /metrics HTTP/1.1\r\nHost: x\r\nX: {long}\r\n\r\n")).await, "HTTP/1.1 431")
        }
        3 => (send(address, "DELETE /metrics HTTP/1.1\r\nHost: x\r\n\r\n").await, "HTTP/1.1 405"),
        4 => (send(address, "\x16\x03\x01 no HTTP at all\r\n\r\n").await, "HTTP/1.1 400"),
        _ => (get(address, "/metrics").await, "HTTP/1.1 200"),
    };
    // A header of which the server reads no more than its beginning may be answered by a reset that overtakes the refusal.
    let overtaken = number % 50 == 2 && answer.is_empty();
    assert!(answer.starts_with(wanted) || overtaken, "{number}: {}", answer.lines().next().unwrap_or_default());
}

async fn storm(address: SocketAddr, requests: usize) {
    let askers: Vec<_> = (0..AT_A_TIME)
        .map(|asker| {
            tokio::spawn(async move {
                for number in (asker..requests).step_by(AT_A_TIME) {
                    ask(address, number).await;
                }
            })
        })
        .collect();
    for asker in askers {
        asker.await.unwrap();
    }
}

#[test]
fn slow_hostile_and_many_clients_lose_nothing_and_memory_stays_flat() {
    let daemon = Arc::new(Daemon::new());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let _server = Server::start(listener, Arc::<Daemon>::clone(&daemon), Arc::new(Web::open_to_all()), || ()).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let watcher = thread::spawn({
        let (daemon, over) = (Arc::clone(&daemon), Arc::clone(&over));
        move || {
            let verdict: Verdict = serde_json::from_str(VERDICT).unwrap();
            while !over.load(Ordering::Relaxed) {
                daemon.observe(&verdict);
                thread::sleep(Duration::from_millis(1));
            }
        }
    });
    let clients = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (before, after) = clients.block_on(async {
        // What a first round takes, such as room for 250 servers, is no growth.
        storm(address, 2000).await;
        for number in 0..SLOW {
            tokio::spawn(be_slow(address, number));
        }
        storm(address, 500).await;
        let before = OwnProcess::read().unwrap().resident_bytes;
        storm(address, REQUESTS).await;
        (before, OwnProcess::read().unwrap().resident_bytes)
    });
    assert!(clients.block_on(get(address, "/-/healthy")).ends_with("healthy\n"));
    over.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    assert_eq!(counted(&daemon.open_metrics()), daemon.observed.load(Ordering::Relaxed));
    assert!(daemon.observed.load(Ordering::Relaxed) > 1000);
    println!("resident before {before} and after {after} bytes");
    assert!(after < before + GROWTH, "resident memory went from {before} to {after} bytes");
}

/// The verdicts of all series.
fn counted(metrics: &str) -> u64 {
    let samples = metrics.lines().filter(|line| line.starts_with("reset_observer_verdicts_total{"));
    samples
        .map(|sample| {
            let sample = sample.split(" # ").next().unwrap();
            sample.rsplit(' ').next().unwrap().parse::<u64>().unwrap()
        })
        .sum()
}
