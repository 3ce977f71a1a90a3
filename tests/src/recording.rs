//! What the observer recorded of a trial, and that it replays to what was said live.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::programs;

/// The directory that recordings are kept in, with what was said live beside them.
const DIRECTORY: &str = "LAB_RECORD_DIR";

/// The recording of one trial. It is gone with this unless it is to be kept.
#[derive(Debug)]
pub struct Recording {
    file: PathBuf,
    keep: bool,
    _directory: Option<TempDir>,
}

impl Recording {
    /// A recording of the trial with this name: in the directory of `LAB_RECORD_DIR`, or for the time being.
    pub fn of(name: &str) -> Result<Self> {
        let (directory, temporary) = match env::var_os(DIRECTORY) {
            Some(directory) => (PathBuf::from(directory), None),
            None => {
                let temporary = TempDir::with_prefix("reset-observer-recording-")?;
                (temporary.path().to_owned(), Some(temporary))
            }
        };
        fs::create_dir_all(&directory).with_context(|| format!("cannot create {}", directory.display()))?;
        let file = directory.join(format!("{name}.rec"));
        Ok(Self { file, keep: temporary.is_none(), _directory: temporary })
    }

    /// What to tell the observer.
    pub fn arguments(&self) -> Result<[&str; 3]> {
        Ok(["--record-overwrite", "--record", self.file.to_str().context("a path that is not UTF-8")?])
    }

    /// Fails unless the recording replays to these lines, which the observer had printed when it ended.
    pub fn check(&self, live: &[String]) -> Result<()> {
        let replayed = replay(&self.file)?;
        if self.keep {
            let golden: String = live.iter().map(|line| format!("{line}\n")).collect();
            fs::write(self.file.with_extension("jsonl"), golden)?;
        }
        for (number, (live, replayed)) in live.iter().zip(replayed.lines()).enumerate() {
            ensure!(live == replayed, "line {number} was\n  {live}\nand is replayed as\n  {replayed}");
        }
        let lines = replayed.lines().count();
        ensure!(lines == live.len(), "{} lines were printed live, and {lines} are replayed", live.len());
        Ok(())
    }
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
