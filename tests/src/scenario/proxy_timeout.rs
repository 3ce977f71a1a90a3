//! nginx gives up waiting.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Chunked, Down, Plain, Tls, Up};
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "timeout_read",
        deed: "the backend works longer than proxy_read_timeout, and its answer meets a closed socket",
        cells: EVERY,
        plan,
        act: late_answer,
    },
    Scenario {
        name: "timeout_midway",
        deed: "the backend stops in the middle of a response for longer than proxy_read_timeout, then goes on",
        cells: Cells { speeches: &[Plain, Tls, Chunked], ..Cells::ANY_ROAD },
        plan,
        act: midway,
    },
    Scenario {
        name: "timeout_send",
        deed: "the backend does not read the body of a POST, which takes longer than proxy_send_timeout",
        cells: Cells { speeches: &[Plain, Tls], ..Cells::ANY_ROAD },
        plan,
        act: unread_body,
    },
    Scenario {
        name: "timeout_connect",
        deed: "nobody answers the handshake within proxy_connect_timeout",
        cells: Cells { speeches: &[Plain], ..Cells::OWN },
        plan,
        act: no_handshake,
    },
];

/// In every speech and on every road.
const EVERY: Cells = Cells { speeches: &[Plain, Tls, Chunked, Up, Down], ..Cells::ANY_ROAD };

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let nginx = Settings { timeout: "400ms", ..Settings::default() };
    Plan { family, shape, nginx, backend: Kind::Fault(&[]) }
}

fn late_answer(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/delay/700")?.status;
    ensure!(status == 504, "the lab itself: the client got {status}, not 504");
    stage.check_error_log(&["upstream timed out (110: Connection timed out) while reading response header"])?;
    let connection = stage.backend()?.wait_for("request", 0)?.peer;
    let resets = stage.wait_for_proxy_growth("TcpOutRsts", 1)?;
    ensure!(resets > 0, "the lab itself: the backend's answer met no closed socket");
    let truth = Truth::of(stage.server()).expect("proxy_timeout", connection, Some("request_failed"));
    Ok(stage.complete(truth.prove(format!("the proxy's kernel sent {resets} resets")), &[status]))
}

/// To the kernel of the proxy the response is over when nginx gives it up: all was acknowledged, and payload came last. The
/// rest of it meets a socket that nobody owns any more. Only nginx's log tells, of no connection: nothing need be said.
fn midway(stage: &mut Stage) -> Result<Truth> {
    let response = stage.client()?.get("/pause/1000/700")?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    stage.check_error_log(&["upstream timed out (110: Connection timed out) while reading upstream"])?;
    let resets = stage.wait_for_proxy_growth("TcpOutRsts", 1)?;
    ensure!(resets > 0, "the lab itself: the rest of the answer met no closed socket");
    let truth = Truth::of(stage.server()).allow("proxy_timeout");
    Ok(stage.complete(truth.prove(format!("the proxy's kernel sent {resets} resets")), &[response.status]))
}

fn unread_body(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.post("/stop-reading", &"x".repeat(900_000))?.status;
    ensure!(status == 504, "the lab itself: the client got {status}, not 504");
    let connection = stage.backend()?.wait_for("stopped_reading", 0)?.peer;
    let truth = Truth::of(stage.server()).expect("proxy_timeout", connection, Some("request_failed"));
    Ok(stage.complete(truth, &[status]))
}

/// No connection was ever there that could have been reset: nothing need be said.
fn no_handshake(stage: &mut Stage) -> Result<Truth> {
    let rules = "table inet deaf { chain input { type filter hook prerouting priority -300;\n\
                 tcp dport 3000 drop\n}\n}\n";
    stage.net().backend().run("nft", &["-f", "-"], rules)?;
    let status = stage.client()?.get("/ok")?.status;
    ensure!(status == 504, "the lab itself: the client got {status}, not 504");
    stage.check_error_log(&["upstream timed out (110: Connection timed out) while connecting to upstream"])?;
    let truth = Truth::of(stage.server()).allow("proxy_timeout");
    Ok(stage.complete(truth.prove("the backend's host dropped every SYN".to_owned()), &[status]))
}
