//! `run`: the program itself, with the rights that it needs.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{
    missing::Missing,
    pins::Pins,
    program::{become_program, is_root, typed_as_root},
    toolchain, workspace,
};

/// Sets up, builds, and becomes `reset-observer`.
pub(crate) fn run(pins: &Pins, arguments: &[String]) -> Result<()> {
    workspace::require_ebpf("load")?;
    toolchain::ensure(pins)?;
    let mut build = workspace::cargo("build");
    build.args(["--quiet", "--package", "reset-observer", "--bins"]);
    let mut built = workspace::executables(&mut build)?;
    let observer = built.remove("reset-observer").context("cargo built no `reset-observer`")?;
    let mut observe = Command::new(observer);
    observe.args(arguments);
    if !is_root() && needs_root(arguments) {
        let what = "all is built; loading eBPF programs needs root (or CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE)";
        return Err(Missing::error(what, [typed_as_root(&observe)]));
    }
    Err(become_program(&mut observe))
}

/// The commands that load programs; all others are any user's, and so is asking for help.
fn needs_root(arguments: &[String]) -> bool {
    let loads = arguments.first().is_some_and(|command| command == "observe" || command == "daemon");
    loads && !arguments.iter().any(|argument| argument == "--help" || argument == "-h")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_needs_no_root() {
        let words = |line: &str| line.split_whitespace().map(String::from).collect::<Vec<_>>();
        assert!(needs_root(&words("observe --port 3000")));
        assert!(!needs_root(&words("observe --help")));
        assert!(!needs_root(&words("explain keepalive_race")));
        assert!(!needs_root(&[]));
    }
}
