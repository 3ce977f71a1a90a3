//! Negative controls: everyday traffic in which nothing goes wrong.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Speech::{Chunked, Down, Plain, Tls, Up};
use crate::cell::{Cells, Road};
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "control",
        deed: "nothing goes wrong: keep-alive traffic, idle connections closed by the backend, clients that leave, a reload",
        cells: KEPT,
        plan,
        act: everyday,
    },
    Scenario {
        name: "control_reload",
        deed: "nothing goes wrong: nginx is reloaded while requests wait for their answers, again and again",
        cells: KEPT,
        plan,
        act: reload,
    },
    Scenario {
        name: "control_early_answer",
        deed: "the backend answers 413 and closes while the body of a POST is still coming",
        cells: Cells::ANY_ROAD,
        plan,
        act: early_answer,
    },
    Scenario {
        name: "control_node",
        deed: "nothing goes wrong: keep-alive traffic to a real Node, which closes its idle connections",
        cells: Cells { speeches: &[Plain], ..KEPT },
        plan: node,
        act: everyday,
    },
];

/// Wherever connections are kept, on roads so short that no request meets the backend's idle timer by chance.
const KEPT: Cells =
    Cells { speeches: &[Plain, Tls, Chunked, Up, Down], roads: &[Road::Own, Road::Loopback, Road::Near], ..Cells::OWN };

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let nginx = Settings { workers: 2, ..Settings::default() };
    Plan { family, shape, nginx, backend: Kind::Fault(&["--idle-close-ms", "300"]) }
}

fn node(family: Family) -> Plan {
    Plan { backend: Kind::Node(100), ..plan(family) }
}

fn everyday(stage: &mut Stage) -> Result<Truth> {
    let mut statuses = chatter(stage)?;
    // The backend empties the pool. New requests before it is done would be real races.
    stage.backend()?.wait_until_all_closed()?;
    statuses.extend(chatter(stage)?);
    // These workers close what is idle: the other way round.
    stage.nginx().reload()?;
    statuses.extend(chatter(stage)?);
    stage.backend()?.wait_until_all_closed()?;
    let closes = stage.backend()?.events("idle_close").len();
    ensure!(closes > 0, "the lab itself: the backend closed nothing for idleness");
    let odd = statuses.iter().find(|status| **status != 200);
    ensure!(odd.is_none(), "the lab itself: a client got {odd:?}, not 200");
    stage.check_error_log(&[])?;
    let resets = stage.backend_growth("TcpOutRsts")? + stage.proxy_growth("TcpOutRsts")?;
    ensure!(resets == 0, "the lab itself: there were {resets} resets in the negative control");
    let proof = format!(
        "{} answers of 200, {closes} idle closes by the backend, no reset sent by either kernel",
        statuses.len()
    );
    let truth = Truth { idle_closes: closes, ..Truth::of(stage.server()).prove(proof) };
    Ok(stage.complete(truth, &statuses))
}

fn reload(stage: &mut Stage) -> Result<Truth> {
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let mut clients = (0..4).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
        clients.iter_mut().try_for_each(|client| client.send("GET", "/delay/150", ""))?;
        stage.nginx().begin_reload()?;
        for client in &mut clients {
            statuses.push(client.receive()?.status);
        }
    }
    stage.backend()?.wait_until_all_closed()?;
    let odd = statuses.iter().find(|status| **status != 200);
    ensure!(odd.is_none(), "the lab itself: a client got {odd:?}, not 200");
    stage.check_error_log(&[])?;
    let truth = Truth::of(stage.server()).prove(format!("{} answers of 200", statuses.len()));
    Ok(stage.complete(truth, &statuses))
}

/// The request had its answer: whatever is said of the connection, it is no race, no crash and nothing in between.
fn early_answer(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.post("/too-large", &"x".repeat(600_000))?.status;
    ensure!(status == 413 || status == 502, "the lab itself: the client got {status}, not 413 or 502");
    stage.backend()?.wait_for("closing", 0)?;
    let truth = Truth::of(stage.server()).allow("backend_abort");
    Ok(stage.complete(truth.prove("the backend answered and closed".to_owned()), &[status]))
}

/// A few clients at once, a few requests each; they close in good order when done.
pub(super) fn chatter(stage: &Stage) -> Result<Vec<u16>> {
    let mut clients = (0..4).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        for client in &mut clients {
            statuses.push(client.get("/ok")?.status);
        }
    }
    Ok(statuses)
}
