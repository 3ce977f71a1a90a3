//! Clean traffic at full load raises no alarm, and loses nothing in silence.
//!
//! `LAB_CLEAN_SECONDS=3600` makes an hour of it.

use std::env;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use lab::clean::Host;
use lab::lock::MachineLock;
use lab::observer::{Observer, Verdict};
use lab::programs;

/// How long without being asked.
const SECONDS: u64 = 12;

#[test]
fn clean_traffic_at_full_load_raises_no_alarm() {
    if programs::runs_all() {
        no_alarm().unwrap();
    }
}

fn no_alarm() -> Result<()> {
    let _machine = MachineLock::take()?;
    let seconds = env::var("LAB_CLEAN_SECONDS").map_or(Ok(SECONDS), |text| text.parse())?;
    let mut everything = Observer::start(&["observe", "--output", "json", "--all"], |_| ())?;
    let mut alarms = Observer::start(&["observe", "--output", "json"], |_| ())?;
    everything.wait_until_ready()?;
    alarms.wait_until_ready()?;
    let mut host = Host::set_up()?;
    let deeds = host.run(Duration::from_secs(seconds))?;
    // What must not come cannot be awaited: a quiet close is judged a second and a half later.
    thread::sleep(Duration::from_secs(3));
    let errors = host.errors();
    println!("{deeds:?}; nginx logged {} errors", errors.len());
    ensure!(deeds.failures == 0 && errors.is_empty(), "the lab itself: {deeds:?} {errors:#?}");
    drop(host);
    let (_, summary) = everything.finish()?;
    let (_, quiet) = alarms.finish()?;
    let verdicts = everything.verdicts(0);
    // wrk's own end, and its requests under way when it ends or nginx reloads, are truly cut.
    let upstream: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.leg == "upstream").collect();
    let (closing, others): (Vec<&Verdict>, Vec<&Verdict>) =
        upstream.into_iter().partition(|verdict| verdict.remote.port == Host::CLOSING_TLS);
    if let Some(file) = env::var_os("LAB_CLEAN_LINES") {
        std::fs::write(file, everything.lines(0).join("\n"))?;
    }
    let wrong = alarms_among(&others);
    ensure!(wrong.is_empty(), "{} false alarms, the first of them: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    // Where nginx's farewell was acknowledged, and then the FIN came, the socket shows the same as an aborted request.
    let doubtful = alarms_among(&closing);
    println!("{} and {} verdicts, of the latter {} alarms", others.len(), closing.len(), doubtful.len());
    ensure!(!others.is_empty() && doubtful.len() * 100 <= closing.len(), "{doubtful:#?}");
    ensure!(doubtful.iter().all(|verdict| verdict.confidence != "high"), "{doubtful:#?}");
    let shown = alarms.verdicts(0);
    ensure!(shown.iter().all(|verdict| verdict.cause != "idle_close"), "harmless, and shown without --all: {shown:#?}");
    for summary in [summary, quiet] {
        let summary = summary.context("there is no summary")?;
        println!("{summary}");
        ensure!(summary["lost"] == serde_json::json!({}), "{:#}", summary["lost"]);
    }
    Ok(())
}

fn alarms_among<'a>(verdicts: &[&'a Verdict]) -> Vec<&'a Verdict> {
    verdicts.iter().copied().filter(|verdict| verdict.cause != "idle_close").collect()
}
