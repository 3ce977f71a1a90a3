//! What the observer recorded of a trial, and that it replays to what was said live.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::programs;

/// The directory that recordings are kept in, with what was said live beside them.
pub const DIRECTORY: &str = "LAB_RECORD_DIR";

/// The recording of one trial. It is gone with this unless it was [kept](Self::keep).
#[derive(Debug)]
pub struct Recording {
    name: String,
    file: PathBuf,
    directory: TempDir,
}

impl Recording {
    /// A recording of the trial with this name.
    pub fn of(name: &str) -> Result<Self> {
        let directory = TempDir::with_prefix("reset-observer-recording-")?;
        Ok(Self { name: name.to_owned(), file: directory.path().join("session.rec"), directory })
    }

    /// Where it is.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// What to tell the observer.
    pub fn arguments(&self) -> Result<[&str; 2]> {
        Ok(["--record", self.file.to_str().context("a path that is not UTF-8")?])
    }

    /// Keeps it in the directory of `LAB_RECORD_DIR`, if there is one, with these lines beside it. For a trial that went
    /// as it should.
    pub fn keep(self, live: &[String]) -> Result<()> {
        let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return Ok(()) };
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let kept = directory.join(format!("{}.rec", self.name));
        fs::copy(&self.file, &kept).with_context(|| format!("cannot write {}", kept.display()))?;
        let golden: String = live.iter().map(|line| format!("{line}\n")).collect();
        fs::write(kept.with_extension("jsonl"), golden)?;
        Ok(self.directory.close()?)
    }

    /// Fails unless the recording replays to these lines, which the observer had printed when it ended.
    pub fn check(&self, live: &[String]) -> Result<()> {
        let replayed = replay(&self.file)?;
        for (number, (live, replayed)) in live.iter().zip(replayed.lines()).enumerate() {
            ensure!(live == replayed, "line {number} was\n  {live}\nand is replayed as\n  {replayed}");
        }
        let lines = replayed.lines().count();
        ensure!(lines == live.len(), "{} lines were printed live, and {lines} are replayed", live.len());
        Ok(())
    }
}

/// The recording of a trial that was [kept](Recording::keep), and what was said live; `None` if it was not.
pub fn kept(name: &str) -> Result<Option<(Vec<u8>, String)>> {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { return Ok(None) };
    let file = directory.join(format!("{name}.rec"));
    if !file.exists() {
        return Ok(None);
    }
    Ok(Some((fs::read(&file)?, fs::read_to_string(file.with_extension("jsonl"))?)))
}

/// What a recording replays to.
pub fn replay(file: &Path) -> Result<String> {
    let mut replay = Command::new(programs::observer()?);
    let output = replay.args(["replay", "--output", "json", "--all"]).arg(file).output()?;
    if !output.status.success() {
        bail!("{} cannot be replayed: {}", file.display(), String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
