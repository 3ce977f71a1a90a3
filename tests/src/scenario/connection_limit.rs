//! The listener lives but turns a new connection away.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "connection_limit",
    deed: "the backend serves one connection and closes each further one as soon as it is accepted",
    plan,
    act: one_too_many,
}];

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&["--max-connections", "1"]) }
}

fn one_too_many(stage: &mut Stage) -> Result<Truth> {
    let (mut first, mut second) = (stage.client()?, stage.client()?);
    first.send("GET", "/delay/300", "")?;
    stage.backend()?.wait_for("request", 0)?;
    let refused = second.get("/ok")?.status;
    let served = first.receive()?.status;
    ensure!([served, refused] == [200, 502], "the lab itself: the clients got {served} and {refused}, not 200 and 502");
    let connection = stage.backend()?.wait_for("turned_away", 0)?.peer;
    // FIN or RST, as the request comes before or after the close: nginx has a text for each.
    let errors = stage.nginx().error_log().len();
    ensure!(errors == 1, "the lab itself: nginx logged {errors} errors, not 1");
    let truth = Truth::of(stage.server()).expect("connection_limit", connection, Some("request_failed"));
    Ok(stage.complete(truth, &[served, refused]))
}
