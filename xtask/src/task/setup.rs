//! `setup`: everything that the other tasks need.

use anyhow::Result;

use crate::{lab_tools, pins::Pins, toolchain};

/// Finds or installs all of it; with `check` only says what is there.
pub(crate) fn setup(pins: &Pins, check: bool, without_lab: bool) -> Result<()> {
    let choice = if check { toolchain::check(pins) } else { toolchain::ensure(pins) };
    let choice = choice.inspect_err(|_| eprintln!("eBPF toolchain: missing"))?;
    println!("eBPF toolchain: {}", toolchain::describe(&choice));
    if without_lab {
        return Ok(());
    }
    let tools = if check { lab_tools::check() } else { lab_tools::ensure() };
    let tools = tools.inspect_err(|_| eprintln!("lab: incomplete"))?;
    println!("lab: {}, {} and {}", tools.nginx.display(), tools.node.display(), tools.haproxy.display());
    Ok(())
}
