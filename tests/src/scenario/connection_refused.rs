//! Nothing listens at the upstream server.

use anyhow::{Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[Scenario {
    name: "refused",
    deed: "nginx connects to a server where nothing listens",
    plan,
    cells: Cells::ANY_ROAD,
    act: refused,
}];

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Nobody }
}

fn refused(stage: &mut Stage) -> Result<Truth> {
    let status = stage.client()?.get("/ok")?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&["connect() failed (111: Connection refused) while connecting to upstream"])?;
    let truth = Truth::of(stage.server()).expect("connection_refused", None, Some("request_failed"));
    let resets = stage.backend_growth("TcpOutRsts")?;
    Ok(stage.complete(truth.prove(format!("the backend's kernel sent {resets} reset, to the SYN")), &[status]))
}
