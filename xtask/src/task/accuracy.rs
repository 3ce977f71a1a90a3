//! `accuracy`: how often the observer is right. The lab holds the trials; this brings what it needs.

use std::process::Command;

use anyhow::Result;

use crate::{
    lab_tools,
    missing::Missing,
    pins::Pins,
    program::{become_program, is_root, typed_as_root},
    task::bench,
    toolchain, workspace,
};

/// Sets up, builds, and becomes `lab accuracy`, so that Ctrl-C reaches it directly.
pub(crate) fn accuracy(pins: &Pins, arguments: &[String]) -> Result<()> {
    workspace::require_ebpf("judge")?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    bench::ensure_tools()?;
    let built = workspace::build()?;
    let mut judge = Command::new(&built.lab);
    judge.env("RESET_OBSERVER", &built.observer).arg("accuracy").args(arguments);
    tools.tell(&mut judge);
    if !is_root() && !bench::asks_for_help(arguments) {
        return Err(Missing::error(
            "all is built; the lab makes network namespaces and loads eBPF programs, for which it must be root",
            [typed_as_root(&judge)],
        ));
    }
    Err(become_program(&mut judge))
}
