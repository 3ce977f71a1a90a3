//! The backend process dies abnormally while a request waits for its answer.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "crash_with_reset",
        deed: "the backend is killed (SIGKILL) while the body of a POST lies unread in its socket: its kernel sends an RST",
        plan,
        act: crash_with_reset,
    },
    Scenario {
        name: "crash_then_refused",
        deed: "the backend is killed (SIGKILL) after it has read a request: its kernel sends a FIN, then refuses the retry",
        plan: delayed,
        act: crash_then_refused,
    },
    Scenario {
        name: "crash_segv",
        deed: "the backend crashes with SIGSEGV after it has read a request on a new connection",
        plan,
        act: crash_segv,
    },
    Scenario {
        name: "crash_abort",
        deed: "the backend aborts (SIGABRT) after it has read a request on a new connection",
        plan,
        act: crash_abort,
    },
    Scenario {
        name: "crash_exit_code",
        deed: "the backend exits with code 1 after it has read a request on a new connection",
        plan,
        act: crash_exit_code,
    },
    Scenario {
        name: "crash_mid_response",
        deed: "the backend is killed (SIGKILL) in the middle of a response: the client gets a short 200",
        plan,
        act: crash_mid_response,
    },
];

/// What nginx logs when a backend ends the connection without an answer.
const PREMATURE: &str = "upstream prematurely closed connection while reading response header from upstream";

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&[]) }
}

/// A dying process closes its connections before its listener; the delay lets the listener be gone when nginx retries.
fn delayed(family: Family) -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: Duration::from_millis(5) });
    Plan { shape: Shape::Routed { wire, router: Router::Plain }, ..plan(family) }
}

fn crash_with_reset(stage: &mut Stage) -> Result<Truth> {
    let response = stage.client()?.post("/crash-unread/kill", &"x".repeat(8_000))?;
    let victim = stage.backend()?.wait_for("dying", 0)?.peer;
    let status = stage.backend_mut()?.wait()?;
    ensure!(response.status == 502, "the lab itself: the client got {}, not 502", response.status);
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    let aborts = stage.backend_growth("TcpExtTCPAbortOnClose")?;
    ensure!(aborts == 1, "the lab itself: the backend's kernel aborted {aborts} connections, not 1");
    let truth = Truth::of(stage.server()).expect("backend_crash", victim, Some("request_failed"));
    let truth = truth.prove(format!("the backend ended by {status}; its kernel counted TCPAbortOnClose {aborts}"));
    Ok(stage.complete(truth, &[response.status]))
}

fn crash_then_refused(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    // On a connection used before, nginx tries again once, and that is the connection that is refused.
    let warm = client.get("/ok")?.status;
    let response = client.get("/crash/kill")?;
    let victim = stage.backend()?.wait_for("dying", 0)?.peer;
    let status = stage.backend_mut()?.wait()?;
    ensure!(response.status == 502, "the lab itself: the client got {}, not 502", response.status);
    stage.check_error_log(&[PREMATURE, "connect() failed (111: Connection refused) while connecting to upstream"])?;
    let resets = stage.backend_growth("TcpOutRsts")?;
    ensure!(resets == 1, "the lab itself: the backend's kernel sent {resets} resets, not the 1 of the refusal");
    let truth = Truth::of(stage.server()).expect("backend_crash", victim, None).allow("connection_refused");
    let truth = truth.prove(format!("the backend ended by {status}; its kernel sent {resets} reset, to the SYN"));
    Ok(stage.complete(truth, &[warm, response.status]))
}

fn crash_segv(stage: &mut Stage) -> Result<Truth> {
    crash_on_new_connection(stage, "/crash/segv")
}

fn crash_abort(stage: &mut Stage) -> Result<Truth> {
    crash_on_new_connection(stage, "/crash/abort")
}

fn crash_exit_code(stage: &mut Stage) -> Result<Truth> {
    crash_on_new_connection(stage, "/crash/exit1")
}

fn crash_on_new_connection(stage: &mut Stage, path: &str) -> Result<Truth> {
    let response = stage.client()?.get(path)?;
    let victim = stage.backend()?.wait_for("dying", 0)?.peer;
    let status = stage.backend_mut()?.wait()?;
    ensure!(response.status == 502, "the lab itself: the client got {}, not 502", response.status);
    ensure!(!status.success(), "the lab itself: the backend ended well");
    stage.check_error_log(&[PREMATURE])?;
    let truth = Truth::of(stage.server()).expect("backend_crash", victim, Some("request_failed"));
    Ok(stage.complete(truth.prove(format!("the backend ended by {status}")), &[response.status]))
}

fn crash_mid_response(stage: &mut Stage) -> Result<Truth> {
    let response = stage.client()?.get("/crash-midway/kill")?;
    let victim = stage.backend()?.wait_for("dying", 0)?.peer;
    let status = stage.backend_mut()?.wait()?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    stage.check_error_log(&["upstream prematurely closed connection while reading upstream"])?;
    let truth = Truth::of(stage.server()).expect("backend_crash", victim, Some("request_failed"));
    let truth = truth.prove(format!("the backend ended by {status} after {} bytes of body", response.body.len()));
    Ok(stage.complete(truth, &[response.status]))
}
