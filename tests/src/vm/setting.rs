//! A kernel parameter of this thread's network namespace, set for as long as the guard lives.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Gives the parameter back its value when dropped.
#[derive(Debug)]
pub struct Setting {
    path: PathBuf,
    before: String,
}

impl Setting {
    /// Sets the parameter at `path` below `/proc/sys/net`.
    pub fn set(path: &str, value: &str) -> Result<Self> {
        let path = Path::new("/proc/sys/net").join(path);
        let before = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        fs::write(&path, value).with_context(|| format!("cannot set {} to {value}", path.display()))?;
        Ok(Self { path, before })
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        // A check that depends on another value says so.
        let _ = fs::write(&self.path, self.before.trim());
    }
}
