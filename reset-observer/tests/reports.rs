//! Reports of the corpus of recordings, made by the program itself.
#![expect(clippy::unwrap_used, reason = "all of it is part of a test")]

#[path = "shared/corpus.rs"]
mod corpus;

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use corpus::{CORPUS, corpus};
use tempfile::TempDir;

fn recording(name: &str) -> PathBuf {
    Path::new(CORPUS).join(name)
}

fn replay(recording: &Path, report: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reset-observer"));
    command.arg("replay").arg(recording).arg("--report").arg(report).args(more).output().unwrap()
}

fn report(directory: &TempDir, recording: &Path, more: &[&str]) -> String {
    let path = directory.path().join("out.html");
    let output = replay(recording, &path, more);
    assert!(output.status.success(), "{}: {}", recording.display(), String::from_utf8_lossy(&output.stderr));
    let made = fs::read_to_string(&path).unwrap();
    fs::remove_file(path).unwrap();
    made
}

#[test]
fn the_report_of_a_recording_is_the_same_each_time_and_shows_each_cause_that_was_found() {
    let directory = TempDir::new().unwrap();
    for file in corpus() {
        let (once, again) = (report(&directory, &file, &[]), report(&directory, &file, &["--output", "json"]));
        assert_eq!(once, again, "{}", file.display());
        let golden = fs::read_to_string(file.with_extension("jsonl")).unwrap();
        for line in golden.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()) {
            if line["type"] == "verdict" && line["cause"] != "idle_close" {
                let (cause, id) = (line["cause"].as_str().unwrap(), line["id"].as_str().unwrap());
                assert!(once.contains(&format!("<rect class=\"{cause}\"")), "{cause} in {}", file.display());
                assert!(once.contains(&format!("id=\"v-{id}\"")), "{id} in {}", file.display());
            }
        }
        assert!(once.len() < 200_000 && !once.contains("http://"), "{}", file.display());
    }
}

#[test]
fn what_nginx_was_told_is_drawn_where_nothing_was_learned_of_the_backend() {
    let directory = TempDir::new().unwrap();
    let made = report(&directory, &recording("middlebox_reset-ipv4.rec"), &[]);
    assert!(made.contains("The backend&#39;s idle timeout is not known") && made.contains(">nginx closes: "), "{made}");
}

#[test]
fn what_is_shown_beside_a_report_is_what_is_shown_without_one() {
    let directory = TempDir::new().unwrap();
    let file = recording("race_crossing-ipv4.rec");
    let output = replay(&file, &directory.path().join("out.html"), &["--output", "json", "--all"]);
    let golden = fs::read_to_string(file.with_extension("jsonl")).unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), golden);
}

#[test]
fn the_report_of_a_redacted_recording_names_nobody_and_says_that_it_does_not() {
    let directory = TempDir::new().unwrap();
    let copy = directory.path().join("copy.rec");
    let file = recording("race_crossing-ipv4.rec");
    let mut program = Command::new(env!("CARGO_BIN_EXE_reset-observer"));
    assert!(program.arg("replay").arg(&file).arg("--redacted-copy").arg(&copy).status().unwrap().success());
    let (open, redacted) = (report(&directory, &file, &[]), report(&directory, &copy, &[]));
    assert!(open.contains(">10.112.3.2:3000<") && !redacted.contains("10.112."), "addresses are replaced");
    assert!(!redacted.contains("nginx.conf") && redacted.contains("were replaced in the recording"));
}

#[test]
fn a_recording_that_was_cut_short_gives_a_report_that_says_so() {
    let directory = TempDir::new().unwrap();
    let bytes = fs::read(recording("race_crossing-ipv4.rec")).unwrap();
    let cut = directory.path().join("cut.rec");
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    let made = report(&directory, &cut, &[]);
    assert!(made.contains("<p class=\"caveat\">The recording ends before its session did"), "{made}");
}

#[test]
fn a_reader_that_goes_away_does_not_take_the_report_with_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("out.html");
    let file = recording("abort_concurrency-ipv4.rec");
    let whole = report(&directory, &file, &["--all"]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_reset-observer"));
    command.arg("replay").arg(&file).arg("--report").arg(&path).arg("--all");
    let mut program = command.stdout(Stdio::piped()).spawn().unwrap();
    // Closed before a line was read.
    drop(program.stdout.take());
    assert!(program.wait().unwrap().success());
    assert_eq!(fs::read_to_string(&path).unwrap(), whole);
}

#[test]
fn a_place_that_cannot_be_written_to_is_refused_before_anything_is_replayed() {
    let directory = TempDir::new().unwrap();
    let file = recording("control-ipv4.rec");
    let output = replay(&file, &directory.path().join("missing/out.html"), &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty(), "nothing was shown");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("cannot report to") && said.contains("make its directory"), "{said}");
}

#[test]
fn a_recording_is_never_overwritten_by_its_own_report() {
    let directory = TempDir::new().unwrap();
    let copy = directory.path().join("session.rec");
    fs::copy(recording("control-ipv4.rec"), &copy).unwrap();
    let before = fs::read(&copy).unwrap();
    let output = replay(&copy, &copy, &["--report-overwrite"]);
    assert_eq!(output.status.code(), Some(2), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read(&copy).unwrap(), before);
}

#[test]
fn a_report_is_not_made_of_two_recordings_side_by_side() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_reset-observer"));
    let file = recording("control-ipv4.rec");
    command.args(["replay", "--compare", "--report", "/tmp/never.html"]).arg(&file).arg(&file);
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(2));
    assert!(said.contains("cannot be used with"), "{said}");
}
