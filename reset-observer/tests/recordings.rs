//! The corpus: recordings of the lab's scenarios replay to the lines that the observer showed live, byte for byte, on any
//! machine and without root. `cargo xtask recordings` writes the lines anew after a change of what is decided.
#![expect(clippy::unwrap_used, reason = "all of it is part of a test")]

#[path = "shared/corpus.rs"]
mod corpus;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use corpus::{CORPUS, corpus};
use serde_json::Value;

fn run(arguments: &[&str], files: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_reset-observer")).args(arguments).args(files).output().unwrap()
}

fn replay(file: &Path) -> String {
    let output = run(&["replay", "--output", "json", "--all"], &[file]);
    assert!(output.status.success(), "{}: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn golden(file: &Path) -> String {
    fs::read_to_string(file.with_extension("jsonl")).unwrap()
}

fn verdicts(lines: &str) -> Vec<Value> {
    let lines = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    lines.filter(|line| line["type"] == "verdict").collect()
}

#[test]
fn every_recording_replays_to_what_was_shown_live_byte_for_byte() {
    for file in corpus() {
        let (golden, replayed) = (golden(&file), replay(&file));
        for (live, replayed) in golden.lines().zip(replayed.lines()) {
            assert_eq!(replayed, live, "{}: if this is meant, `cargo xtask recordings`", file.display());
        }
        assert_eq!(replayed, golden, "{}", file.display());
    }
}

#[test]
fn every_cause_that_the_lab_makes_is_in_the_corpus() {
    let all: String = corpus().iter().map(|file| golden(file)).collect();
    let verdicts = verdicts(&all);
    for cause in [
        "backend_crash",
        "backend_restart",
        "backend_abort",
        "keepalive_race",
        "middlebox_idle_drop",
        "connection_refused",
        "connection_limit",
        "client_abort",
        "proxy_timeout",
        "proxy_crash",
        "idle_close",
    ] {
        assert!(verdicts.iter().any(|verdict| verdict["cause"] == cause), "{cause}");
    }
}

#[test]
fn a_redacted_copy_gives_the_same_verdicts_and_names_nobody() {
    let directory = tempfile::tempdir().unwrap();
    for file in corpus() {
        let copy = directory.path().join(file.file_name().unwrap());
        let output = run(&["replay", "--redacted-copy", copy.to_str().unwrap()], &[&file]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let (before, after) = (golden(&file), replay(&copy));
        for (live, redacted) in verdicts(&before).iter().zip(verdicts(&after)) {
            for part in
                ["time", "cause", "confidence", "impact", "signal", "leg", "tcp_state", "timing", "bytes", "rst"]
            {
                assert_eq!(redacted[part], live[part], "{part} in {}", file.display());
            }
            assert_eq!(redacted["evidence"], live["evidence"], "{}", file.display());
            assert_eq!(redacted["remote"]["port"], live["remote"]["port"]);
            assert_eq!(redacted["advice"].is_null(), live["advice"].is_null());
        }
        assert_eq!(verdicts(&before).len(), verdicts(&after).len(), "{}", file.display());
        let node = serde_json::from_str::<Value>(before.lines().next().unwrap()).unwrap()["node"].clone();
        for secret in ["\"10.", "fd00:", "/tmp/", "nginx.conf", node.as_str().unwrap()] {
            assert!(!after.contains(secret), "{secret} in {}: {after}", file.display());
        }
    }
}

#[test]
fn a_recording_that_was_cut_short_shows_what_was_decided_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let file = corpus().remove(0);
    let bytes = fs::read(&file).unwrap();
    let cut = directory.path().join("cut.rec");
    fs::write(&cut, &bytes[..bytes.len() - 1]).unwrap();
    let output = run(&["replay", "--output", "json", "--all"], &[&cut]);
    assert!(output.status.success());
    let complaint = String::from_utf8(output.stderr).unwrap();
    assert!(complaint.contains("ends before its session did"), "{complaint}");
    let (shown, golden) = (verdicts(&String::from_utf8(output.stdout).unwrap()), verdicts(&golden(&file)));
    assert!(shown.len() <= golden.len() && shown == golden[..shown.len()], "what was shown live, as far as it goes");
}

#[test]
fn what_is_damaged_or_no_recording_ends_in_a_sentence_and_exit_code_1() {
    let directory = tempfile::tempdir().unwrap();
    let mut bytes = fs::read(&corpus()[0]).unwrap();
    let middle = bytes.len() - 20;
    bytes[middle] ^= 0xff;
    let damaged = directory.path().join("damaged.rec");
    fs::write(&damaged, bytes).unwrap();
    let newer = directory.path().join("newer.rec");
    let of_version = |version: u32| format!("\"version\":{version},").into_bytes();
    let whole = fs::read(&corpus()[0]).unwrap();
    let at = whole.windows(of_version(1).len()).position(|window| window == of_version(1)).unwrap();
    fs::write(&newer, [&whole[..at], &of_version(2), &whole[at + of_version(1).len()..]].concat()).unwrap();
    let cut = directory.path().join("cut.rec");
    fs::write(&cut, &whole[..at]).unwrap();
    for (file, expected) in [
        (newer, "a recording of version 2"),
        (cut, "damaged or cut short: copy the recording again"),
        (damaged, "is damaged"),
        (PathBuf::from(env!("CARGO_BIN_EXE_reset-observer")), "not a recording"),
    ] {
        let output = run(&["replay"], &[&file]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{complaint}");
        assert!(complaint.contains(expected) && complaint.contains(file.to_str().unwrap()), "{complaint}");
        let output = run(&["replay", "--log.format", "json"], &[&file]);
        let line: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!((&line["level"], output.status.code()), (&Value::from("error"), Some(1)));
        assert!(complaint.contains(line["message"].as_str().unwrap()), "{line}");
    }
}

#[test]
fn two_recordings_are_compared_in_words_and_in_json() {
    let file = |name: &str| PathBuf::from(CORPUS).join(name);
    let (before, after) = (file("race_crossing-ipv4.rec"), file("control-ipv4.rec"));
    let words = run(&["replay", "--compare"], &[&before, &after]);
    let words = String::from_utf8(words.stdout).unwrap();
    assert!(words.contains("keepalive_race: too few to say: 1 before and 0 after"), "{words}");
    let json = run(&["replay", "--compare", "--output", "json"], &[&before, &after]);
    let line: Value = serde_json::from_slice(&json.stdout).unwrap();
    assert_eq!((&line["type"], &line["schema"]), (&Value::from("comparison"), &Value::from(1)));
    assert_eq!(line["causes"][0]["conclusion"], "too_few");
    assert_eq!(run(&["replay", "--compare"], &[&before]).status.code(), Some(2));
    assert_eq!(run(&["replay"], &[&before, &after]).status.code(), Some(2));
}
