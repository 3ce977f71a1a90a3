//! Connections that nginx had open before the observer came: of which leg they are, and of which worker.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::net::sockopt::set_socket_linger;
use serde_json::Value;

use lab::lock::MachineLock;
use lab::namespace::Namespace;
use lab::nginx::Settings;
use lab::observer::Observer;
use lab::programs;
use lab::scenario;
use lab::stage::{FRONT_PORT, Plan, Stage};
use lab::topology::Family;

/// Connections among others in nginx's namespace: twice as many sockets.
const CROWD: usize = 1_000;

const ARGS: &[&str] = &["observe", "--all", "--output", "json"];

/// What reading the kernel and the files of nginx takes; entering its namespace takes more.
const WITHOUT_SYS_ADMIN: &[&str] = &["bpf", "perfmon", "sys_ptrace", "dac_read_search"];

#[test]
fn resets_of_connections_older_than_the_observer_are_on_their_leg_and_of_their_worker() {
    assert_known(Family::V4, || Observer::start(ARGS, |_| ()));
}

#[test]
fn resets_of_connections_older_than_the_observer_are_on_their_leg_and_of_their_worker_on_ipv6_too() {
    assert_known(Family::V6, || Observer::start(ARGS, |_| ()));
}

#[test]
fn where_the_namespace_of_nginx_may_not_be_entered_older_connections_are_known_all_the_same() {
    assert_known(Family::V4, || Observer::start_with(WITHOUT_SYS_ADMIN, ARGS));
}

#[test]
fn doctor_says_how_the_sockets_of_nginx_are_read() {
    if programs::has_root() {
        let fallback = "read from /proc/PID/net/tcp";
        assert!(!doctor_on_nginx(|args| Observer::start(args, |_| ())).unwrap().contains(fallback));
        let told = doctor_on_nginx(|args| Observer::start_with(WITHOUT_SYS_ADMIN, args)).unwrap();
        assert!(told.contains(fallback) && told.contains("CAP_SYS_ADMIN"), "{told}");
    }
}

fn assert_known(family: Family, start: impl FnOnce() -> Result<Observer>) {
    if programs::has_root() {
        reset_old_connections(family, start).unwrap();
    }
}

fn reset_old_connections(family: Family, start: impl FnOnce() -> Result<Observer>) -> Result<()> {
    let _machine = MachineLock::take()?;
    let stage = Stage::set_up(&plan(family)?)?;
    let net = stage.net().proxy();
    let _crowd = crowd(net, stage.net().front_address())?;
    let mut client = stage.client()?;
    ensure!(client.get("/ok")?.status == 200, "the lab itself: no answer");
    let upstream = stage.backend()?.events("accepted").pop().and_then(|event| event.peer).context("no connection")?;
    let worker = holder(net, upstream)?;
    ensure!(stage.nginx().workers()?.contains(&worker), "the lab itself: {worker} is no worker");
    let idle = net.connect(SocketAddr::new(stage.net().front_address(), FRONT_PORT))?;

    let mut observer = start()?;
    observer.wait_until_ready()?;
    // Each of these ends a connection by a reset: the backend the upstream one, we a client's.
    client.get("/linger0")?;
    let idle_peer = abort(idle)?;
    let reset = verdict_on(&observer, "local", upstream)?;
    ensure!(reset["leg"] == "upstream" && reset["signal"] == "rst_received", "{reset:#}");
    ensure!(reset["process"]["pid"] == worker && reset["process"]["role"] == "worker", "not of {worker}: {reset:#}");
    ensure!(reset["upstream"]["server"] == stage.server().to_string(), "{reset:#}");
    let left = verdict_on(&observer, "remote", idle_peer)?;
    ensure!(left["leg"] == "client", "{left:#}");
    observer.finish()?;
    Ok(())
}

fn plan(family: Family) -> Result<Plan> {
    let plan = (scenario::named("abort_linger0")?.plan)(family);
    Ok(Plan { nginx: Settings { workers: 2, ..plan.nginx }, ..plan })
}

/// Connections that are none of nginx's, in its namespace.
fn crowd(net: &Namespace, at: IpAddr) -> Result<Vec<(TcpStream, TcpStream)>> {
    net.inside(|| {
        let listener = TcpListener::bind((at, 0))?;
        let to = listener.local_addr()?;
        (0..CROWD).map(|_| Ok((TcpStream::connect(to)?, listener.accept()?.0))).collect()
    })
}

/// The process that holds the socket with this local end, as ss(8) knows it.
fn holder(net: &Namespace, local: SocketAddr) -> Result<u32> {
    let table = net.run("ss", &["-tnpHO", &format!("src {local}")], "")?;
    let pids = table.split("pid=").skip(1).filter_map(|rest| rest.split(',').next()?.parse().ok());
    let pids: Vec<u32> = pids.collect();
    let [pid] = pids.as_slice() else { anyhow::bail!("the lab itself: {local} is held by {pids:?}: {table}") };
    Ok(*pid)
}

/// Closes a connection with a reset; gives the end that did.
fn abort(stream: TcpStream) -> Result<SocketAddr> {
    let local = stream.local_addr()?;
    set_socket_linger(&stream, Some(Duration::ZERO)).map_err(io::Error::from)?;
    Ok(local)
}

/// The verdict on the connection with this local or remote end.
fn verdict_on(observer: &Observer, side: &str, end: SocketAddr) -> Result<Value> {
    let addr = end.ip().to_string();
    let is_on = |verdict: &Value| verdict[side]["addr"] == addr && verdict[side]["port"] == end.port();
    let seen = observer.wait_for_line(|line| line["type"] == "verdict" && is_on(line));
    seen.with_context(|| format!("no verdict on {side} {end}: {:#?}", observer.lines(0)))
}

fn doctor_on_nginx(start: impl FnOnce(&[&str]) -> Result<Observer>) -> Result<String> {
    let _machine = MachineLock::take()?;
    let _stage = Stage::set_up(&plan(Family::V4)?)?;
    let mut doctor = start(&["doctor", "--output", "json"])?;
    doctor.wait()?;
    let found = doctor.wait_for_line(|line| line["name"] == "nginx")?;
    Ok(found["found"].as_str().context("doctor says nothing of nginx")?.to_owned())
}
