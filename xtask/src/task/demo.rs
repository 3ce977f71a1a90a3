//! `demo`: the lab's show on this kernel.

use std::process::Command;

use anyhow::Result;

use crate::{
    lab_tools,
    missing::Missing,
    pins::Pins,
    program::{become_program, is_root, typed_as_root},
    toolchain, workspace,
};

/// Sets up, builds, and becomes `lab demo`, so that Ctrl-C reaches it directly.
pub(crate) fn demo(pins: &Pins, arguments: &[String]) -> Result<()> {
    workspace::require_ebpf("show")?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    let built = workspace::build()?;
    let mut show = Command::new(&built.lab);
    show.env("RESET_OBSERVER", &built.observer).arg("demo").args(arguments);
    tools.tell(&mut show);
    if !is_root() {
        return Err(Missing::error(
            "all is built; the demo makes network namespaces and loads eBPF programs, for which it must be root",
            [typed_as_root(&show)],
        ));
    }
    Err(become_program(&mut show))
}
