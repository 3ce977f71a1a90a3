//! The client leaves before it has its answer.

use std::time::Duration;

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
        name: "client_abort",
        deed: "the client closes while the backend works; nginx closes too, and the backend's answer meets a closed socket",
        cells: EVERY,
        plan,
        act: leave,
    },
    Scenario {
        name: "client_abort_reset",
        deed: "the client resets its connection while the backend works",
        cells: EVERY,
        plan,
        act: leave_by_reset,
    },
    Scenario {
        name: "client_abort_midway",
        deed: "the client leaves in the middle of a large response; nginx closes with a part of it unread",
        cells: MIDWAY,
        plan: unbuffered,
        act: leave_midway,
    },
    Scenario {
        name: "client_abort_ignored",
        deed: "nothing goes wrong upstream: the client leaves, and nginx takes the answer all the same \
               (proxy_ignore_client_abort)",
        cells: IGNORED,
        plan: ignoring,
        act: ignored,
    },
];

/// In every speech and on every road.
const EVERY: Cells = Cells { speeches: &[Plain, Tls, Chunked, Up, Down], ..Cells::ANY_ROAD };

/// Large enough as it is.
const MIDWAY: Cells = Cells { speeches: &[Plain, Tls, Chunked], ..Cells::ANY_ROAD };

/// Wherever connections are kept. Not with an answer that does not fit into the client's socket: nginx closes the backend's
/// connection when it cannot write any more (`p->downstream_error`), whatever it is told to ignore.
const IGNORED: Cells = Cells { speeches: &[Plain, Tls, Chunked], ..Cells::ANY_ROAD };

/// How long the backend works on the request.
const WORK: Duration = Duration::from_millis(250);

/// Within this time a FIN of the backend's has come to nginx, on every road and a busy machine.
const ARRIVES_WITHIN: Duration = Duration::from_millis(100);

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&["--idle-close-ms", "300"]) }
}

fn unbuffered(family: Family) -> Plan {
    let nginx = Settings { location: "proxy_max_temp_file_size 0;", ..Settings::default() };
    Plan { nginx, ..plan(family) }
}

fn ignoring(family: Family) -> Plan {
    let nginx = Settings { location: "proxy_ignore_client_abort on;", ..Settings::default() };
    Plan { nginx, ..plan(family) }
}

/// One connection that nginx opens to the backend and that ends harmlessly. An nginx that started after the observer is
/// known to it from then on, where it listens too; no client could be told from another before. Gives a bookmark in what
/// the backend tells.
fn introduce(stage: &Stage) -> Result<usize> {
    let status = stage.client()?.get("/ok")?.status;
    ensure!(status == 200, "the lab itself: the client got {status}, not 200");
    stage.backend()?.wait_for("idle_close", 0)?;
    std::thread::sleep(ARRIVES_WITHIN);
    Ok(stage.backend()?.told())
}

fn leave(stage: &mut Stage) -> Result<Truth> {
    left(stage, false)
}

fn leave_by_reset(stage: &mut Stage) -> Result<Truth> {
    left(stage, true)
}

fn left(stage: &mut Stage, by_reset: bool) -> Result<Truth> {
    let before = introduce(stage)?;
    let mut client = stage.client()?;
    client.send("GET", &format!("/delay/{}", WORK.as_millis()), "")?;
    let connection = stage.backend()?.wait_for("request", before)?.peer;
    if by_reset {
        rustix::net::sockopt::set_socket_linger(client.socket(), Some(Duration::ZERO))?;
    }
    drop(client);
    stage.nginx().wait_for_requests(2)?;
    let resets = wait_for_resets(stage)?;
    ensure!(resets > 0, "the lab itself: the backend's answer met no closed socket");
    let truth = Truth::of(stage.server()).expect("client_abort", connection, None);
    Ok(stage.complete(truth.prove(format!("the proxy's kernel sent {resets} resets")), &[200, 499]))
}

fn leave_midway(stage: &mut Stage) -> Result<Truth> {
    let before = introduce(stage)?;
    let mut client = stage.client()?;
    client.send("GET", "/size/30000000", "")?;
    let connection = stage.backend()?.wait_for("request", before)?.peer;
    // The client reads nothing: all buffers on the way fill up.
    std::thread::sleep(WORK);
    drop(client);
    stage.nginx().wait_for_requests(2)?;
    let resets = wait_for_resets(stage)?;
    ensure!(resets > 0, "the lab itself: nginx closed with nothing unread");
    let truth = Truth::of(stage.server()).expect("client_abort", connection, None);
    Ok(stage.complete(truth.prove(format!("the proxy's kernel sent {resets} resets")), &[200, 200]))
}

fn ignored(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send("GET", &format!("/delay/{}", WORK.as_millis()), "")?;
    stage.backend()?.wait_for("request", 0)?;
    drop(client);
    stage.nginx().wait_for_requests(1)?;
    let after = stage.client()?.get("/ok")?.status;
    let accepted = stage.backend()?.events("accepted").len();
    ensure!(after == 200 && accepted == 1, "the lab itself: {after} over {accepted} connections, not 200 over one");
    let truth = Truth::of(stage.server()).prove("nginx kept the connection and used it again".to_owned());
    Ok(stage.complete(truth, &[499, after]))
}

/// Resets by the proxy's kernel, which come when the answer does.
fn wait_for_resets(stage: &Stage) -> Result<u64> {
    stage.wait_for_proxy_growth("TcpOutRsts", 1)
}
