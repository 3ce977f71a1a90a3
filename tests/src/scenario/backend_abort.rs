//! The backend lives and aborts one connection.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Chunked, Close, Down, Plain, Tls, Up};
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "abort_linger0",
        deed: "the backend reads a request and resets the connection (SO_LINGER 0); it lives on",
        cells: EVERY,
        plan,
        act: linger0,
    },
    Scenario {
        name: "abort_unread",
        deed: "the backend closes the connection with the body of a POST unread; it lives on",
        cells: UNREAD,
        plan,
        act: unread,
    },
    Scenario {
        name: "abort_close",
        deed: "the backend reads a request and closes the connection without an answer; it lives on",
        cells: EVERY,
        plan,
        act: close,
    },
    Scenario {
        name: "abort_cut",
        deed: "the backend closes the connection in the middle of a response; it lives on",
        cells: FRAMED,
        plan,
        act: cut,
    },
    Scenario {
        name: "abort_cut_reset",
        deed: "the backend resets the connection in the middle of a response; it lives on",
        cells: EVERY,
        plan,
        act: cut_reset,
    },
    Scenario {
        name: "abort_size_repeats",
        deed: "the backend resets three responses at the same size; it lives on",
        cells: Cells::ANY_ROAD,
        plan: limited,
        act: size_repeats,
    },
    Scenario {
        name: "abort_concurrency",
        deed: "the backend resets requests that come while it works on more than eight; it lives on",
        cells: BUSY,
        plan,
        act: concurrency,
    },
    Scenario {
        name: "abort_backpressure",
        deed: "the client does not read, so nginx does not, and the backend's send timeout resets the connection",
        cells: Cells::ANY_ROAD,
        plan: impatient,
        act: backpressure,
    },
    Scenario {
        name: "abort_size_limit",
        deed: "the backend resets a response that is longer than its limit; it lives on",
        cells: Cells::ANY_ROAD,
        plan: limited,
        act: size_limit,
    },
];

/// A reset right after the first request of a connection: whether the request was read, only the backend's host knows.
const UNREAD_TOO: &[&str] = &["connection_limit"];

/// In whatever way many requests can be at work at once.
const BUSY: Cells = Cells { speeches: &[Plain, Tls, Chunked], ..Cells::ANY_ROAD };

/// In every speech and on every road.
const EVERY: Cells = Cells { speeches: &[Tls, Plain, Close, Chunked, Up, Down], ..Cells::ANY_ROAD };

/// What comes with the head of a request within TLS is read with it: only a large body stays in the kernel.
const UNREAD: Cells = Cells { speeches: &[Plain, Close, Chunked, Up, Down], ..Cells::ANY_ROAD };

/// Where the response tells its length, and so that it is short.
const FRAMED: Cells = Cells { speeches: &[Tls, Plain, Chunked, Up, Down], ..Cells::ANY_ROAD };

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&[]) }
}

fn limited(family: Family) -> Plan {
    Plan { backend: Kind::Fault(&["--max-response", "20000"]), ..plan(family) }
}

fn impatient(family: Family) -> Plan {
    let nginx = Settings { location: "proxy_max_temp_file_size 0;", ..Settings::default() };
    Plan { nginx, backend: Kind::Fault(&["--send-timeout-ms", "400"]), ..plan(family) }
}

fn linger0(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/linger0")?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    told_by(stage, "resetting", status, UNREAD_TOO)
}

fn unread(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.post("/close-unread", &"x".repeat(8_000))?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    told_by(stage, "closing", status, UNREAD_TOO)
}

fn close(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/close")?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["upstream prematurely closed connection while reading response header from upstream"])?;
    told_by(stage, "closing", status, &[])
}

fn cut(stage: &mut Stage) -> Result<Truth> {
    let response = stage.client()?.get("/cut/1000")?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    stage.check_error_log(&["upstream prematurely closed connection while reading upstream"])?;
    told_by(stage, "closing", response.status, &[])
}

fn cut_reset(stage: &mut Stage) -> Result<Truth> {
    short_by_reset(stage, "/cut-reset/1000")
}

fn size_limit(stage: &mut Stage) -> Result<Truth> {
    short_by_reset(stage, "/size/50000")
}

fn short_by_reset(stage: &mut Stage, path: &str) -> Result<Truth> {
    let response = stage.client()?.get(path)?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    // recv() or readv(), as the bytes happen to come.
    stage.check_error_log(&["failed (104: Connection reset by peer) while reading upstream"])?;
    told_by(stage, "resetting", response.status, &[])
}

fn size_repeats(stage: &mut Stage) -> Result<Truth> {
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let response = stage.client()?.get("/size/50000")?;
        ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
        statuses.push(response.status);
    }
    all_told(stage, 3, &statuses, &[])
}

fn concurrency(stage: &mut Stage) -> Result<Truth> {
    let mut clients = (0..20).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    clients.iter_mut().try_for_each(|client| client.send("GET", "/reset-over/8/250", ""))?;
    let answers = clients.iter_mut().map(|client| Ok(client.receive()?.status)).collect::<Result<Vec<_>>>()?;
    let failed = answers.iter().filter(|status| **status == 502).count();
    ensure!(failed > 0 && answers.len() - failed >= 8, "the lab itself: the clients got {answers:?}");
    all_told(stage, failed, &answers, UNREAD_TOO)
}

fn backpressure(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send("GET", "/size/30000000", "")?;
    stage.backend()?.wait_for("resetting", 0)?;
    let response = client.receive()?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    told_by(stage, "resetting", response.status, &[])
}

/// Every connection that the backend told a reset of.
fn all_told(stage: &mut Stage, count: usize, statuses: &[u16], unless_seen: &[&'static str]) -> Result<Truth> {
    let resets = stage.backend()?.events("resetting");
    ensure!(resets.len() == count, "the lab itself: {} resets by the backend, not {count}", resets.len());
    let truth = resets.iter().fold(Truth::of(stage.server()), |truth, reset| {
        let truth = truth.expect("backend_abort", reset.peer, Some("request_failed"));
        truth.unless_seen(stage.cell().view, unless_seen)
    });
    Ok(stage.complete(truth.prove(format!("the backend told of {count} resets")), statuses))
}

/// The connection that the backend told `event` of, and the proof that the backend serves on.
fn told_by(stage: &mut Stage, event: &str, status: u16, unless_seen: &[&'static str]) -> Result<Truth> {
    let connection = stage.backend()?.wait_for(event, 0)?.peer;
    let after = stage.client()?.get("/ok")?.status;
    ensure!(after == 200, "the lab itself: the backend should serve on, but the client got {after}");
    let truth = Truth::of(stage.server()).expect("backend_abort", connection, Some("request_failed"));
    let truth = truth.unless_seen(stage.cell().view, unless_seen);
    Ok(stage.complete(truth.prove("the backend answered the next request".to_owned()), &[status, after]))
}
