//! What the program says and how it ends when it is asked for the impossible, or left alone.

#![expect(clippy::unwrap_used, reason = "what a test needs and does not get fails it")]

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use anyhow::Result;

use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs::{self, has_root};
use lab::scenario;
use lab::topology::Family;
use lab::trial;

fn run(program: &Path, args: &[&str]) -> Output {
    Command::new(program).args(args).output().unwrap()
}

fn observer() -> std::path::PathBuf {
    programs::observer().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn assert_refused(args: &[&str], says: &str) {
    let output = run(&observer(), args);
    assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    assert!(stderr(&output).contains(says), "{args:?} should say {says:?}: {}", stderr(&output));
    assert!(output.stdout.is_empty(), "{args:?} writes to standard output");
}

#[test]
fn port_0_is_refused_in_words() {
    assert_refused(&["observe", "--port", "0"], "port");
}

#[test]
fn port_70000_is_refused_in_words() {
    assert_refused(&["observe", "--port", "70000"], "70000");
}

#[test]
fn an_unknown_flag_is_refused_by_its_name() {
    assert_refused(&["observe", "--no-such-flag"], "--no-such-flag");
}

#[test]
fn a_bad_settle_time_is_refused() {
    assert_refused(&["observe", "--settle", "soon"], "settle");
}

#[test]
fn root_without_capabilities_is_told_which_are_missing() {
    if !has_root() {
        return;
    }
    let observer = observer();
    let dropped = ["--bounding-set=-all", "--inh-caps=-all", "--", observer.to_str().unwrap(), "observe"];
    let output = run(Path::new("setpriv"), &dropped);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    for capability in ["CAP_BPF", "CAP_PERFMON"] {
        assert!(stderr(&output).contains(capability), "{}", stderr(&output));
    }
}

#[test]
fn an_ordinary_user_is_told_which_capabilities_are_missing() {
    if !has_root() {
        return;
    }
    // An ordinary user may not reach the build directory.
    let dir = tempfile::tempdir().unwrap();
    let copy = dir.path().join("reset-observer");
    fs::copy(observer(), &copy).unwrap();
    Command::new("chmod").args(["-R", "a+rX"]).arg(dir.path()).status().unwrap();
    let dropped = ["--reuid=65534", "--regid=65534", "--clear-groups", "--", copy.to_str().unwrap(), "observe"];
    let output = run(Path::new("setpriv"), &dropped);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("CAP_BPF"), "{}", stderr(&output));
}

#[test]
fn without_nginx_it_observes_all_the_same_and_says_so() {
    if !has_root() {
        return;
    }
    let _machine = MachineLock::take().unwrap();
    let output = run(&observer(), &["observe", "--duration", "300ms", "--output", "json"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stderr(&output).contains("nginx"), "{}", stderr(&output));
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"ready\""));
}

#[test]
fn it_ends_quietly_when_its_reader_goes_away() {
    if !has_root() {
        return;
    }
    let _machine = MachineLock::take().unwrap();
    let script = "\"$0\" observe --duration 500ms --output json | head -n 1; exit ${PIPESTATUS[0]}";
    let output = run(Path::new("bash"), &["-c", script, observer().to_str().unwrap()]);
    let said = stderr(&output);
    assert!(output.status.success(), "{}: {said}", output.status);
    assert!(!said.contains("panicked") && !said.to_lowercase().contains("broken pipe"), "{said}");
}

#[test]
fn two_copies_at_once_both_give_the_verdict() {
    if !has_root() {
        return;
    }
    two_copies().unwrap();
}

fn two_copies() -> Result<()> {
    let _machine = MachineLock::take()?;
    let (first, second) = (Observer::observe()?, Observer::observe()?);
    let outcome = trial::hold(&scenario::named("crash_with_reset")?, Family::V4, &first)?;
    assert!(outcome.faults.is_empty(), "{}", outcome.told());
    let also = second.verdicts(0);
    assert!(lab::judge::faults(&outcome.truth, &also).is_empty(), "the second copy: {:#?}", second.lines(0));
    Ok(())
}
