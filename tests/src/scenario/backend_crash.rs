//! The backend process dies abnormally while a request waits for its answer.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Chunked, Close, Down, Plain, Tls, Up};
use crate::memory::MemoryLimit;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "crash_with_reset",
        deed: "the backend is killed (SIGKILL) while the body of a POST lies unread in its socket: its kernel sends an RST",
        cells: UNREAD,
        plan,
        act: crash_with_reset,
    },
    Scenario {
        name: "crash_then_refused",
        deed: "the backend is killed (SIGKILL) after it has read a request: its kernel sends a FIN, then refuses the retry",
        cells: OWN_ROAD,
        plan: delayed,
        act: crash_then_refused,
    },
    Scenario {
        name: "crash_segv",
        deed: "the backend crashes with SIGSEGV after it has read a request on a new connection",
        cells: EVERY,
        plan,
        act: crash_segv,
    },
    Scenario {
        name: "crash_abort",
        deed: "the backend aborts (SIGABRT) after it has read a request on a new connection",
        cells: EVERY,
        plan,
        act: crash_abort,
    },
    Scenario {
        name: "crash_exit_code",
        deed: "the backend exits with code 1 after it has read a request on a new connection",
        cells: EVERY,
        plan,
        act: crash_exit_code,
    },
    Scenario {
        name: "crash_oom",
        deed: "the backend is killed by the kernel for its use of memory (a limit of its cgroup) after it has read a request",
        cells: EVERY,
        plan,
        act: crash_oom,
    },
    Scenario {
        name: "crash_mid_response",
        deed: "the backend is killed (SIGKILL) in the middle of a response: the client gets a short 200",
        cells: EVERY,
        plan,
        act: crash_mid_response,
    },
];

/// What looks the same as a crash where only the refusals that follow can be seen.
const RESTART: &[&str] = &["backend_restart"];

/// What nginx logs when a backend ends the connection without an answer.
const PREMATURE: &str = "upstream prematurely closed connection while reading response header from upstream";

/// What comes with the head of a request within TLS is read with it: only a large body stays in the kernel.
const UNREAD: Cells = Cells { speeches: &[Plain, Close, Chunked, Up, Down], ..Cells::ANY_ROAD };

/// The road must be long enough for the listener to be gone when nginx retries, and nginx must be allowed to.
const OWN_ROAD: Cells = Cells { speeches: &[Tls, Plain, Chunked, Down], ..Cells::OWN };

/// In every speech and on every road.
const EVERY: Cells = Cells { speeches: &[Tls, Plain, Close, Chunked, Up, Down], ..Cells::ANY_ROAD };

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
    let proof = format!("the backend ended by {status}; its kernel counted TCPAbortOnClose {aborts}");
    crashed(stage, victim, response.status, proof)
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
    let truth = truth.unless_seen(stage.cell().view, RESTART);
    let truth = truth.prove(format!("the backend ended by {status}; its kernel sent {resets} reset, to the SYN"));
    Ok(stage.complete(truth, &[warm, response.status]))
}

fn crash_segv(stage: &mut Stage) -> Result<Truth> {
    crash_on_new_connection(stage, "/crash/segv")
}

fn crash_abort(stage: &mut Stage) -> Result<Truth> {
    crash_on_new_connection(stage, "/crash/abort")
}

fn crash_oom(stage: &mut Stage) -> Result<Truth> {
    let pid = stage.backend()?.pid();
    let limit = MemoryLimit::of(pid, 64 << 20)?;
    let truth = crash_on_new_connection(stage, "/crash/oom")?;
    let kills = limit.kills()?;
    ensure!(kills == 1, "the lab itself: the cgroup's memory limit killed {kills} processes, not 1");
    Ok(truth.prove(format!("its cgroup counted oom_kill {kills}")))
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
    crashed(stage, victim, response.status, format!("the backend ended by {status}"))
}

fn crash_mid_response(stage: &mut Stage) -> Result<Truth> {
    let response = stage.client()?.get("/crash-midway/kill")?;
    let victim = stage.backend()?.wait_for("dying", 0)?.peer;
    let status = stage.backend_mut()?.wait()?;
    // Without a length, neither nginx nor the client can know that the response is short.
    let short = !response.complete || stage.cell().speech == Close;
    ensure!(response.status == 200 && short, "the lab itself: the response should be a short 200");
    if stage.cell().speech != Close {
        stage.check_error_log(&["upstream prematurely closed connection while reading upstream"])?;
    }
    let proof = format!("the backend ended by {status} after {} bytes of body", response.body.len());
    crashed(stage, victim, response.status, proof)
}

/// The backend is dead, and `victim` is the connection that it took with it.
fn crashed(stage: &mut Stage, victim: Option<SocketAddr>, status: u16, proof: String) -> Result<Truth> {
    // Where the end of the connection is the end of the response, one cut short looks whole.
    let others: &[_] = if stage.cell().speech == Close { &["backend_restart", "idle_close"] } else { RESTART };
    let mut statuses = vec![status];
    statuses.extend(stage.knock()?);
    let truth = Truth::of(stage.server()).expect("backend_crash", victim, Some("request_failed"));
    let truth = truth.unless_seen(stage.cell().view, others);
    let truth = if statuses.len() > 1 { truth.allow("connection_refused") } else { truth };
    Ok(stage.complete(truth.prove(proof), &statuses))
}
