//! One nftables rule for the packets that arrive in this thread's network namespace, as long as the guard lives.

use std::fs;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use anyhow::{Context, Result, ensure};

/// A rule in a table of its own.
#[derive(Debug)]
pub struct Rule {
    table: String,
}

static NEXT_TABLE: AtomicU16 = AtomicU16::new(1);

impl Rule {
    /// Puts the rule in force.
    pub fn install(rule: &str) -> Result<Self> {
        let table = format!("vm{}", NEXT_TABLE.fetch_add(1, Ordering::Relaxed));
        let text = format!("table inet {table} {{ chain input {{ type filter hook input priority 0; {rule}\n}}\n}}\n");
        let file = tempfile::NamedTempFile::new()?;
        fs::write(&file, text)?;
        let status = Command::new("nft").arg("-f").arg(file.path()).status().context("the lab itself: no nft")?;
        ensure!(status.success(), "the lab itself: nft refuses {rule:?}");
        Ok(Self { table })
    }
}

impl Drop for Rule {
    fn drop(&mut self) {
        // What is left of it would fail the next check, which then says so.
        let _ = Command::new("nft").args(["delete", "table", "inet", &self.table]).stderr(Stdio::null()).status();
    }
}
