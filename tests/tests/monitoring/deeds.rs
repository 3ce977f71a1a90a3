//! What makes each alert fire.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use rustix::process::Signal;

use lab::backend::Kind;
use lab::client::Client;
use lab::nginx::Settings;
use lab::router::Router;
use lab::scenario;
use lab::stage::{Plan, Stage};
use lab::topology::{Family, Shape};

use super::secured::Secured;

/// What is done, and what stands afterwards: of an nginx that is gone nothing can be read.
pub(crate) type Deed = fn(&mut Secured) -> Result<Option<Stage>>;

/// More clients than the alerts take to be a few.
const MANY: usize = 80;

/// Three closes that agree make an idle timeout known; on a busy machine they disagree, and more are needed.
const CLOSES: usize = 8;

/// More records than the smallest ring holds.
const RECORDS: usize = 600;

/// Where nobody listens: the port of discard (RFC 863).
const NOBODY: (&str, u16) = ("127.0.0.1", 9);

/// Does the deed of a scenario.
pub(crate) fn scenario(name: &str) -> Result<Stage> {
    let scenario = scenario::named(name)?;
    let mut stage = Stage::set_up(&(scenario.plan)(Family::V4))?;
    (scenario.act)(&mut stage)?;
    Ok(stage)
}

fn plan(nginx: Settings, backend: &'static [&'static str]) -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    Plan { family: Family::V4, shape, nginx, backend: Kind::Fault(backend) }
}

/// A worker is killed with a request in hand.
pub(crate) fn worker_dies(_: &mut Secured) -> Result<Option<Stage>> {
    let stage = Stage::set_up(&plan(Settings::default(), &[]))?;
    let mut client = stage.client()?;
    client.send("GET", "/delay/500", "")?;
    stage.backend()?.wait_for("request", 0)?;
    stage.nginx().hold_still()?;
    // The response lies unread when the worker dies: only then its kernel resets the connection.
    thread::sleep(Duration::from_millis(800));
    let [worker] = stage.nginx().workers()?[..] else { bail!("the lab itself: one worker was expected") };
    stage.nginx().kill_worker(worker)?;
    Ok(Some(stage))
}

/// Many clients leave while a backend works on their requests.
pub(crate) fn many_clients_leave(_: &mut Secured) -> Result<Option<Stage>> {
    let stage = Stage::set_up(&plan(Settings::default(), &["--idle-close-ms", "300"]))?;
    // One connection, by which the observer gets to know where this nginx listens.
    ensure!(stage.client()?.get("/ok")?.status == 200, "the lab itself: no answer");
    stage.backend()?.wait_for("idle_close", 0)?;
    let mut clients = (0..MANY).map(|_| stage.client()).collect::<Result<Vec<Client>>>()?;
    clients.iter_mut().try_for_each(|client| client.send("GET", "/delay/1500", ""))?;
    thread::sleep(Duration::from_millis(700));
    for client in clients {
        drop(client);
        // nginx cuts what it had for one after the other has left.
        thread::sleep(Duration::from_millis(5));
    }
    stage.nginx().wait_for_requests(1 + MANY)?;
    Ok(Some(stage))
}

/// nginx keeps idle connections for a minute, the backend for half a second; nothing breaks.
pub(crate) fn closes_before_nginx(_: &mut Secured) -> Result<Option<Stage>> {
    let nginx = Settings { keepalive_timeout: "60s", ..Settings::default() };
    let stage = Stage::set_up(&plan(nginx, &["--idle-close-ms", "500"]))?;
    for _ in 0..CLOSES {
        ensure!(stage.client()?.get("/ok")?.status == 200, "the lab itself: no answer");
        stage.backend()?.wait_until_all_closed()?;
        // A quiet close is judged after five settle windows; those of one instant would count as one.
        thread::sleep(Duration::from_secs(2));
    }
    Ok(Some(stage))
}

/// The observer stands still while more records come than its ring holds.
pub(crate) fn ring_overflows(observer: &mut Secured) -> Result<Option<Stage>> {
    observer.signal(Signal::STOP)?;
    for _ in 0..RECORDS {
        let answer = TcpStream::connect(NOBODY);
        ensure!(answer.is_err(), "the lab itself: somebody listens at {NOBODY:?}");
    }
    observer.signal(Signal::CONT)?;
    Ok(None)
}

/// The web configuration gets a key that there is not.
pub(crate) fn settings_are_spoilt(observer: &mut Secured) -> Result<Option<Stage>> {
    observer.spoil()?;
    Ok(None)
}

/// The observer comes to a kernel without one of its tracepoints, as 5.10 is.
pub(crate) fn tracepoint_is_missing(observer: &mut Secured) -> Result<Option<Stage>> {
    observer.replace_on_a_kernel_with("btf_trace_inet_sk_an_other_one", "btf_trace_inet_sk_error_report")?;
    Ok(None)
}

/// The observer ends.
pub(crate) fn observer_ends(observer: &mut Secured) -> Result<Option<Stage>> {
    observer.end()?;
    Ok(None)
}
