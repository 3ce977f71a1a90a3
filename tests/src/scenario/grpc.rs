//! gRPC: calls over HTTP/2, whose servers say GOAWAY before they close what lies idle.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Scenario;
use super::real_server::crashed;
use crate::backend::{Kind, Real, Server};
use crate::cell::Cells;
use crate::cell::Road::{Loopback, Near, Own};
use crate::cell::Speech::Grpc;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "grpc_control",
        deed: "nothing goes wrong: gRPC calls on connections that are kept, which the server ends by GOAWAY when they lie \
               idle, and a reload",
        cells: Cells { roads: &[Own, Loopback, Near], ..CALLED },
        plan: routed,
        act: everyday,
    },
    Scenario {
        name: "grpc_race_crossing",
        deed: "a gRPC server ends its idle connection at once, with or without a GOAWAY, and nginx sends a call while that is \
               still on a wire of 150 ms: a call is not repeated",
        cells: CALLED,
        plan: delayed,
        act: crossing,
    },
    Scenario {
        name: "grpc_race_held",
        deed: "the same on the loopback, with nginx held (SIGSTOP) until that has come",
        cells: CALLED,
        plan: loopback,
        act: held,
    },
    Scenario {
        name: "grpc_crash",
        deed: "a gRPC server is killed (SIGKILL) while it is at a call",
        cells: Cells { speeches: &[Grpc], servers: SERVERS, ..Cells::ANY_ROAD },
        plan: routed,
        act: crash,
    },
    Scenario {
        name: "grpc_crash_midway",
        deed: "a gRPC server is killed (SIGKILL) in the middle of a stream of messages",
        cells: Cells { speeches: &[Grpc], servers: SERVERS, ..Cells::ANY_ROAD },
        plan: routed,
        act: crash_midway,
    },
];

const SERVERS: &[Server] = &[Server::NodeHttp2, Server::Grpc];

const CALLED: Cells = Cells { speeches: &[Grpc], servers: SERVERS, ..Cells::OWN };

/// nginx in front of gRPC.
const LOCATION: &str = "location ~ . { grpc_pass grpc://backend; grpc_read_timeout 3s; }";

fn plan(family: Family, shape: Shape) -> Plan {
    let server = Server::Grpc;
    let backend = Kind::Real(Real { server, idle: server.brisk(), tls: false });
    Plan { family, shape, nginx: Settings { location: LOCATION, ..Settings::default() }, backend }
}

fn routed(family: Family) -> Plan {
    plan(family, Shape::Routed { wire: None, router: Router::Plain })
}

fn loopback(family: Family) -> Plan {
    plan(family, Shape::Loopback)
}

fn delayed(family: Family) -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: Duration::from_millis(150) });
    plan(family, Shape::Routed { wire, router: Router::Plain })
}

fn everyday(stage: &mut Stage) -> Result<Truth> {
    let (mut calls, mut closes) = (0, 0);
    for reloaded in [false, true] {
        if reloaded {
            calls += call_often(stage)?;
            stage.nginx().reload()?;
        }
        calls += call_often(stage)?;
        closes += stage.wait_until_pool_is_empty()?;
    }
    ensure!(closes > 0, "the lab itself: the server closed nothing for idleness");
    stage.check_error_log(&[])?;
    let truth = Truth { idle_closes: closes, ..Truth::of(stage.server()) };
    let truth = truth.prove(format!("{calls} calls that went well, {closes} idle closes by the server"));
    Ok(stage.complete(truth, &[200]))
}

/// A few calls of a few clients, one after another; gives how many.
fn call_often(stage: &Stage) -> Result<usize> {
    let mut clients = (0..4).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    for _ in 0..5 {
        for client in &mut clients {
            let response = client.call("Echo")?;
            ensure!(response.grpc_status == Some(0), "the lab itself: a call ended by {response:?}");
        }
    }
    Ok(5 * clients.len())
}

fn crossing(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.call("Echo")?.status;
    let port = stage.pooled()?;
    let crosses = stage.wait_until_server_closed(port)?;
    ensure!(crosses, "the lab itself: nginx knew that the connection is closed");
    let second = client.call("Echo")?.status;
    raced(stage, port, [first, second])
}

fn held(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.call("Echo")?.status;
    let port = stage.pooled()?;
    stage.nginx().hold_still()?;
    client.send_call("Echo")?;
    stage.wait_until_server_closed(port)?;
    stage.nginx().go_on()?;
    let second = client.receive()?.status;
    raced(stage, port, [first, second])
}

fn raced(stage: &Stage, port: u16, statuses: [u16; 2]) -> Result<Truth> {
    ensure!(statuses == [200, 502], "the lab itself: the client got {statuses:?}, not 200 and 502");
    let truth = Truth::of(stage.server()).expect_at("keepalive_race", Some(port), Some("request_failed"));
    Ok(stage.complete(truth.prove("the server had closed when nginx sent the call".to_owned()), &statuses))
}

fn crash(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send_call("Sleep")?;
    stage.backend()?.wait_for("request", 0)?;
    let port = stage.pooled()?;
    let is_gone = stage.kill_servants()?;
    let status = client.receive()?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    crashed(stage, port, status, is_gone)
}

fn crash_midway(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.call("Echo")?;
    // By the end of its first connection an nginx and its log are known.
    stage.wait_until_pool_is_empty()?;
    client.send_call("Drip")?;
    client.wait_for_answer()?;
    let port = stage.pooled()?;
    let is_gone = stage.kill_servants()?;
    let response = client.receive()?;
    let short = response.status == 200 && response.grpc_status.is_none();
    ensure!(short, "the lab itself: the stream should end without a status, but is {response:?}");
    crashed(stage, port, response.status, is_gone)
}
