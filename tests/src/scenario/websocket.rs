//! Connections that were upgraded: there are no requests on them, and so no races.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Plain, Tls};
use crate::client::Client;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "websocket_control",
        deed: "nothing goes wrong: an upgraded connection is used, lies idle, is used again, and the client leaves",
        cells: UPGRADED,
        plan,
        act: everyday,
    },
    Scenario {
        name: "websocket_idle_close",
        deed: "nothing goes wrong: the backend closes an upgraded connection",
        cells: UPGRADED,
        plan,
        act: closed,
    },
    Scenario {
        name: "websocket_abort",
        deed: "the backend resets an upgraded connection on a message; it lives on",
        cells: UPGRADED,
        plan,
        act: reset,
    },
    Scenario {
        name: "websocket_crash",
        deed: "the backend is killed (SIGKILL) on a message of an upgraded connection",
        cells: UPGRADED,
        plan,
        act: crash,
    },
];

/// On every road, plain and within TLS.
const UPGRADED: Cells = Cells { speeches: &[Plain, Tls], ..Cells::ANY_ROAD };

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let location = "proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection upgrade;";
    Plan { family, shape, nginx: Settings { location, ..Settings::default() }, backend: Kind::Fault(&[]) }
}

fn upgraded(stage: &Stage, path: &str) -> Result<Client> {
    let mut client = stage.client()?;
    let status = client.upgrade(path)?;
    ensure!(status == 101, "the lab itself: the client got {status}, not 101");
    Ok(client)
}

fn everyday(stage: &mut Stage) -> Result<Truth> {
    let mut client = upgraded(stage, "/ws/ok")?;
    for pause in [0, 300, 0, 1100, 0] {
        std::thread::sleep(std::time::Duration::from_millis(pause));
        ensure!(client.exchange()?, "the lab itself: no message came back");
    }
    drop(client);
    stage.backend()?.wait_for("client_closed", 0)?;
    let truth = Truth::of(stage.server()).prove("five messages came back".to_owned());
    Ok(stage.complete(truth, &[101]))
}

/// To close after a message is the backend's way to end a conversation: no request hangs in the air. That it was one too
/// soon, nobody but the two ends can know.
fn closed(stage: &mut Stage) -> Result<Truth> {
    let mut client = upgraded(stage, "/ws/close")?;
    ensure!(!client.exchange()?, "the lab itself: a message came back");
    stage.backend()?.wait_for("closing", 0)?;
    let truth = Truth::of(stage.server()).allow("backend_abort");
    Ok(stage.complete(truth.prove("the backend closed".to_owned()), &[101]))
}

fn reset(stage: &mut Stage) -> Result<Truth> {
    let mut client = upgraded(stage, "/ws/linger0")?;
    ensure!(!client.exchange()?, "the lab itself: a message came back");
    let connection = stage.backend()?.wait_for("resetting", 0)?.peer;
    let truth = Truth::of(stage.server()).expect("backend_abort", connection, Some("request_failed"));
    let truth = truth.unless_seen(stage.cell().view, &[]);
    Ok(stage.complete(truth.prove("the backend told of its reset".to_owned()), &[101]))
}

fn crash(stage: &mut Stage) -> Result<Truth> {
    let mut client = upgraded(stage, "/ws/crash/kill")?;
    ensure!(!client.exchange()?, "the lab itself: a message came back");
    let connection = stage.backend()?.wait_for("dying", 0)?.peer;
    let status = stage.backend_mut()?.wait()?;
    let mut statuses = vec![101];
    statuses.extend(stage.knock()?);
    let truth = Truth::of(stage.server()).expect("backend_crash", connection, Some("request_failed"));
    let truth = truth.unless_seen(stage.cell().view, &["backend_restart"]).allow("connection_refused");
    Ok(stage.complete(truth.prove(format!("the backend ended by {status}")), &statuses))
}
