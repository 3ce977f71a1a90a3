//! The resets that all kernels' counters of this machine tell of, beside those that an observer counts.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Counters;
use crate::observer::Daemon;

/// The daemon reads the kernel's counters once a second.
const LAG: Duration = Duration::from_millis(1_500);

/// How long to wait for a moment without resets.
const PATIENCE: Duration = Duration::from_secs(30);

/// Resets sent, as two that do not know of each other count them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    by_namespace: BTreeMap<PathBuf, u64>,
    metric: u64,
}

impl Tally {
    /// Both counts, when neither has moved for longer than the metric may lag behind; as they stand after half a minute.
    pub fn settled(daemon: &Daemon) -> Result<Self> {
        let started = Instant::now();
        let (mut last, mut since) = (Self::read(daemon)?, Instant::now());
        while since.elapsed() < LAG && started.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(100));
            let now = Self::read(daemon)?;
            if now != last {
                (last, since) = (now, Instant::now());
            }
        }
        Ok(last)
    }

    fn read(daemon: &Daemon) -> Result<Self> {
        let metric = daemon.sum("reset_observer_resets_total", "direction=\"sent\"")?;
        Ok(Self { by_namespace: resets_by_namespace()?, metric })
    }

    /// Resets sent since it started, as the daemon counts.
    pub fn metric(&self) -> u64 {
        self.metric
    }

    /// What was sent since `before`: as the kernel counts, and as the daemon does.
    pub fn since(&self, before: &Self) -> (u64, u64) {
        let grown = |(namespace, count): (&PathBuf, &u64)| count - before.by_namespace.get(namespace).unwrap_or(&0);
        (self.by_namespace.iter().map(grown).sum(), self.metric - before.metric)
    }
}

/// `TcpOutRsts` of every network namespace on the machine that a process lives in.
fn resets_by_namespace() -> Result<BTreeMap<PathBuf, u64>> {
    let mut resets = BTreeMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        // A process may end while it is looked at.
        let Ok(namespace) = fs::read_link(format!("/proc/{pid}/ns/net")) else { continue };
        if let Ok(counters) = Counters::of_process(pid) {
            resets.insert(namespace, counters.get("TcpOutRsts"));
        }
    }
    Ok(resets)
}
