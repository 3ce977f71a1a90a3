//! The servers that people run: they close what lies idle, meet a request with that, and die. And something between nginx
//! and one of them that closes what lies idle.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::Scenario;
use super::control::chatter;
use crate::backend::{Kind, Real, Server};
use crate::cell::Cells;
use crate::cell::Road::{Loopback, Near, Own};
use crate::cell::Speech::{Plain, Tls};
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "real_control",
        deed: "nothing goes wrong: keep-alive traffic to a real server, which closes its idle connections, and a reload",
        cells: Cells { roads: &[Own, Loopback, Near], ..KEPT },
        plan: routed,
        act: everyday,
    },
    Scenario {
        name: "real_race_crossing",
        deed: "a real server closes its idle connection, and nginx reuses it while the FIN is still on a wire of 150 ms",
        cells: CLOSED_AT_ONCE,
        plan: delayed,
        act: crossing,
    },
    Scenario {
        name: "real_race_held",
        deed: "on the loopback nginx is held (SIGSTOP) while a request comes in and then a real server closes its idle \
               connection: nginx writes to a connection that is closed already",
        cells: CLOSED_AT_ONCE,
        plan: loopback,
        act: held,
    },
    // Over TLS it waits for nginx's farewell before it closes, and so there is no race.
    Scenario {
        name: "real_race_uvicorn",
        deed: "uvicorn closes its idle connection, and nginx reuses it while the FIN is still on a wire of 150 ms",
        cells: Cells { servers: &[Server::Uvicorn], ..Cells::OWN },
        plan: delayed,
        act: crossing,
    },
    Scenario {
        name: "real_crash",
        deed: "the process of a real server that is at a request is killed (SIGKILL) before it answers; the parent of one \
               that has workers lives on",
        cells: Cells { speeches: &[Plain, Tls], servers: TELLING, ..Cells::ANY_ROAD },
        plan: routed,
        act: crash,
    },
    Scenario {
        name: "real_crash_midway",
        deed: "the same in the middle of a response: the client gets a short 200",
        cells: Cells { speeches: &[Plain, Tls], servers: SERVERS, ..Cells::ANY_ROAD },
        plan: unbuffered,
        act: crash_midway,
    },
    Scenario {
        name: "l4_proxy_control",
        deed: "nothing goes wrong: haproxy in TCP mode between nginx and Node closes idle connections, of which Node knows \
               nothing",
        cells: Cells { roads: &[Own, Loopback, Near], ..PROXIED },
        plan: routed,
        act: everyday,
    },
    // The socket at the other end of nginx's connection is haproxy's, and it closes in good order, by a timeout of its own:
    // to nginx it is a server that closes what lies idle, and what helps is the same.
    Scenario {
        name: "l4_proxy_race",
        deed: "haproxy in TCP mode closes a connection that lies idle, and nginx, to which haproxy is the server, reuses it \
               while the FIN is still on a wire of 150 ms",
        cells: PROXIED,
        plan: delayed,
        act: crossing,
    },
    Scenario {
        name: "l4_proxy_race_held",
        deed: "the same on the loopback, with nginx held (SIGSTOP) until the FIN has come",
        cells: PROXIED,
        plan: loopback,
        act: held,
    },
];

const SERVERS: &[Server] = &[Server::Node, Server::Gunicorn, Server::Uvicorn, Server::Apache];

/// Those that tell of a request that they have read.
const TELLING: &[Server] = &[Server::Node, Server::Gunicorn, Server::Uvicorn];

/// Wherever connections are kept.
const KEPT: Cells = Cells { speeches: &[Plain, Tls], servers: SERVERS, ..Cells::OWN };

/// The same with those that close what is idle without waiting for nginx.
const CLOSED_AT_ONCE: Cells = Cells { servers: &[Server::Node, Server::Gunicorn, Server::Apache], ..KEPT };

/// The same behind haproxy.
const PROXIED: Cells = Cells { servers: &[Server::Haproxy], ..KEPT };

/// What nginx logs when it finds the FIN in place of an answer.
const PREMATURE: &str = "upstream prematurely closed connection while reading response header from upstream";

fn plan(family: Family, shape: Shape) -> Plan {
    let server = Server::Node;
    let backend = Kind::Real(Real { server, idle: server.brisk(), tls: false });
    Plan { family, shape, nginx: Settings::default(), backend }
}

fn routed(family: Family) -> Plan {
    plan(family, Shape::Routed { wire: None, router: Router::Plain })
}

fn unbuffered(family: Family) -> Plan {
    Plan { nginx: Settings { location: "proxy_buffering off;", ..Settings::default() }, ..routed(family) }
}

fn loopback(family: Family) -> Plan {
    plan(family, Shape::Loopback)
}

fn delayed(family: Family) -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: Duration::from_millis(150) });
    plan(family, Shape::Routed { wire, router: Router::Plain })
}

fn everyday(stage: &mut Stage) -> Result<Truth> {
    let (mut statuses, mut closes) = (Vec::new(), 0);
    for reloaded in [false, true] {
        // Workers that a reload ends close what is idle: the other way round.
        statuses.extend(chatter(stage)?);
        if reloaded {
            stage.nginx().reload()?;
            statuses.extend(chatter(stage)?);
        }
        closes += stage.wait_until_pool_is_empty()?;
    }
    ensure!(closes > 0, "the lab itself: the server closed nothing for idleness");
    let odd = statuses.iter().find(|status| **status != 200);
    ensure!(odd.is_none(), "the lab itself: a client got {odd:?}, not 200");
    stage.check_error_log(&[])?;
    let truth = Truth { idle_closes: closes, ..Truth::of(stage.server()) };
    let truth = truth.prove(format!("{} answers of 200, {closes} idle closes by the server", statuses.len()));
    Ok(stage.complete(truth, &statuses))
}

fn crossing(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.get("/ok")?.status;
    let port = stage.pooled()?;
    let crosses = stage.wait_until_server_closed(port)?;
    ensure!(crosses, "the lab itself: nginx knew that the connection is closed");
    let second = client.get("/ok")?.status;
    raced(stage, port, [first, second], "the server had closed, and nginx's kernel had received nothing of that")
}

fn held(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.get("/ok")?.status;
    let port = stage.pooled()?;
    // nginx takes events in the order in which they came: the request has to be there before the FIN.
    stage.nginx().hold_still()?;
    client.send("GET", "/ok", "")?;
    stage.wait_until_server_closed(port)?;
    stage.nginx().go_on()?;
    let second = client.receive()?.status;
    raced(stage, port, [first, second], "the server had closed when nginx got to the request")
}

fn raced(stage: &Stage, port: u16, statuses: [u16; 2], proof: &str) -> Result<Truth> {
    ensure!(statuses == [200, 200], "the lab itself: the client got {statuses:?}, not 200 twice");
    stage.check_error_log(&[PREMATURE])?;
    let truth = Truth::of(stage.server()).expect_at("keepalive_race", Some(port), Some("request_retried"));
    Ok(stage.complete(truth.prove(proof.to_owned()), &statuses))
}

fn crash(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send("GET", "/slow/60000", "")?;
    stage.backend()?.wait_for("request", 0)?;
    let port = stage.pooled()?;
    let is_gone = stage.kill_servants()?;
    let status = client.receive()?.status;
    ensure!(status == 502, "the lab itself: the client got {status}, not 502");
    stage.check_error_log(&[PREMATURE])?;
    crashed(stage, port, status, is_gone)
}

fn crash_midway(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.get("/ok")?;
    // By the end of its first connection an nginx and its log are known.
    stage.wait_until_pool_is_empty()?;
    client.send("GET", "/drip", "")?;
    client.wait_for_answer()?;
    let port = stage.pooled()?;
    let is_gone = stage.kill_servants()?;
    let response = client.receive()?;
    ensure!(response.status == 200 && !response.complete, "the lab itself: the response should be a short 200");
    stage.check_error_log(&["upstream prematurely closed connection while reading upstream"])?;
    crashed(stage, port, response.status, is_gone)
}

/// Of a worker that was killed only its own host knows: others see that one connection was cut by a server that lives.
pub(super) fn crashed(stage: &mut Stage, port: u16, status: u16, is_gone: bool) -> Result<Truth> {
    let mut statuses = vec![status];
    let mut truth = Truth::of(stage.server()).expect_at("backend_crash", Some(port), Some("request_failed"));
    if is_gone {
        statuses.extend(stage.knock()?);
        truth = truth.unless_seen(stage.cell().view, &["backend_restart"]).allow("connection_refused");
    } else {
        truth = truth.unless_seen(stage.cell().view, &["backend_restart", "backend_abort"]);
    }
    Ok(stage.complete(truth.prove("the process that served was killed".to_owned()), &statuses))
}
