//! Negative controls: everyday traffic in which nothing goes wrong.

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
        name: "control",
        deed: "nothing goes wrong: keep-alive traffic, idle connections closed by the backend, clients that leave, a reload",
        plan,
        act: everyday,
    },
    Scenario {
        name: "control_node",
        deed: "nothing goes wrong: keep-alive traffic to a real Node, which closes its idle connections",
        plan: node,
        act: everyday,
    },
];

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

/// A few clients at once, a few requests each; they close in good order when done.
fn chatter(stage: &Stage) -> Result<Vec<u16>> {
    let mut clients = (0..4).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    let mut statuses = Vec::new();
    for _ in 0..5 {
        for client in &mut clients {
            statuses.push(client.get("/ok")?.status);
        }
    }
    Ok(statuses)
}
