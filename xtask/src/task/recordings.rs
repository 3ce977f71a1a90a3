//! `recordings`: the corpus that the classifier is held to.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, ensure};

use crate::{
    lab_tools,
    missing::Missing,
    pins::Pins,
    program::{is_root, output_of, run, typed_as_root},
    toolchain,
    workspace::{self, cargo},
};

/// Writes what each recording of the corpus replays to. With `live`, makes the recordings anew in the lab before: those of
/// the tests whose names hold one of these words, or all. The recording of a trial that went wrong stays as it was.
pub(crate) fn recordings(pins: &Pins, live: bool, words: &[String]) -> Result<()> {
    let corpus = workspace::root().join("tests/recordings");
    let recorded = if live { record(pins, &corpus, words) } else { Ok(()) };
    let mut build = cargo("build");
    build.args(["--quiet", "--package", "reset-observer", "--bins"]);
    let mut built = workspace::executables(&mut build)?;
    let observer = built.remove("reset-observer").context("cargo built no `reset-observer`")?;
    let mut changed = 0;
    for recording in of(&corpus)? {
        let mut replay = Command::new(&observer);
        let lines = output_of(replay.args(["replay", "--output", "json", "--all"]).arg(&recording))?;
        let golden = recording.with_extension("jsonl");
        if fs::read_to_string(&golden).is_ok_and(|before| before == lines) {
            continue;
        }
        changed += 1;
        println!("changed: {}", golden.display());
        fs::write(&golden, lines).with_context(|| format!("cannot write {}", golden.display()))?;
    }
    println!("{changed} changed: look at `git diff tests/recordings` before you commit it");
    recorded
}

fn of(corpus: &std::path::Path) -> Result<Vec<PathBuf>> {
    let files = fs::read_dir(corpus).with_context(|| format!("cannot read {}", corpus.display()))?;
    let files: Vec<PathBuf> = files.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
    let mut recordings: Vec<PathBuf> =
        files.into_iter().filter(|path| path.extension().is_some_and(|end| end == "rec")).collect();
    recordings.sort();
    ensure!(!recordings.is_empty(), "there is no recording in {}: make them with --live, as root", corpus.display());
    Ok(recordings)
}

/// Runs the scenarios, each of which leaves its recording with what was said live.
fn record(pins: &Pins, corpus: &std::path::Path, words: &[String]) -> Result<()> {
    workspace::require_ebpf("record")?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    let built = workspace::build()?;
    let mut lab = cargo("test");
    lab.args(["--package", "lab", "--no-fail-fast", "--test", "causes", "--test", "marked", "--", "--test-threads=1"]);
    lab.args(words);
    tools.tell(&mut lab);
    lab.env("RESET_OBSERVER", &built.observer).env("LAB_RECORD_DIR", corpus);
    if !is_root() {
        let what = "the lab makes network namespaces and loads eBPF programs, for which it must be root";
        return Err(Missing::error(what, [typed_as_root(&lab)]));
    }
    run(&mut lab)
}
