//! Reads what the programs cost from the daemon's own metrics, and what a workload added.

use std::collections::BTreeMap;

use anyhow::{Context, Result};

use crate::observer::Daemon;

const RUNS: &str = "reset_observer_program_runs_total{program=\"";
const SECONDS: &str = "reset_observer_program_run_seconds_total{program=\"";
const RING_FULL: &str = "reset_observer_records_lost_total{stage=\"";

/// What one program did so far.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) struct Runs {
    pub(super) runs: f64,
    pub(super) seconds: f64,
}

/// One reading.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Reading {
    /// By program.
    pub(super) programs: BTreeMap<String, Runs>,
    /// Records that found the ring full: a run that makes none is cheaper than one that does.
    pub(super) ring_full: f64,
}

impl Reading {
    /// As it stands.
    pub(super) fn of(daemon: &Daemon) -> Result<Self> {
        let (_, text) = daemon.get("/metrics").context("the daemon does not show its metrics")?;
        Ok(Self::parse(&text))
    }

    fn parse(text: &str) -> Self {
        let mut reading = Self::default();
        for line in text.lines() {
            if let Some((program, value)) = sample(line, RUNS) {
                reading.programs.entry(program.to_owned()).or_default().runs = value;
            } else if let Some((program, value)) = sample(line, SECONDS) {
                reading.programs.entry(program.to_owned()).or_default().seconds = value;
            } else if let Some(("ring", value)) = sample(line, RING_FULL) {
                reading.ring_full = value;
            }
        }
        reading
    }

    /// What came on top of `before`.
    pub(super) fn since(&self, before: &Self) -> Self {
        let programs = self.programs.iter().map(|(name, now)| {
            let then = before.programs.get(name).copied().unwrap_or_default();
            (name.clone(), Runs { runs: now.runs - then.runs, seconds: now.seconds - then.seconds })
        });
        Self { programs: programs.collect(), ring_full: self.ring_full - before.ring_full }
    }

    /// Both together.
    pub(super) fn add(&mut self, more: &Self) {
        for (name, added) in &more.programs {
            let sum = self.programs.entry(name.clone()).or_default();
            sum.runs += added.runs;
            sum.seconds += added.seconds;
        }
        self.ring_full += more.ring_full;
    }
}

fn sample<'a>(line: &'a str, start: &str) -> Option<(&'a str, f64)> {
    let (label, value) = line.strip_prefix(start)?.split_once("\"} ")?;
    Some((label, value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_workload_is_what_came_on_top() {
        let reading = |runs: u32, seconds: f64| {
            Reading::parse(&format!(
                "# TYPE x counter\n{RUNS}tcp_reset\"}} {runs}\n{SECONDS}tcp_reset\"}} {seconds}\n{RING_FULL}ring\"}} 2\n"
            ))
        };
        let added = reading(30, 5e-6).since(&reading(10, 1e-6));
        assert_eq!(added.programs["tcp_reset"].runs, 20.0);
        assert!((added.programs["tcp_reset"].seconds - 4e-6).abs() < 1e-12);
        assert_eq!(added.ring_full, 0.0);
    }
}
