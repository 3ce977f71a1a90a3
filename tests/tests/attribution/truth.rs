//! What happened to requests, and whether each verdict says it.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use lab::client::Client;
use lab::observer::Observer;

use super::house::House;

/// How long a verdict may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// A worker, and the upstream block that it was told of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Worker {
    pub(crate) pid: u32,
    pub(crate) inner: u32,
    pub(crate) master: u32,
    pub(crate) upstream: String,
}

/// A request whose path no other has.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) path: String,
    /// The observer's lines before it was sent. The port of an earlier connection may carry it.
    pub(crate) since: usize,
}

/// How many of a number of verdicts named their request.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Joined {
    pub(crate) verdicts: usize,
    pub(crate) requests: usize,
}

/// Waits for the answers to these requests, each of which the backend resets, and checks the verdict on each.
pub(crate) fn check_resets(
    observer: &Observer,
    house: &House,
    sent: &[Sent],
    clients: &mut [Client],
) -> Result<Joined> {
    for client in clients {
        let status = client.receive()?.status;
        ensure!(status == 502, "the lab itself: a request that was reset was answered with {status}");
    }
    let mut joined = Joined::default();
    for Sent { path, since } in sent {
        let verdict = verdict_on(observer, *since, house, house.peer_of(path)?)?;
        assert_names(&verdict, house.worker_of(path)?, house.server);
        assert_eq!(verdict["signal"], "rst_received", "{verdict}");
        let line = &verdict["request"]["line"];
        let expected = format!("POST {path} HTTP/1.1");
        assert!(line.is_null() || *line == expected, "not {expected}: {verdict}");
        joined.verdicts += 1;
        joined.requests += usize::from(!line.is_null());
    }
    Ok(joined)
}

/// The verdict since a bookmark on the connection with this end of nginx's.
fn verdict_on(observer: &Observer, since: usize, house: &House, local: SocketAddr) -> Result<Value> {
    let is_on = |verdict: &Value| {
        verdict["type"] == "verdict"
            && verdict["leg"] == "upstream"
            && verdict["remote"]["port"] == house.server.port()
            && verdict["local"] == json!({ "addr": local.ip(), "port": local.port() })
    };
    let verdict = observer.wait_for_json(since, PATIENCE, is_on);
    verdict.with_context(|| format!("no verdict on {local}: {:#?}", observer.complaints()))
}

/// Whether the verdict names this worker and this server.
fn assert_names(verdict: &Value, worker: &Worker, server: SocketAddr) {
    let Worker { pid, inner, master, upstream } = worker;
    let process = json!({ "name": "nginx", "role": "worker", "pid": pid, "inner_pid": inner, "master": master });
    assert_eq!(verdict["process"], process, "{verdict}");
    assert_eq!(verdict["upstream"], json!({ "name": upstream, "server": server.to_string() }), "{verdict}");
}

/// Whether every verdict of the observer's is of one of these houses, and says so.
pub(crate) fn assert_of_these(observer: &Observer, houses: &[House]) {
    let verdicts = observer.lines(0).into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
    for verdict in verdicts.filter(|line| line["type"] == "verdict" && line["leg"] == "upstream") {
        let house = houses.iter().find(|house| verdict["remote"]["port"] == house.server.port());
        let worker = house.and_then(|house| house.known(u32::try_from(verdict["process"]["pid"].as_u64()?).ok()?));
        let (Some(house), Some(worker)) = (house, worker) else { panic!("of nobody: {verdict}") };
        assert_names(&verdict, worker, house.server);
    }
}
