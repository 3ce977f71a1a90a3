//! A program that does nothing on the tracepoint of the state changes: what the kernel's statistics charge for the two
//! looks at the clock alone. It runs beside the observer's own, on the same events.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::beside::{Neighbour, bpftrace};
use super::meter::Runs;

const SCRIPT: &str = "BEGIN { printf(\"attached\\n\"); } tracepoint:sock:inet_sock_set_state { }";

/// The program, as long as this lives.
pub(super) struct Floor {
    process: Neighbour,
}

impl Floor {
    /// Attaches it.
    pub(super) fn attach(dir: &Path) -> Result<Self> {
        Ok(Self { process: bpftrace(dir, SCRIPT)? })
    }

    /// What it cost so far. The kernel shows a program's statistics to whoever may look at its owner's descriptors.
    pub(super) fn read(&self) -> Result<Runs> {
        let dir = format!("/proc/{}/fdinfo", self.process.pid());
        let mut programs = Vec::new();
        for entry in fs::read_dir(&dir).with_context(|| format!("cannot look into {dir}"))? {
            // A descriptor may be closed meanwhile.
            programs.extend(fs::read_to_string(entry?.path()).ok().as_deref().and_then(parse));
        }
        programs.into_iter().max_by(|a, b| a.runs.total_cmp(&b.runs)).context("bpftrace holds no program")
    }
}

fn parse(text: &str) -> Option<Runs> {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        value.trim().parse::<f64>().ok()
    };
    Some(Runs { runs: field("run_cnt")?, seconds: field("run_time_ns")? / 1e9 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_descriptors_of_programs_have_runs() {
        let program = "pos:\t0\nprog_type:\t5\nrun_time_ns:\t3000\nrun_cnt:\t100\n";
        assert_eq!(parse(program), Some(Runs { runs: 100.0, seconds: 3e-6 }));
        assert_eq!(parse("pos:\t0\nflags:\t02\n"), None);
    }
}
