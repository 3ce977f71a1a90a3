//! The backend lives and aborts one connection.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "abort_linger0",
        deed: "the backend reads a request and resets the connection (SO_LINGER 0); it lives on",
        plan,
        act: linger0,
    },
    Scenario {
        name: "abort_unread",
        deed: "the backend closes the connection with the body of a POST unread; it lives on",
        plan,
        act: unread,
    },
    Scenario {
        name: "abort_close",
        deed: "the backend reads a request and closes the connection without an answer; it lives on",
        plan,
        act: close,
    },
    Scenario {
        name: "abort_cut",
        deed: "the backend closes the connection in the middle of a response; it lives on",
        plan,
        act: cut,
    },
    Scenario {
        name: "abort_cut_reset",
        deed: "the backend resets the connection in the middle of a response; it lives on",
        plan,
        act: cut_reset,
    },
    Scenario {
        name: "abort_size_limit",
        deed: "the backend resets a response that is longer than its limit; it lives on",
        plan: limited,
        act: size_limit,
    },
];

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&[]) }
}

fn limited(family: Family) -> Plan {
    Plan { backend: Kind::Fault(&["--max-response", "20000"]), ..plan(family) }
}

fn linger0(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/linger0")?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    told_by(stage, "resetting", status)
}

fn unread(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.post("/close-unread", &"x".repeat(8_000))?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    told_by(stage, "closing", status)
}

fn close(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/close")?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["upstream prematurely closed connection while reading response header from upstream"])?;
    told_by(stage, "closing", status)
}

fn cut(stage: &mut Stage) -> Result<Truth> {
    let response = stage.client()?.get("/cut/1000")?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    stage.check_error_log(&["upstream prematurely closed connection while reading upstream"])?;
    told_by(stage, "closing", response.status)
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
    told_by(stage, "resetting", response.status)
}

/// The connection that the backend told `event` of, and the proof that the backend serves on.
fn told_by(stage: &mut Stage, event: &str, status: u16) -> Result<Truth> {
    let connection = stage.backend()?.wait_for(event, 0)?.peer;
    let after = stage.client()?.get("/ok")?.status;
    ensure!(after == 200, "the lab itself: the backend should serve on, but the client got {after}");
    let truth = Truth::of(stage.server()).expect("backend_abort", connection, Some("request_failed"));
    Ok(stage.complete(truth.prove("the backend answered the next request".to_owned()), &[status, after]))
}
