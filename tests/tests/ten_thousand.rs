//! Ten thousand connections that were open before the observer came: each reset is of the worker that holds it. What it
//! costs to find out is printed.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};

use lab::backend::Backend;
use lab::client::Client;
use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::namespace::Namespace;
use lab::nginx::{Nginx, Settings};
use lab::observer::Observer;
use lab::programs::has_root;
use lab::stage::BACKEND_PORT;

/// Clients of nginx, each with a connection to the backend of its own.
const CLIENTS: usize = 1_000;

/// Connections of others in nginx's namespace, which is also that of most of the host's.
const OTHERS: usize = 8_000;

/// What this process opens: both ends of those of others, one end of each client's.
const FILES: u64 = 18_000;

/// Connections that the backend resets.
const RESETS: usize = 60;

/// How long the observer is watched while little happens.
const WATCHED: Duration = Duration::from_secs(5);

const PATIENCE: Duration = Duration::from_secs(10);

const SETTINGS: Settings = Settings {
    workers: 4,
    keepalive: 2_000,
    keepalive_timeout: "120s",
    timeout: "60s",
    tls: false,
    server: "",
    location: "",
};

/// The parts go in the order of the fields: programs first.
struct Place {
    _nginx: Nginx,
    backend: Backend,
    ground: Ground,
}

impl Place {
    fn new() -> Result<Self> {
        let ground = Ground::new()?;
        let backend = ground.backend(&[])?;
        let nginx = ground.nginx(&SETTINGS)?;
        let file = ground.nginx_dir().join("nginx.conf");
        let roomy = "worker_connections 8192;";
        fs::write(&file, fs::read_to_string(&file)?.replace("worker_connections 512;", roomy))?;
        nginx.reload()?;
        Ok(Self { _nginx: nginx, backend, ground })
    }

    /// Clients whose requests are all under way at once, so that nginx opens a connection for each, and keeps it.
    fn crowd_of_clients(&self) -> Result<Vec<Client>> {
        let connect = |_| self.ground.client();
        let mut clients: Vec<Client> = (0..CLIENTS).map(connect).collect::<Result<_>>()?;
        clients.iter_mut().try_for_each(|client| client.send("GET", "/delay/3000", ""))?;
        for client in &mut clients {
            ensure!(client.receive()?.status == 200, "the lab itself: no answer");
        }
        Ok(clients)
    }

    /// The process that holds each of nginx's ends, as ss(8) knows it.
    fn holders(&self) -> Result<HashMap<u16, u32>> {
        let table = self.ground.net().run("ss", &["-tnpHO", &format!("dst {}", self.ground.server())], "")?;
        let holder = |line: &str| {
            let port = line.split_whitespace().nth(3)?.rsplit(':').next()?.parse().ok()?;
            Some((port, line.split("pid=").nth(1)?.split(',').next()?.parse().ok()?))
        };
        Ok(table.lines().filter_map(holder).collect())
    }
}

#[test]
fn among_ten_thousand_older_connections_each_reset_is_of_the_worker_that_holds_it() {
    if has_root() {
        ten_thousand().unwrap();
    }
}

fn ten_thousand() -> Result<()> {
    let _machine = MachineLock::take()?;
    let limit = getrlimit(Resource::Nofile);
    if limit.maximum.is_some_and(|most| most < FILES) {
        println!("left out: {limit:?} allows too few open files; raise it to {FILES} by ulimit -Hn");
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit })?;
    let place = Place::new()?;
    let mut clients = place.crowd_of_clients()?;
    let others = others(place.ground.net(), place.ground.front())?;
    let holders = place.holders()?;
    let open = clients.len() + holders.len() + others.len();
    ensure!(open >= 10_000, "the lab itself: only {open} connections are open");

    let started = Instant::now();
    let args = ["observe", "--all", "--output", "json", "--log.level", "debug", "--port", &BACKEND_PORT.to_string()];
    let observer = Observer::start(&args, |_| ())?;
    observer.wait_until_ready()?;
    println!("{open} connections; ready after {:.0?}, load {}", started.elapsed(), load()?);
    println!("{}", observer.wait_for_complaint(&["found nginx"])?);

    check_resets(&place, &observer, &holders, &mut clients)?;
    let (before, since) = (cpu_time(observer.pid())?, Instant::now());
    thread::sleep(WATCHED);
    let (spent, watched) = (cpu_time(observer.pid())?.saturating_sub(before), since.elapsed());
    let share = 100.0 * spent.as_secs_f64() / watched.as_secs_f64();
    println!("afterwards {share:.2} % of a core over {watched:.1?}, load {}", load()?);
    Ok(())
}

/// Has the backend reset older connections, and checks that each verdict names the worker that held it all the time.
fn check_resets(place: &Place, observer: &Observer, holders: &HashMap<u16, u32>, clients: &mut [Client]) -> Result<()> {
    let told = place.backend.told();
    let cpu = cpu_time(observer.pid())?;
    for client in clients.iter_mut().step_by(CLIENTS / RESETS) {
        let status = client.post("/linger0", "x")?.status;
        ensure!(status == 502, "the lab itself: a request that was reset was answered with {status}");
    }
    let requests = place.backend.lines().into_iter().skip(told);
    let requests = requests.filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    let peers: Vec<SocketAddr> = requests
        .filter(|event| event["event"] == "request")
        .filter_map(|event| event["peer"].as_str()?.parse().ok())
        .collect();
    ensure!(peers.len() >= RESETS, "the lab itself: only {} requests were reset", peers.len());
    let mut workers = HashSet::new();
    for peer in &peers {
        let worker = holders.get(&peer.port()).with_context(|| format!("the lab itself: {peer} is a new one"))?;
        let local = json!({ "addr": peer.ip(), "port": peer.port() });
        let is_on = |line: &Value| line["type"] == "verdict" && line["local"] == local;
        let verdict = observer.wait_for_json(0, PATIENCE, is_on)?;
        assert_eq!(verdict["leg"], "upstream", "{verdict}");
        assert_eq!(verdict["process"]["pid"], *worker, "{verdict}");
        assert_eq!(
            verdict["upstream"],
            json!({ "name": "backend", "server": place.ground.server().to_string() }),
            "{verdict}"
        );
        workers.insert(worker);
    }
    let spent = cpu_time(observer.pid())?.saturating_sub(cpu);
    println!("{} resets of {} workers cost {spent:.1?}", peers.len(), workers.len());
    Ok(())
}

/// Connections that are none of nginx's.
fn others(net: &Namespace, front: SocketAddr) -> Result<Vec<(TcpStream, TcpStream)>> {
    net.inside(|| {
        let listener = TcpListener::bind((front.ip(), 0))?;
        let to = listener.local_addr()?;
        (0..OTHERS).map(|_| Ok((TcpStream::connect(to)?, listener.accept()?.0))).collect()
    })
}

/// What all threads of a process have run so far.
fn cpu_time(pid: u32) -> Result<Duration> {
    let mut total = Duration::ZERO;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let ran = fs::read_to_string(thread?.path().join("schedstat"))?;
        let ran = ran.split_whitespace().next().and_then(|ran| ran.parse().ok());
        total += Duration::from_nanos(ran.context("the lab itself: the kernel keeps no schedstat")?);
    }
    Ok(total)
}

fn load() -> Result<String> {
    Ok(fs::read_to_string("/proc/loadavg")?.split(' ').next().unwrap_or_default().to_owned())
}
