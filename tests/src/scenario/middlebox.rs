//! A router between proxy and backend forgets an idle connection that both ends believe in.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Chunked, Down, Plain, Tls};
use crate::nginx::Settings;
use crate::router::{self, Forgotten, Router};
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "middlebox_reset",
        deed: "a router with connection tracking forgets the idle connection and answers nginx's next request with an RST",
        cells: KEPT,
        plan: near,
        act: reset,
    },
    Scenario {
        name: "middlebox_reset_no_delay",
        deed: "the same without any delay on the road: the RST takes as long as the backend's own would",
        cells: KEPT,
        plan: no_delay,
        act: reset,
    },
    Scenario {
        name: "middlebox_silence",
        deed: "a router with connection tracking forgets the idle connection and drops what comes on it without a word",
        cells: KEPT,
        plan: silent,
        act: silence,
    },
];

const FORGETS_WITH_RESET: Router = Router::Tracking { idle_seconds: 1, forgotten: Forgotten::Reset };

/// Wherever connections are kept and nginx may try again.
const KEPT: Cells = Cells { speeches: &[Plain, Tls, Chunked, Down], ..Cells::OWN };

fn near(family: Family) -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BehindRouter, delay: Duration::from_millis(10) });
    plan(family, wire, FORGETS_WITH_RESET)
}

fn no_delay(family: Family) -> Plan {
    plan(family, None, FORGETS_WITH_RESET)
}

fn silent(family: Family) -> Plan {
    plan(family, None, Router::Tracking { idle_seconds: 1, forgotten: Forgotten::Silence })
}

fn plan(family: Family, wire: Option<WireSetting>, router: Router) -> Plan {
    Plan { family, shape: Shape::Routed { wire, router }, nginx: Settings::default(), backend: Kind::Fault(&[]) }
}

fn reset(stage: &mut Stage) -> Result<Truth> {
    let statuses = ask_again_when_forgotten(stage)?;
    ensure!(statuses == [200, 200], "the lab itself: the client got {statuses:?}, not 200 twice");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    let truth = prove(stage, Some("request_retried"))?;
    Ok(stage.complete(truth, &statuses))
}

fn silence(stage: &mut Stage) -> Result<Truth> {
    let statuses = ask_again_when_forgotten(stage)?;
    ensure!(statuses == [200, 504], "the lab itself: the client got {statuses:?}, not 200 and 504");
    stage.check_error_log(&["upstream timed out (110: Connection timed out) while reading response header"])?;
    let truth = prove(stage, Some("request_failed"))?;
    Ok(stage.complete(truth, &statuses))
}

fn ask_again_when_forgotten(stage: &Stage) -> Result<[u16; 2]> {
    let mut client = stage.client()?;
    let first = client.get("/ok")?.status;
    let router = stage.net().router().context("the lab itself: no router")?;
    router::wait_until_forgotten(router, Duration::from_secs(5))?;
    Ok([first, client.get("/ok")?.status])
}

/// The router must have met the packet, and the backend's kernel must have sent no reset.
fn prove(stage: &Stage, impact: Option<&'static str>) -> Result<Truth> {
    let router = stage.net().router().context("the lab itself: no router")?;
    let met = router::refused_packets(router)?;
    let resets = stage.backend_growth("TcpOutRsts")?;
    ensure!(met > 0 && resets == 0, "the lab itself: the router met {met} packets, the backend sent {resets} resets");
    let connection = stage.backend()?.wait_for("request", 0)?.peer;
    let truth = Truth::of(stage.server()).expect("middlebox_idle_drop", connection, impact);
    Ok(truth.prove(format!("the router met {met} packets of no known connection; the backend sent no reset")))
}
