//! An nginx worker dies with requests outstanding.

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;

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
        name: "proxy_crash_kill",
        deed: "the worker is killed (SIGKILL) while the backend works, and the backend's answer meets a closed socket",
        cells: EVERY,
        plan,
        act: kill,
    },
    Scenario {
        name: "proxy_crash_segv",
        deed: "the worker crashes (SIGSEGV) while the backend works",
        cells: EVERY,
        plan,
        act: segv,
    },
    Scenario {
        name: "proxy_crash_unread",
        deed: "the worker is killed (SIGKILL) with a part of a response unread: its kernel sends an RST",
        cells: Cells { speeches: &[Plain, Tls, Chunked], ..Cells::ANY_ROAD },
        plan: unbuffered,
        act: unread,
    },
];

/// In every speech and on every road.
const EVERY: Cells = Cells { speeches: &[Plain, Tls, Chunked, Up, Down], ..Cells::ANY_ROAD };

fn plan(family: Family) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family, shape, nginx: Settings::default(), backend: Kind::Fault(&[]) }
}

fn unbuffered(family: Family) -> Plan {
    let nginx = Settings { location: "proxy_max_temp_file_size 0;", ..Settings::default() };
    Plan { nginx, ..plan(family) }
}

fn kill(stage: &mut Stage) -> Result<Truth> {
    die_while_the_backend_works(stage, Signal::KILL)
}

fn segv(stage: &mut Stage) -> Result<Truth> {
    die_while_the_backend_works(stage, Signal::SEGV)
}

fn die_while_the_backend_works(stage: &mut Stage, signal: Signal) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send("GET", "/delay/250", "")?;
    let connection = stage.backend()?.wait_for("request", 0)?.peer;
    end_worker(stage, signal)?;
    let resets = stage.wait_for_proxy_growth("TcpOutRsts", 1)?;
    ensure!(resets > 0, "the lab itself: the backend's answer met no closed socket");
    let truth = Truth::of(stage.server()).expect("proxy_crash", connection, Some("request_failed"));
    Ok(stage
        .complete(truth.prove(format!("the worker died of {signal:?}; the proxy's kernel sent {resets} resets")), &[]))
}

fn unread(stage: &mut Stage) -> Result<Truth> {
    let mut client = stage.client()?;
    client.send("GET", "/size/30000000", "")?;
    let connection = stage.backend()?.wait_for("request", 0)?.peer;
    // The client reads nothing: all buffers on the way fill up.
    std::thread::sleep(std::time::Duration::from_millis(250));
    end_worker(stage, Signal::KILL)?;
    let aborts = stage.wait_for_proxy_growth("TcpExtTCPAbortOnClose", 1)?;
    ensure!(aborts > 0, "the lab itself: the worker had nothing unread");
    let truth = Truth::of(stage.server()).expect("proxy_crash", connection, Some("request_failed"));
    Ok(stage.complete(truth.prove(format!("the proxy's kernel counted TCPAbortOnClose {aborts}")), &[]))
}

fn end_worker(stage: &Stage, signal: Signal) -> Result<()> {
    let worker = *stage.nginx().workers()?.first().context("the lab itself: nginx has no worker")?;
    stage.nginx().end_worker(worker, signal)
}
