//! `setup`: everything that the other tasks need.

use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::{lab_tools, nginx, pins::Pins, toolchain};

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
    tell("newest nginx", if check { here(nginx::newest::place()) } else { nginx::newest::ensure() });
    tell("nginx's packages", if check { here(nginx::packages::place()) } else { nginx::packages::ensure() });
    Ok(())
}

/// What a few tests need, and nothing else.
fn tell(what: &str, found: Result<PathBuf>) {
    match found {
        Ok(place) => println!("{what}: {}", place.display()),
        Err(error) => eprintln!("{what}: left out, and so are the tests that use it: {error:#}"),
    }
}

fn here(place: Result<PathBuf>) -> Result<PathBuf> {
    let place = place?;
    if place.exists() { Ok(place) } else { bail!("setup would fetch it") }
}
