//! The machine that the numbers are of.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::programs;

/// What a reader must know to compare numbers.
#[derive(Debug, Serialize)]
pub(crate) struct Machine {
    processor: String,
    cores: usize,
    kernel: String,
    clock: String,
    /// `net.core.bpf_jit_enable`: 0 is off, 1 on; empty if the kernel always compiles.
    bpf_jit: String,
    nginx: String,
    wrk: String,
    tcpdump: String,
    bpftrace: String,
}

impl Machine {
    /// This machine; fails if a program that will be needed is not there.
    pub(crate) fn describe() -> Result<Self> {
        let cpuinfo = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
        Ok(Self {
            processor: model.map_or("unknown", |(_, name)| name).to_owned(),
            cores: thread::available_parallelism()?.get(),
            kernel: read("/proc/sys/kernel/osrelease"),
            clock: read("/sys/devices/system/clocksource/clocksource0/current_clocksource"),
            bpf_jit: read("/proc/sys/net/core/bpf_jit_enable"),
            nginx: version(&programs::nginx()?, "-v")?,
            wrk: version(Path::new("wrk"), "-v")?,
            tcpdump: version(Path::new("tcpdump"), "--version")?,
            bpftrace: version(Path::new("bpftrace"), "--version")?,
        })
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { processor, cores, kernel, clock, bpf_jit, nginx, wrk, tcpdump, bpftrace } = self;
        let jit = if bpf_jit == "0" { "off" } else { "on" };
        writeln!(f, "{processor}, {cores} cores; Linux {kernel}, clock {clock}, BPF JIT {jit}")?;
        writeln!(f, "{nginx}; {wrk}; {tcpdump}; {bpftrace}")
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

/// The first line that a program says about its version, on either stream: wrk calls a request for it bad usage.
fn version(program: &Path, flag: &str) -> Result<String> {
    let output = Command::new(program).arg(flag).output();
    let output =
        output.with_context(|| format!("cannot run {}: `cargo xtask bench kernel` installs it", program.display()))?;
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let first = said.lines().find(|line| line.chars().any(|c| c.is_ascii_digit())).unwrap_or_default();
    Ok(first.split(" Copyright").next().unwrap_or_default().to_owned())
}
