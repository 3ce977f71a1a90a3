//! A crash that cuts many connections, refuses some and is over once the server is back is one episode.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use lab::backend::{Backend, Kind};
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::Observer;
use lab::programs;
use lab::router::Router;
use lab::stage::{Plan, Stage};
use lab::topology::{Family, Shape};

/// The connection of the returned server lies idle, its end is judged when no request can come any more, and then the
/// episode waits for verdicts as late as that.
const PATIENCE: Duration = Duration::from_secs(15);

#[test]
fn a_crash_is_one_episode_with_all_that_it_hurt() {
    if programs::has_root() {
        crash_and_return().unwrap();
    }
}

fn crash_and_return() -> Result<()> {
    let _machine = MachineLock::take()?;
    let mut stage = Stage::set_up(&plan())?;
    let mut observer = Observer::observe()?;
    // Three requests on their way, and two connections in the pool: the one that kills takes one of these.
    let mut waiting = (0..3).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    waiting.iter_mut().try_for_each(|client| client.send("GET", "/delay/20000", ""))?;
    let mut pooled = (0..2).map(|_| stage.client()).collect::<Result<Vec<_>>>()?;
    pooled.iter_mut().try_for_each(|client| client.send("GET", "/delay/300", ""))?;
    pooled.iter_mut().try_for_each(|client| client.receive().map(drop))?;
    // A process that dies right after a response most likely died of that request: this one must be long answered.
    thread::sleep(Duration::from_millis(200));
    let killer = stage.client()?.get("/crash/kill")?.status;
    ensure!(killer == 502, "the lab itself: the request that kills got {killer}");
    let status = stage.backend_mut()?.wait()?;
    for client in &mut waiting {
        let status = client.receive()?.status;
        ensure!(status == 502, "the lab itself: a request in hand got {status}");
    }
    let refused = stage.client()?.get("/ok")?.status;
    ensure!(refused == 502, "the lab itself: a request to nobody got {refused}");

    let scratch = tempfile::tempdir()?;
    let returned = Kind::Fault(&["--idle-close-ms", "300"]);
    let _returned = Backend::start(&returned, stage.net().backend(), stage.server(), scratch.path())?;
    let after = stage.client()?.get("/ok")?.status;
    ensure!(after == 200, "the lab itself: the server that is back answered {after} ({status})");

    let server = stage.server().to_string();
    let is_its = |line: &Value| line["type"] == "episode" && line["upstream"]["server"] == server.as_str();
    let said = observer.wait_for_json(0, PATIENCE, is_its);
    let episode = said.with_context(|| format!("no episode: {:#?}", observer.lines(0)))?;
    check(&episode, &observer)?;
    // What must not come cannot be awaited.
    thread::sleep(Duration::from_secs(1));
    let (_, summary) = observer.finish()?;
    let lines = observer.lines(0);
    let count = lines.iter().filter_map(|line| serde_json::from_str(line).ok()).filter(is_its).count();
    ensure!(count == 1, "{count} episodes of one crash: {lines:#?}");
    let told = summary.context("there is no summary")?["episodes"].as_array().map(Vec::len);
    ensure!(told == Some(1), "the summary tells of {told:?} episodes");
    Ok(())
}

fn check(episode: &Value, observer: &Observer) -> Result<()> {
    let seen = || format!("{episode:#}\n{:#?}", observer.lines(0));
    ensure!(episode["cause"] == "backend_crash" && episode["confidence"] == "high", "{}", seen());
    ensure!(episode["exit"] == "SIGKILL" && episode["process"]["pid"].is_u64(), "{}", seen());
    let refused = episode["refused"].as_u64().context("no count of refusals")?;
    // nginx tries the request that kills again, and may find the listener of the dying process: then it is cut, too.
    let connections = episode["connections"].as_u64().context("no count of connections")?;
    ensure!((5..=6).contains(&connections) && refused >= 1, "{}", seen());
    let requests = episode["requests"].as_object().context("no requests")?;
    let hurt: u64 = requests.values().filter_map(Value::as_u64).sum();
    // The other pooled connection lies idle, unless nginx tries the request that kills there again.
    let idle = episode["causes"]["idle_close"].as_u64().unwrap_or(0);
    ensure!(idle <= 1 && hurt == connections - idle + refused, "{hurt} requests hurt: {}", seen());
    let away = &episode["away"];
    let bounds = away["at_least_ms"].as_f64().zip(away["at_most_ms"].as_f64());
    ensure!(bounds.is_some_and(|(least, most)| least > 0.0 && least <= most), "{}", seen());
    let named = observer.lines(0).iter().filter(|line| names(line, &episode["id"])).count();
    ensure!(u64::try_from(named)? == connections + refused, "{named} verdicts name it: {}", seen());
    Ok(())
}

fn names(line: &str, id: &Value) -> bool {
    serde_json::from_str::<Value>(line).is_ok_and(|line| line["type"] == "verdict" && &line["episode"] == id)
}

fn plan() -> Plan {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let nginx = Settings { timeout: "30s", ..Settings::default() };
    Plan { family: Family::V4, shape, nginx, backend: Kind::Fault(&[]) }
}
