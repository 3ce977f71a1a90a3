//! The listener lives but turns a new connection away.

use std::time::Duration;

use anyhow::{Result, ensure};
use rustix::process::Signal;

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Close, Plain, Tls};
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "connection_limit",
        deed: "the backend serves one connection and closes each further one as soon as it is accepted",
        cells: LIMIT,
        plan,
        act: one_too_many,
    },
    Scenario {
        name: "connection_limit_reset",
        deed: "the backend serves one connection and resets each further one as soon as it is accepted",
        cells: LIMIT,
        plan: by_reset,
        act: one_too_many,
    },
    Scenario {
        name: "connection_limit_backlog",
        deed: "the backend is held (SIGSTOP), its accept queue is short, and its kernel resets what is too much \
               (tcp_abort_on_overflow)",
        cells: Cells::OWN,
        plan: delayed,
        act: overflow,
    },
];

/// On every road, plain and within TLS, where it is the handshake that is turned away.
const LIMIT: Cells = Cells { speeches: &[Plain, Tls, Close], ..Cells::ANY_ROAD };

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&["--max-connections", "1"]) }
}

fn by_reset(family: Family) -> Plan {
    Plan { backend: Kind::Fault(&["--max-connections", "1", "--turn-away-by-reset"]), ..plan(family) }
}

/// All handshakes of the second wave must be under way before the first of them is complete.
fn delayed(family: Family) -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: Duration::from_millis(20) });
    let shape = Shape::Routed { wire, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&["--backlog", "4"]) }
}

/// Into a full accept queue no SYN is let: it has to be filled by handshakes that are under way together. A first wave
/// leaves one place in it, of the second wave one takes that, and the kernel resets the others.
fn overflow(stage: &mut Stage) -> Result<Truth> {
    stage.net().backend().sysctl(&[("ipv4/tcp_abort_on_overflow", "1"), ("ipv4/tcp_syncookies", "0")])?;
    stage.backend()?.signal(Signal::STOP)?;
    let mut clients = (0..9).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    let (first, second) = clients.split_at_mut(4);
    first.iter_mut().try_for_each(|client| client.send("GET", "/ok", ""))?;
    let queued = stage.wait_for_backend_growth("TcpPassiveOpens", 4)?;
    ensure!(queued == 4, "the lab itself: {queued} connections in the accept queue, not 4");
    second.iter_mut().try_for_each(|client| client.send("GET", "/ok", ""))?;
    let failed = second.len() - 1;
    let overflows = stage.wait_for_backend_growth("TcpExtListenOverflows", failed as u64)?;
    stage.backend()?.signal(Signal::CONT)?;
    let statuses = clients.iter_mut().map(|client| Ok(client.receive()?.status)).collect::<Result<Vec<_>>>()?;
    let bad = statuses.iter().filter(|status| **status == 502).count();
    ensure!(bad == failed, "the lab itself: {overflows} overflows, the clients got {statuses:?}");
    let truth = (0..failed)
        .fold(Truth::of(stage.server()), |truth, _| truth.expect("connection_limit", None, Some("request_failed")));
    let truth = truth.prove(format!("the backend's kernel counted ListenOverflows {overflows}"));
    Ok(stage.complete(truth, &statuses))
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
    // Whether the request was read before, only the backend's host knows.
    let truth = truth.unless_seen(stage.cell().view, &["backend_abort"]);
    Ok(stage.complete(truth, &[served, refused]))
}
