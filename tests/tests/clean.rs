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
    if programs::has_root() {
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
    let wrong: Vec<&Verdict> = verdicts.iter().filter(|verdict| verdict.cause != "idle_close").collect();
    if let Some(file) = env::var_os("LAB_CLEAN_LINES") {
        std::fs::write(file, everything.lines(0).join("\n"))?;
    }
    println!("{} verdicts of idle_close, {} of another cause", verdicts.len() - wrong.len(), wrong.len());
    ensure!(wrong.is_empty(), "{} false alarms, the first of them: {:#?}", wrong.len(), &wrong[..wrong.len().min(5)]);
    ensure!(!verdicts.is_empty(), "nothing was seen at all");
    ensure!(alarms.verdicts(0).is_empty(), "{:#?}", alarms.lines(0));
    for summary in [summary, quiet] {
        let summary = summary.context("there is no summary")?;
        println!("{summary}");
    }
    Ok(())
}
