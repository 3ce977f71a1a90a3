//! Bringing a compiler that has `core` for the BPF target.

use std::{path::Path, process::Command};

use anyhow::Result;

use super::compiler::{Compiler, has_prebuilt_core};
use crate::{
    apt,
    missing::Missing,
    pins::Pins,
    program::{find, is_root, run_aloud, typed},
};

/// On Debian the packages, elsewhere the nightly.
pub(crate) fn compiler(pins: &Pins) -> Result<Compiler> {
    let prefix = Path::new(&pins.debian.prefix);
    if !has_prebuilt_core(prefix, &pins.target) && is_root() && apt::offers(&pins.debian.packages)? {
        let installed = apt::install("installing a Rust compiler with a core for BPF", &pins.debian.packages);
        // The usual reason: rustc-web can't be beside Debian's own rustc or rustup.
        if let Err(error) = installed {
            eprintln!("setup: {error:#}\nsetup: leaving Debian's packages alone, and trying the pinned nightly");
        }
    }
    if has_prebuilt_core(prefix, &pins.target) { link(pins) } else { nightly(pins) }
}

fn link(pins: &Pins) -> Result<Compiler> {
    if find("rustup").is_some() {
        let mut link = Command::new("rustup");
        link.args(["toolchain", "link", &pins.debian.toolchain, &pins.debian.prefix]);
        run_aloud("making Debian's compiler known to rustup", &mut link)?;
    }
    Ok(Compiler::named(&pins.debian.toolchain))
}

fn nightly(pins: &Pins) -> Result<Compiler> {
    let mut install = nightly_command(pins);
    if find("rustup").is_none() {
        return Err(Missing::error("there is no rustup to install a compiler for BPF with", ways(pins)));
    }
    run_aloud("installing the pinned nightly with the source of core", &mut install)
        .map_err(|error| Missing::error(format!("no compiler for BPF: {error:#}; its reason is above"), ways(pins)))?;
    Ok(Compiler::named(&pins.nightly.toolchain))
}

fn nightly_command(pins: &Pins) -> Command {
    let mut command = Command::new("rustup");
    command.args(["toolchain", "install", &pins.nightly.toolchain, "--profile", "minimal", "--component", "rust-src"]);
    command
}

/// All that a person can type to get a compiler, whichever way is open to them.
pub(super) fn ways(pins: &Pins) -> Vec<String> {
    let mut lines = Vec::new();
    if apt::is_here() {
        lines.extend(apt::by_hand(&pins.debian.packages));
        lines.push("# or, without root, with static.rust-lang.org in reach:".into());
    }
    lines.push(typed(&nightly_command(pins)));
    lines.push("# then:".into());
    lines.push("cargo xtask setup".into());
    lines
}
