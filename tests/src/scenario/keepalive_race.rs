//! nginx sends a request on a pooled connection that the backend is closing, or has closed, for idleness.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::Scenario;
use crate::backend::Kind;
use crate::cell::Cells;
use crate::cell::Speech::{Chunked, Down, Plain, Tls};
use crate::client::Client;
use crate::nginx::Settings;
use crate::router::Router;
use crate::stage::{Plan, Stage};
use crate::topology::{Family, Shape, WirePlace, WireSetting};
use crate::truth::Truth;

pub(super) const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "race_crossing",
        deed: "the backend closes its idle connection, and nginx reuses it while the FIN is still on a wire of 50 ms",
        cells: KEPT,
        plan: delayed,
        act: crossing,
    },
    Scenario {
        name: "race_crossing_post",
        deed: "the same with a POST, which nginx does not repeat: the client gets a 502",
        cells: KEPT,
        plan: delayed,
        act: crossing_post,
    },
    Scenario {
        name: "race_held",
        deed: "on the loopback nginx is held (SIGSTOP) while a request comes in and then the backend closes its idle \
               connection: nginx writes to a connection that is closed already",
        cells: KEPT,
        plan: loopback,
        act: held,
    },
    Scenario {
        name: "race_held_node",
        deed: "the same with a real Node and its keepAliveTimeout",
        cells: Cells::OWN,
        plan: loopback_node,
        act: held,
    },
    Scenario {
        name: "race_fin_lost",
        deed: "the router loses the FIN of the backend, which closes idle connections after 500 ms, and nginx reuses the \
               connection: all it sees is an RST",
        cells: Cells::OWN,
        plan: direct,
        act: fin_lost,
    },
    Scenario {
        name: "race_unread",
        deed: "the backend closes idle connections after 500 ms, and closes one with nginx's next request unread: its \
               kernel sends an RST and no FIN",
        cells: Cells::ANY_ROAD,
        plan: impatient,
        act: unread,
    },
];

/// The race of the demo: by the time it happens the backend has shown its idle timeout.
pub(super) const FORETOLD: Scenario = Scenario {
    name: "race_foretold",
    deed: "the backend closes its idle connection three times, and nobody is hurt: that nginx keeps connections longer \
           is said by now; then nginx reuses one while the FIN is still on a wire of 50 ms",
    cells: Cells::OWN,
    plan: delayed,
    act: foretold,
};

/// What nginx logs when it finds the FIN in place of an answer.
const PREMATURE: &str = "upstream prematurely closed connection while reading response header from upstream";

/// Within this time a FIN of the backend's has come to nginx, on every road and a busy machine.
const ARRIVES_WITHIN: Duration = Duration::from_millis(100);

/// The observer waits so long for a request in a connection that looks idle, before it learns from its end.
const LEARNED_WITHIN: Duration = Duration::from_millis(1600);

/// Wherever connections are kept and nginx may try again.
const KEPT: Cells = Cells { speeches: &[Plain, Tls, Chunked, Down], ..Cells::OWN };

fn delayed(family: Family) -> Plan {
    let wire = Some(WireSetting { place: WirePlace::BeforeRouter, delay: Duration::from_millis(50) });
    let shape = Shape::Routed { wire, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&["--idle-close-ms", "500"]) }
}

fn loopback(family: Family) -> Plan {
    let backend = Kind::Fault(&["--idle-close-ms", "500"]);
    Plan { family, shape: Shape::Loopback, nginx: Settings::default(), backend }
}

fn loopback_node(family: Family) -> Plan {
    Plan { family, shape: Shape::Loopback, nginx: Settings::default(), backend: Kind::Node(100) }
}

fn impatient(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let backend = Kind::Fault(&["--idle-close-ms", "500", "--late-ms", "430"]);
    Plan { family, shape, nginx: Settings::default(), backend }
}

fn crossing(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.get("/ok")?.status;
    let closed = stage.backend()?.wait_for("idle_close", 0)?.peer;
    let second = client.get("/ok")?.status;
    check(stage, [first, second], 200)?;
    let truth = Truth::of(stage.server()).expect("keepalive_race", closed, Some("request_retried"));
    prove(stage, truth, &[first, second])
}

fn foretold(stage: &mut Stage) -> Result<Truth> {
    for _ in 0..3 {
        let status = stage.client()?.get("/ok")?.status;
        ensure!(status == 200, "the lab itself: a client got {status}");
        stage.backend()?.wait_until_all_closed()?;
        // The next request comes when the FIN has arrived, and its quiet close was judged, which nobody tells here.
        thread::sleep(Duration::from_secs(2));
    }
    let mut client = stage.client()?;
    let seen = stage.backend()?.told();
    let first = client.get("/ok")?.status;
    let closed = stage.backend()?.wait_for("idle_close", seen)?.peer;
    let second = client.get("/ok")?.status;
    check(stage, [first, second], 200)?;
    let truth = Truth::of(stage.server()).expect("keepalive_race", closed, Some("request_retried"));
    prove(stage, truth, &[200, 200, 200, first, second])
}

fn crossing_post(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.get("/ok")?.status;
    let closed = stage.backend()?.wait_for("idle_close", 0)?.peer;
    let second = client.post("/ok", "a body")?.status;
    check(stage, [first, second], 502)?;
    let truth = Truth::of(stage.server()).expect("keepalive_race", closed, Some("request_failed"));
    prove(stage, truth, &[first, second])
}

fn held(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let first = client.get("/ok")?.status;
    // nginx takes events in the order in which they came: the request has to be there before the FIN.
    stage.nginx().hold_still()?;
    client.send("GET", "/ok", "")?;
    let closed = stage.backend()?.wait_for("idle_close", 0)?.peer;
    stage.nginx().go_on()?;
    let second = client.receive()?.status;
    check(stage, [first, second], 200)?;
    let truth = Truth::of(stage.server()).expect("keepalive_race", closed, Some("request_retried"));
    prove(stage, truth, &[first, second])
}

fn direct(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&["--idle-close-ms", "500"]) }
}

fn fin_lost(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let mut statuses = show_idle_timeout(stage, &mut client)?;
    let router = stage.net().router().context("the lab itself: no router")?;
    let rules = "table inet lossy { chain forward { type filter hook forward priority 0;\n\
                 tcp sport { 3000, 4000 } tcp flags & (fin | rst) == fin counter drop\n}\n}\n";
    router.run("nft", &["-f", "-"], rules)?;
    statuses.push(client.get("/ok")?.status);
    stage.backend()?.wait_until_all_closed()?;
    statuses.push(client.get("/ok")?.status);
    ensure!(statuses == [200; 5], "the lab itself: the client got {statuses:?}, not 200 five times");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    let closed = stage.backend()?.events("idle_close").last().and_then(|event| event.peer);
    router.run("nft", &["delete", "table", "inet", "lossy"], "")?;
    let truth = Truth::of(stage.server()).expect("keepalive_race", closed, Some("request_retried"));
    // A router that forgot looks the same.
    let truth = truth.unless_seen(stage.cell().view, &["middlebox_idle_drop"]);
    prove(stage, truth, &statuses)
}

fn unread(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    let mut statuses = show_idle_timeout(stage, &mut client)?;
    statuses.push(client.get("/ok")?.status);
    thread::sleep(Duration::from_millis(460));
    statuses.push(client.get("/ok")?.status);
    ensure!(statuses == [200; 5], "the lab itself: the client got {statuses:?}, not 200 five times");
    stage.check_error_log(&["recv() failed (104: Connection reset by peer) while reading response header"])?;
    let closed = stage.backend()?.wait_for("closed_unread", 0)?.peer;
    let aborts = stage.backend_growth("TcpExtTCPAbortOnClose")?;
    ensure!(aborts == 1, "the lab itself: the backend's kernel aborted {aborts} connections, not 1");
    let truth = Truth::of(stage.server()).expect("keepalive_race", closed, Some("request_retried"));
    let truth = truth.unless_seen(stage.cell().view, &[]);
    Ok(stage.complete(truth.prove(format!("the backend's kernel counted TCPAbortOnClose {aborts}")), &statuses))
}

/// Three connections that end cleanly show what the backend's idle timeout is.
fn show_idle_timeout(stage: &Stage, client: &mut Client) -> Result<Vec<u16>> {
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let before = stage.backend()?.told();
        statuses.push(client.get("/ok")?.status);
        stage.backend()?.wait_for("idle_close", before)?;
        // The FIN must have come, or the next request would be a race as well.
        thread::sleep(ARRIVES_WITHIN);
    }
    thread::sleep(LEARNED_WITHIN);
    Ok(statuses)
}

fn check(stage: &Stage, statuses: [u16; 2], second: u16) -> Result<()> {
    ensure!(statuses == [200, second], "the lab itself: the client got {statuses:?}, not 200 and {second}");
    stage.check_error_log(&[PREMATURE])
}

/// The request must have met a socket that its owner had closed: the kernel counts that.
fn prove(stage: &Stage, truth: Truth, statuses: &[u16]) -> Result<Truth> {
    // The request may still be on the wire when nginx has given it up.
    let aborts = stage.wait_for_backend_growth("TcpExtTCPAbortOnData", 1)?;
    let plain = stage.cell().speech == Plain;
    ensure!(aborts == 1 || aborts > 1 && !plain, "the lab itself: the kernel met data after close {aborts} times");
    let truth = truth.prove(format!("the backend's kernel counted TCPAbortOnData {aborts}"));
    Ok(stage.complete(truth, statuses))
}
