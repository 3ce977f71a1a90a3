//! What a person sees on a terminal, and what goes to a pipe instead.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, ensure};

use lab::lock::MachineLock;
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::terminal::{Terminal, screen};
use lab::topology::Family;

/// What takes a line off.
const ERASE: &str = "\r\u{1b}[2K";

const RECORDING: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/race_crossing-ipv4.rec");

#[test]
fn a_live_session_keeps_its_totals_at_the_bottom_and_takes_them_off_at_the_end() {
    with_machine(|| {
        let terminal = observe(100, &[])?;
        race(&terminal)?;
        terminal.wait_for(" · 1 keepalive_race · 1 retried")?;
        terminal.interrupt()?;
        let (status, written) = terminal.end()?;
        ensure!(status.success(), "{written}");
        let screen = screen(&written);
        let lines = |text: &str| screen.iter().filter(|line| line.contains(text)).count();
        ensure!(lines("watching for") == 0, "the totals are still there: {screen:#?}");
        ensure!(lines("keepalive_race       high") == 1 && lines("Watched for") == 1, "{screen:#?}");
        ensure!(written.contains("\u{1b}[1m"), "no colours: {written:?}");
        Ok(())
    });
}

#[test]
fn totals_fit_a_narrow_terminal_and_where_no_colours_are_wanted_there_are_none() {
    with_machine(|| {
        let terminal = observe(40, &[("NO_COLOR", "1")])?;
        race(&terminal)?;
        terminal.wait_for(" · 1 keepalive_race")?;
        terminal.interrupt()?;
        let (status, written) = terminal.end()?;
        ensure!(status.success(), "{written}");
        let drawn: Vec<&str> = written.split(ERASE).skip(1).filter(|drawn| drawn.starts_with("watching for")).collect();
        for line in &drawn {
            let line = line.split('\r').next().unwrap_or_default();
            ensure!(line.chars().count() < 40, "it is longer than the terminal: {line:?}");
        }
        ensure!(drawn.len() >= 2, "it was not drawn again: {written:?}");
        ensure!(!written.replace(ERASE, "").contains('\u{1b}'), "there is more than erasing: {written:?}");
        Ok(())
    });
}

#[test]
fn without_a_line_that_can_be_written_over_there_are_no_totals() {
    with_machine(|| {
        let terminal = observe(100, &[("TERM", "dumb")])?;
        race(&terminal)?;
        terminal.wait_for("reset-observer explain keepalive_race")?;
        terminal.interrupt()?;
        let (status, written) = terminal.end()?;
        ensure!(status.success() && !written.contains("watching for") && !written.contains(ERASE), "{written:?}");
        Ok(())
    });
}

#[test]
fn a_replay_has_colours_on_a_terminal_unless_they_are_not_wanted_and_leaves_no_progress_behind() -> Result<()> {
    let on_terminal = |variables: &[(&str, &str)]| -> Result<String> {
        let (status, written) = Terminal::start(&observer()?, &["replay", RECORDING], 100, variables)?.end()?;
        ensure!(status.success() && written.contains("keepalive_race"), "{written:?}");
        let screen = screen(&written);
        ensure!(!screen.iter().any(|line| line.contains("replaying")), "{screen:#?}");
        Ok(written)
    };
    ensure!(on_terminal(&[])?.contains("\u{1b}[1m"), "no colours");
    let plain = on_terminal(&[("NO_COLOR", "1")])?;
    ensure!(!plain.replace(ERASE, "").contains('\u{1b}'), "colours: {plain:?}");
    Ok(())
}

#[test]
fn a_pipe_gets_neither_colours_nor_anything_that_is_written_over() -> Result<()> {
    let output = Command::new(observer()?).args(["replay", RECORDING]).env("TERM", "xterm").output()?;
    for stream in [output.stdout, output.stderr] {
        ensure!(!stream.contains(&0x1b) && !stream.contains(&b'\r'), "{}", String::from_utf8_lossy(&stream));
    }
    Ok(())
}

fn observer() -> Result<PathBuf> {
    programs::observer()
}

/// Starts the observer, and waits until it watches.
fn observe(columns: u16, variables: &[(&str, &str)]) -> Result<Terminal> {
    let program: &Path = &observer()?;
    let terminal = Terminal::start(program, &["observe", "--port", "3000"], columns, variables)?;
    terminal.wait_for("Watching port 3000")?;
    Ok(terminal)
}

fn race(terminal: &Terminal) -> Result<()> {
    let scenario = scenario::named("race_crossing")?;
    let mut stage = Stage::set_up(&(scenario.plan)(Family::V4))?;
    (scenario.act)(&mut stage)?;
    terminal.wait_for("keepalive_race")
}

fn with_machine(test: impl FnOnce() -> Result<()>) {
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        test().expect("the test holds");
    }
}
