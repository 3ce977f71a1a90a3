//! nginx itself ends a connection with the request unanswered: because it waited for as long as it was told to, or for a
//! client that left.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use lab::backend::Kind;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::{Observer, Verdict};
use lab::programs;
use lab::router::Router;
use lab::stage::{FRONT_PORT, Plan, Stage};
use lab::topology::{Family, Shape};

const PATIENCE: Duration = Duration::from_secs(6);

#[test]
fn a_request_that_nginx_waited_for_as_long_as_it_was_told_to_is_a_proxy_timeout() {
    if programs::has_root() {
        times_out("1s", false).unwrap();
    }
}

#[test]
fn so_it_is_over_tls() {
    if programs::has_root() {
        times_out("1500ms", true).unwrap();
    }
}

#[test]
fn a_request_whose_client_left_is_a_client_abort() {
    if programs::has_root() {
        client_leaves().unwrap();
    }
}

fn times_out(timeout: &'static str, tls: bool) -> Result<()> {
    let _machine = MachineLock::take()?;
    let backend = if tls { Kind::NodeTls(60_000) } else { Kind::Fault(&[]) };
    let stage = Stage::set_up(&plan(Settings { timeout, tls, ..Settings::default() }, backend))?;
    let observer = Observer::observe()?;
    if tls {
        // Node cannot be asked to wait: it is held still, once a connection is in the pool.
        let warm = stage.client()?.get("/ok")?.status;
        ensure!(warm == 200, "the lab itself: the client got {warm}");
        stage.backend()?.hold_still()?;
    }
    let status = stage.client()?.get("/delay/4000")?.status;
    if tls {
        stage.backend()?.go_on()?;
    }
    ensure!(status == 504, "the lab itself: the client got {status}, not 504");
    let said = wait(&stage, &observer)?;
    ensure!(said.cause == "proxy_timeout" && said.confidence == "high", "{said:#?} {:#?}", observer.lines(0));
    ensure!(said.evidence.iter().any(|found| found == "log_says_timed_out"), "{said:#?}");
    Ok(())
}

fn client_leaves() -> Result<()> {
    let _machine = MachineLock::take()?;
    let stage = Stage::set_up(&plan(Settings::default(), Kind::Fault(&[])))?;
    let observer = Observer::observe_with(&["--port", &FRONT_PORT.to_string()])?;
    let mut client = stage.client()?;
    client.send("GET", "/delay/2000", "")?;
    stage.backend()?.wait_for("request", 0)?;
    // The request must be older than a jiffy when its client leaves.
    thread::sleep(Duration::from_millis(100));
    drop(client);
    let said = wait(&stage, &observer)?;
    ensure!(said.cause == "client_abort" && said.confidence == "medium", "{said:#?} {:#?}", observer.lines(0));
    Ok(())
}

fn wait(stage: &Stage, observer: &Observer) -> Result<Verdict> {
    let server = stage.server();
    let its =
        |said: &Verdict| said.leg == "upstream" && said.remote.addr == server.ip() && said.remote.port == server.port();
    observer.wait_for_verdict(0, PATIENCE, its).map_err(|error| error.context(format!("{:#?}", observer.lines(0))))
}

fn plan(nginx: Settings, backend: Kind) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family: Family::V4, shape, nginx, backend }
}
