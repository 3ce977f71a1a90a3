//! One lab at a time on a machine: its counters are exact and its timing is tight.

use std::env;
use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::programs;

/// Holds the machine for one trial; gives it back when dropped, or when the process ends in any way.
#[derive(Debug)]
pub struct MachineLock {
    _file: File,
}

impl MachineLock {
    /// Waits until no other lab runs on this machine.
    pub fn take() -> Result<Self> {
        let dir: PathBuf = programs::cache_dir().unwrap_or_else(env::temp_dir);
        fs::create_dir_all(&dir).with_context(|| format!("cannot create {}", dir.display()))?;
        let path = dir.join("lab.lock");
        let file = File::create(&path).with_context(|| format!("cannot open {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(Self { _file: file })
    }
}
