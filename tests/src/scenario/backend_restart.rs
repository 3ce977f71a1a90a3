//! The backend process ends in good order, but with a request outstanding.

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
        name: "restart_exit",
        deed: "the backend exits with code 0 after it has read a request",
        cells: EVERY,
        plan: abrupt,
        act: exit,
    },
    Scenario {
        name: "restart_sigterm",
        deed: "the backend is told to end (SIGTERM) while a request waits, and dies of it",
        cells: EVERY,
        plan: abrupt,
        act: sigterm,
    },
    Scenario {
        name: "restart_graceful",
        deed: "the backend is told to end (SIGTERM) while a request waits, and exits with code 0",
        cells: EVERY,
        plan: graceful,
        act: sigterm,
    },
];

/// In every speech and on every road.
const EVERY: Cells = Cells { speeches: &[Tls, Plain, Close, Chunked, Up, Down], ..Cells::ANY_ROAD };

fn abrupt(family: Family) -> Plan {
    plan(family, Kind::Fault(&[]))
}

fn graceful(family: Family) -> Plan {
    plan(family, Kind::Fault(&["--graceful"]))
}

fn plan(family: Family, backend: Kind) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend }
}

fn exit(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/crash/exit0")?.status;
    ended(stage, "dying", status)
}

fn sigterm(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send("GET", "/stop-reading", "")?;
    stage.backend()?.wait_for("stopped_reading", 0)?;
    stage.backend()?.terminate()?;
    let status = client.receive()?.status;
    ended(stage, "stopped_reading", status)
}

fn ended(stage: &mut Stage, event: &str, status: u16) -> Result<Truth> {
    let connection = stage.backend()?.wait_for(event, 0)?.peer;
    let end = stage.backend_mut()?.wait()?;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["upstream prematurely closed connection while reading response header from upstream"])?;
    let mut statuses = vec![status];
    statuses.extend(stage.knock()?);
    let truth = Truth::of(stage.server()).expect("backend_restart", connection, Some("request_failed"));
    // How a process ended, only its own host knows.
    let truth = truth.unless_seen(stage.cell().view, &["backend_crash"]);
    let truth = if statuses.len() > 1 { truth.allow("connection_refused") } else { truth };
    Ok(stage.complete(truth.prove(format!("the backend ended by {end}")), &statuses))
}
