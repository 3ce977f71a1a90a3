//! `test`: what needs no root, then the lab on this kernel.

use std::process::Command;

use anyhow::Result;

use crate::{
    lab_tools::{self, LabTools},
    pins::Pins,
    program::{is_root, run, typed_as_root},
    toolchain,
    workspace::{self, Built, cargo},
};

/// Runs all tests that can run here, and says which could not and why.
pub(crate) fn test(pins: &Pins, unit_only: bool) -> Result<()> {
    if !workspace::without_ebpf() {
        toolchain::ensure(pins)?;
    }
    eprintln!("test: unit and documentation tests");
    let units = run(cargo("test").args(["--workspace", "--exclude", "lab", "--no-fail-fast"]));
    // The lab runs all the same: one run then tells everything.
    lab_tests(unit_only).and(units)
}

fn lab_tests(unit_only: bool) -> Result<()> {
    if workspace::without_ebpf() {
        eprintln!("test: left out the lab: AYA_BUILD_SKIP is set, and the lab watches real eBPF programs");
        return Ok(());
    }
    if unit_only {
        eprintln!("test: left out the lab, as --unit asks");
        return Ok(());
    }
    if !is_root() {
        return left_out();
    }
    let tools = lab_tools::ensure()?;
    let built = workspace::build()?;
    eprintln!("test: the lab, one scenario at a time");
    let mut lab = cargo("test");
    lab.args(["--package", "lab", "--no-fail-fast", "--", "--test-threads=1"]);
    tell(&mut lab, &tools, &built);
    run(&mut lab)
}

fn tell(command: &mut Command, tools: &LabTools, built: &Built) {
    tools.tell(command);
    command.env("RESET_OBSERVER", &built.observer);
}

/// Builds the lab's tests all the same, so that the commands to type name what is there.
fn left_out() -> Result<()> {
    eprintln!("test: left out the lab: it makes network namespaces and loads eBPF programs, for which it must be root");
    let tools = match lab_tools::check() {
        Ok(tools) => tools,
        Err(error) => {
            eprintln!("{error:#}");
            return Ok(());
        }
    };
    let built = workspace::build()?;
    let tests = workspace::executables(cargo("test").args(["--package", "lab", "--tests", "--no-run"]))?;
    eprintln!("to run it, type:");
    for test in tests.values() {
        let mut lab = Command::new(test);
        lab.arg("--test-threads=1");
        tell(&mut lab, &tools, &built);
        eprintln!("    {}", typed_as_root(&lab));
    }
    Ok(())
}
