//! The report of a session: written by an observer that has given its rights up, and shown by a real browser from disk
//! without a network. `cargo xtask browser` names a browser in LAB_BROWSER; where LAB_PICTURES names a directory, pictures are
//! kept there.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use lab::browser;
use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs;
use lab::scenario::{self, Scenario};
use lab::stage::Stage;
use lab::topology::Family;

/// Some user without rights.
const OWNER: u32 = 12_345;

/// A verdict waits for the settle window, of a quiet close for five of them.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens before the picture is taken; the race that was foretold comes last.
const SCENARIOS: [(&str, &str); 4] = [
    ("crash_then_refused", "backend_crash"),
    ("middlebox_reset", "middlebox_idle_drop"),
    ("abort_linger0", "backend_abort"),
    ("race_crossing_post", "keepalive_race"),
];

/// Pictures and their widths, of a desk and of a phone; each is as high as the report.
const WINDOWS: [(&str, u32); 2] = [("report.png", 1200), ("report-phone.png", 390)];

#[test]
fn a_real_race_is_in_the_report_that_an_observer_without_rights_writes() {
    with_machine(|| {
        let directory = TempDir::new()?;
        chown(directory.path(), Some(OWNER), Some(OWNER))?;
        let path = directory.path().join("report.html");
        let mut observer = start(&path, &[])?;
        let status = fs::read_to_string(format!("/proc/{}/status", observer.pid()))?;
        ensure!(status.contains(&format!("\nUid:\t{OWNER}\t{OWNER}\t{OWNER}\t{OWNER}\n")), "{status}");
        ensure!(status.contains("\nSeccomp:\t2\n"), "{status}");
        let stage = play(&scenario::foretold(), "keepalive_race", &observer)?;
        ensure!(names(directory.path())?.is_empty(), "it is there before the session has ended");
        ensure!(observer.finish()?.0.success(), "{:#?}", observer.complaints());
        let report = fs::read_to_string(&path)?;
        let server = stage.server().to_string();
        for shown in [
            "<rect class=\"keepalive_race\"",
            "<span class=\"badge keepalive_race\"",
            "<rect class=\"hatched\"",
            ">nginx closes: 60.0 s</text>",
            ">backend closes: ",
            "nginx.conf:",
            "<code>GET /ok HTTP/1.1</code>",
            "nginx retried",
            "the backend's kernel acknowledged nothing of the request",
            "Nothing was lost: every record was read.",
            &format!("<code>{server}</code>"),
        ] {
            ensure!(report.contains(shown), "{shown} is not in {report}");
        }
        let file = fs::metadata(&path)?;
        ensure!((file.uid(), file.mode() & 0o777) == (OWNER, 0o600), "{file:?}");
        ensure!(names(directory.path())? == BTreeSet::from(["report.html".to_owned()]), "something else is left");
        Ok(())
    });
}

#[test]
fn in_a_directory_of_roots_a_report_is_written_by_root_without_capabilities() {
    with_machine(|| {
        let directory = TempDir::new()?;
        let path = directory.path().join("report.html");
        let mut observer = start(&path, &[])?;
        let status = fs::read_to_string(format!("/proc/{}/status", observer.pid()))?;
        ensure!(status.contains("\nUid:\t0\t0\t0\t0\n"), "{status}");
        observer.wait_for_complaint(&["stays root: it writes to"])?;
        ensure!(observer.finish()?.0.success(), "{:#?}", observer.complaints());
        ensure!(fs::read_to_string(&path)?.contains("<h2>What was watched</h2>"));
        Ok(())
    });
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_before_anything_is_watched() {
    with_machine(|| {
        let mut observer = Observer::start(&["observe", "--report", "/nonexistent/report.html"], |_| ())?;
        ensure!(observer.wait()?.code() == Some(2), "{:#?}", observer.complaints());
        let told = observer.complaints().join("\n");
        ensure!(told.contains("cannot report to /nonexistent/report.html: make its directory"), "{told}");
        ensure!(observer.lines(0).is_empty(), "it watched");
        Ok(())
    });
}

#[test]
fn a_browser_without_a_network_shows_the_report_and_nothing_overflows() {
    if let Some(browser) = env::var_os("LAB_BROWSER").map(PathBuf::from) {
        with_machine(|| shown(&browser));
    } else {
        println!("left out: no browser is named in LAB_BROWSER; `cargo xtask browser` installs one and runs this");
    }
}

fn shown(browser: &Path) -> Result<()> {
    let directory = TempDir::new()?;
    let path = directory.path().join("report.html");
    let mut observer = start(&path, &[])?;
    for (name, cause) in SCENARIOS {
        play(&scenario::named(name)?, cause, &observer)?;
    }
    play(&scenario::foretold(), "keepalive_race", &observer)?;
    ensure!(observer.finish()?.0.success(), "{:#?}", observer.complaints());
    let address = format!("file://{}", path.display());
    let dom = run(browser, &["--dump-dom", &address])?;
    for (_, cause) in SCENARIOS {
        ensure!(dom.contains(&format!("<rect class=\"{cause}\"")), "no bar of {cause}: {dom}");
    }
    let fits = |width| browser::fits(|arguments| run(browser, arguments), directory.path(), &address, width);
    for width in browser::WIDTHS {
        fits(width)?;
    }
    let kept = env::var_os("LAB_PICTURES").map(PathBuf::from);
    let pictures = kept.as_deref().unwrap_or(directory.path());
    for (name, width) in WINDOWS {
        let window = format!("{width},{}", fits(width)?);
        for (scheme, flag) in browser::SCHEMES {
            let picture = pictures.join(format!("{scheme}{name}"));
            let screenshot = format!("--screenshot={}", picture.display());
            run(browser, &[flag, "--hide-scrollbars", &format!("--window-size={window}"), &screenshot, &address])?;
            ensure!(fs::metadata(&picture)?.len() > 10_000, "{} is nearly empty", picture.display());
        }
    }
    let paper = directory.path().join("report.pdf");
    run(browser, &[&format!("--print-to-pdf={}", paper.display()), &address])?;
    ensure!(fs::metadata(&paper)?.len() > 10_000, "nothing is printed");
    Ok(())
}

/// Runs the browser in a network namespace of its own, with nothing in it.
fn run(browser: &Path, arguments: &[&str]) -> Result<String> {
    let mut alone = Command::new("unshare");
    alone.arg("--net").arg(browser);
    browser::run(alone, arguments)
}

fn start(report: &Path, more: &[&str]) -> Result<Observer> {
    let path = report.to_str().context("a path")?;
    Observer::observe_with(&[&["--report", path], more].concat())
}

/// Sets a stage up, acts, and waits for the verdict.
fn play(scenario: &Scenario, cause: &str, observer: &Observer) -> Result<Stage> {
    let since = observer.bookmark();
    let mut stage = Stage::set_up(&(scenario.plan)(Family::V4))?;
    (scenario.act)(&mut stage)?;
    observer.wait_for_verdict(since, PATIENCE, |verdict| verdict.cause == cause)?;
    Ok(stage)
}

fn names(directory: &Path) -> Result<BTreeSet<String>> {
    fs::read_dir(directory)?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect()
}

fn with_machine(test: impl FnOnce() -> Result<()>) {
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        test().expect("the test holds");
    }
}
