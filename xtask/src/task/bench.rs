//! `bench`: what the observer costs. The lab measures; this brings what it needs, and builds as for a release.

use std::process::Command;

use anyhow::Result;
use clap::Subcommand;

use crate::{
    apt, lab_tools,
    missing::Missing,
    pins::Pins,
    program::{become_program, find, is_root, typed_as_root},
    toolchain, workspace,
};

/// What to measure.
#[derive(Subcommand)]
pub(crate) enum Bench {
    /// Nanoseconds per run of each kernel program; nginx under wrk beside the observer, tcpdump and bpftrace (as root)
    Kernel {
        /// `--rounds N` (5), `--seconds S` per measurement (4), `--output table|json`, `--only programs|throughput`
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Records per second that `replay` takes on one core, of each recording of tests/recordings multiplied
    Replay,
}

/// A program that only the benchmark runs, and the Debian package that it comes in. Plain `setup` does without them.
const TOOLS: [(&str, &str); 3] = [("wrk", "wrk"), ("bpftrace", "bpftrace"), ("tcpdump", "tcpdump")];

/// Sets up, builds, and becomes the program that measures, so that Ctrl-C reaches it directly.
pub(crate) fn bench(pins: &Pins, bench: &Bench) -> Result<()> {
    match bench {
        Bench::Kernel { arguments } => bench_kernel(pins, arguments),
        Bench::Replay => bench_replay(),
    }
}

fn bench_replay() -> Result<()> {
    let mut replay = workspace::cargo("run");
    replay.args(["--quiet", "--release", "--package", "reset-observer", "--example", "replay_speed", "--"]);
    Err(become_program(replay.arg(workspace::root().join("tests/recordings"))))
}

fn bench_kernel(pins: &Pins, arguments: &[String]) -> Result<()> {
    workspace::require_ebpf("measure")?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    ensure_tools()?;
    let built = workspace::build_release()?;
    let mut measure = Command::new(&built.lab);
    measure.env("RESET_OBSERVER", &built.observer).arg("bench").args(arguments);
    tools.tell(&mut measure);
    if !is_root() && !asks_for_help(arguments) {
        return Err(Missing::error(
            "all is built; the benchmark makes network namespaces and loads eBPF programs, for which it must be root",
            [typed_as_root(&measure)],
        ));
    }
    Err(become_program(&mut measure))
}

/// Finds or installs them.
pub(crate) fn ensure_tools() -> Result<()> {
    let missing = missing_packages(|program| find(program).is_some());
    if missing.is_empty() {
        return Ok(());
    }
    let why = format!("installing what the benchmark compares with and loads nginx with: {}", missing.join(", "));
    if apt::is_here() { apt::install(&why, &missing) } else { Err(Missing::error(why, [])) }
}

fn missing_packages(is_here: impl Fn(&str) -> bool) -> Vec<String> {
    TOOLS.iter().filter(|(program, _)| !is_here(program)).map(|(_, package)| (*package).to_owned()).collect()
}

/// Whether only the help is wanted, for which nobody need be root.
pub(crate) fn asks_for_help(arguments: &[String]) -> bool {
    arguments.iter().any(|argument| argument == "--help" || argument == "-h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_there_is_installed() {
        assert_eq!(missing_packages(|program| program != "wrk"), ["wrk"]);
        assert!(missing_packages(|_| true).is_empty());
    }
}
