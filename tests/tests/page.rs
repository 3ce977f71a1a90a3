//! The page in a real browser: `cargo xtask browser` installs one, and names it in LAB_BROWSER. Where LAB_PICTURES names a
//! directory, pictures are kept there.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use lab::backend::Kind;
use lab::browser;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::Daemon;
use lab::programs;
use lab::router::Router;
use lab::scenario;
use lab::stage::{Plan, Stage};
use lab::topology::{Family, Shape};

/// A crash, a race, a drop, an abort, a refusal, and a mismatch that was learned on the way.
const SCENARIOS: [(&str, &str); 5] = [
    ("crash_then_refused", "backend_crash"),
    ("race_crossing", "keepalive_race"),
    ("middlebox_reset", "middlebox_idle_drop"),
    ("abort_linger0", "backend_abort"),
    ("refused", "connection_refused"),
];

/// Pictures and their widths, of a desk and of a phone; each is as high as the page.
const WINDOWS: [(&str, u32); 2] = [("page.png", 1200), ("page-phone.png", 390)];

/// Closes by which an idle timeout is known.
const CLOSES: usize = 3;

/// An episode is told when it is over, after a quiet time.
const PATIENCE: Duration = Duration::from_secs(30);

#[test]
fn a_browser_shows_each_cause_without_a_complaint_and_nothing_overflows() {
    if let Some(browser) = browser().filter(|_| programs::has_root()) {
        shown(&browser).unwrap();
    }
}

fn browser() -> Option<PathBuf> {
    let browser = env::var_os("LAB_BROWSER").map(PathBuf::from);
    if browser.is_none() {
        println!("left out: no browser is named in LAB_BROWSER; `cargo xtask browser` installs one and runs this");
    }
    browser
}

fn shown(browser: &Path) -> Result<()> {
    let _machine = MachineLock::take()?;
    let daemon = Daemon::start_with(&["--state-file", "none", "--kernel.program-stats"])?;
    for (name, cause) in SCENARIOS {
        let mut stage = Stage::set_up(&(scenario::named(name)?.plan)(Family::V4))?;
        (scenario::named(name)?.act)(&mut stage)?;
        wait_for(&daemon, &format!("/api/v1/verdicts?cause={cause}"), "\"type\":\"verdict\"")?;
    }
    let _mismatched = learn_mismatch(&daemon)?;
    // The page grows by them, and pictures are as high as it is.
    for cause in ["backend_crash", "connection_refused"] {
        wait_for(&daemon, "/", &format!(": {cause} (high)"))?;
    }
    let kept = env::var_os("LAB_PICTURES").map(PathBuf::from);
    let scratch = TempDir::new()?;
    let pictures = kept.as_deref().unwrap_or(scratch.path());
    let address = format!("http://{}/#v-{}", daemon.address(), race(&daemon)?);
    for (_, cause) in SCENARIOS {
        let dom = browser::run(Command::new(browser), &["--dump-dom", &address])?;
        ensure!(dom.contains(&format!("<rect class=\"{cause}\"")), "no bar of {cause}: {dom}");
        ensure!(dom.contains(&format!("<span class=\"badge {cause}\"")), "no badge of {cause}: {dom}");
    }
    let dom = browser::run(Command::new(browser), &["--dump-dom", &address])?;
    ensure!(dom.contains("<rect class=\"danger\"") && dom.contains("A race waits to happen"), "no mismatch: {dom}");
    ensure!(dom.contains("<details class=\"verdict\" data-id=\"") && dom.contains(" open=\"\""), "none is open: {dom}");
    let run = |arguments: &[&str]| browser::run(Command::new(browser), arguments);
    // No page may put this one into a frame, and from a file it does not say so.
    let copy = scratch.path().join("page.html");
    fs::write(&copy, daemon.get("/")?.1)?;
    let copy = format!("file://{}#v-{}", copy.display(), race(&daemon)?);
    for (scheme, flag) in browser::SCHEMES {
        let run = |arguments: &[&str]| run(&[&[flag], arguments].concat());
        let fits = |width| browser::fits(run, scratch.path(), &copy, width);
        for width in browser::WIDTHS {
            fits(width)?;
        }
        for (name, width) in WINDOWS {
            let picture = pictures.join(format!("{scheme}{name}"));
            let window = format!("--window-size={width},{}", fits(width)?);
            run(&["--hide-scrollbars", &window, &format!("--screenshot={}", picture.display()), &address])?;
            ensure!(fs::metadata(&picture)?.len() > 10_000, "{} is nearly empty", picture.display());
        }
    }
    Ok(())
}

/// A backend that closes long before nginx does, from which that was learned.
fn learn_mismatch(daemon: &Daemon) -> Result<Stage> {
    let shape = Shape::Routed { wire: None, router: Router::Plain };
    let nginx = Settings { keepalive_timeout: "60s", ..Settings::default() };
    let backend = Kind::Fault(&["--idle-close-ms", "500"]);
    let stage = Stage::set_up(&Plan { family: Family::V4, shape, nginx, backend })?;
    for _ in 0..CLOSES {
        let answer = stage.client()?.get("/ok")?;
        ensure!(answer.status == 200, "the lab itself: nginx answered {}", answer.status);
        stage.backend()?.wait_until_all_closed()?;
        // The FIN is on its way, and nobody tells when it has come.
        thread::sleep(Duration::from_millis(100));
    }
    wait_for(daemon, "/api/v1/upstreams", "\"mismatch\":true")?;
    Ok(stage)
}

/// The id of the race's verdict.
fn race(daemon: &Daemon) -> Result<String> {
    let (_, body) = daemon.get("/api/v1/verdicts?cause=keepalive_race")?;
    let found: Value = serde_json::from_str(&body)?;
    Ok(found["verdicts"][0]["id"].as_str().context("a verdict has an id")?.to_owned())
}

fn wait_for(daemon: &Daemon, path: &str, text: &str) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !daemon.get(path)?.1.contains(text) {
        ensure!(Instant::now() < deadline, "{path} does not show {text}: {:#?}", daemon.complaints());
        // Nobody tells when a verdict falls but the answer itself.
        thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
