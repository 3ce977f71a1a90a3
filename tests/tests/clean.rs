//! Clean traffic at full load raises no alarm, and loses nothing in silence.
//!
//! `LAB_CLEAN_SECONDS=3600` makes an hour of it.

use std::env;
use std::os::unix::fs::MetadataExt as _;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use lab::clean::Host;
use lab::lock::MachineLock;
use lab::observer::{Observer, Verdict};
use lab::programs;
use lab::stage::FRONT_PORT;

/// How long without being asked.
const SECONDS: u64 = 12;

/// The kernel runs no program a second time on the CPU that it interrupts, which happens now and then at full load, and is
/// counted (`bpf_prog_inc_misses_counter`).
const REQUESTS_PER_LOSS: u64 = 100_000;

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
    if let Some(file) = env::var_os("LAB_CLEAN_LINES") {
        std::fs::write(file, everything.lines(0).join("\n"))?;
    }
    // wrk truly leaves with requests under way: on its own leg, and where nginx then cuts those requests.
    let by_wrk = |verdict: &&Verdict| {
        let cut_for_it = verdict.evidence.iter().any(|evidence| evidence == "client_left_before");
        [verdict.local.port, verdict.remote.port].contains(&FRONT_PORT) || cut_for_it
    };
    // Others may work on this machine, without the lab's lock: in its own network namespace.
    let outside = own_netns()?;
    let is_ours = |verdict: &&Verdict| verdict.netns != Some(outside);
    let others: Vec<&Verdict> = verdicts.iter().filter(|verdict| !by_wrk(verdict)).filter(is_ours).collect();
    println!("{} verdicts for wrk, which left", verdicts.len() - others.len());
    let wrong: Vec<&&Verdict> = others.iter().filter(|verdict| verdict.cause != "idle_close").collect();
    println!("{} verdicts, {} of them alarms", others.len(), wrong.len());
    ensure!(
        !others.is_empty() && wrong.is_empty(),
        "false alarms, the first of them: {:#?}",
        &wrong[..wrong.len().min(5)]
    );
    let shown = alarms.verdicts(0);
    ensure!(shown.iter().all(|verdict| verdict.cause != "idle_close"), "harmless, and shown without --all: {shown:#?}");
    for summary in [summary, quiet] {
        let summary = summary.context("there is no summary")?;
        println!("{summary}");
        let passed_over = summary["lost"]["program"].as_u64().unwrap_or_default();
        let others = summary["lost"].as_object().is_some_and(|lost| lost.keys().any(|what| what != "program"));
        ensure!(!others && passed_over <= deeds.requests / REQUESTS_PER_LOSS, "{:#}", summary["lost"]);
    }
    Ok(())
}

/// Inode of the network namespace that this test runs in, which is none of the lab's.
fn own_netns() -> Result<u32> {
    Ok(u32::try_from(std::fs::metadata("/proc/self/ns/net")?.ino())?)
}
