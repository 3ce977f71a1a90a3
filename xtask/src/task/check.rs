//! `check`: format, lints of both sides, documentation. Warnings are errors.

use std::process::Command;

use anyhow::{Context as _, Result};

use crate::{
    apt,
    pins::Pins,
    program::{is_root, run, typed},
    toolchain::{self, Choice, compiler::Compiler},
    workspace::{self, cargo},
};

/// Runs one step after the other and stops at the first that fails.
pub(crate) fn check(pins: &Pins) -> Result<()> {
    eprintln!("check: format");
    run(Command::new("cargo").current_dir(workspace::root()).args(["fmt", "--all", "--check"]))
        .context("the format differs; type `cargo fmt --all`")?;
    if workspace::without_ebpf() {
        eprintln!("check: left out the eBPF programs: AYA_BUILD_SKIP is set");
    } else {
        let choice = toolchain::ensure(pins)?;
        eprintln!("check: clippy on the eBPF programs");
        clippy_on_ebpf(pins, &choice)?;
    }
    eprintln!("check: clippy");
    run(cargo("clippy").args(["--workspace", "--all-targets", "--", "--deny", "warnings"]))?;
    // The eBPF programs have features of their own, therefore not --all-features.
    run(cargo("clippy").args([
        "--package",
        "reset-observer",
        "--features",
        "otlp",
        "--all-targets",
        "--",
        "--deny",
        "warnings",
    ]))?;
    eprintln!("check: documentation");
    run(cargo("doc")
        .args(["--workspace", "--no-deps", "--document-private-items"])
        .env("RUSTDOCFLAGS", "--deny warnings"))
}

/// The lints of the compiler that builds the programs; left out in words where it has no clippy.
fn clippy_on_ebpf(pins: &Pins, choice: &Choice) -> Result<()> {
    let compiler = Compiler::named(&choice.toolchain);
    if !has_clippy(&compiler) && !bring_clippy(pins, &compiler)? {
        return Ok(());
    }
    let mut clippy = compiler.command("cargo");
    clippy.current_dir(workspace::root()).args(["clippy", "--locked", "--target", &pins.target]);
    clippy.args(["--package", "reset-observer-ebpf", "--features", "programs", "--bins"]);
    if compiler.version()?.nightly {
        clippy.arg("-Zbuild-std=core");
    }
    clippy.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &choice.linker).env_remove("RUSTUP_TOOLCHAIN");
    run(clippy.args(["--", "--deny", "warnings"]))
}

fn has_clippy(compiler: &Compiler) -> bool {
    compiler.command("cargo").args(["clippy", "--version"]).output().is_ok_and(|output| output.status.success())
}

/// Installs Debian's clippy of the same compiler; says what to type for any other.
fn bring_clippy(pins: &Pins, compiler: &Compiler) -> Result<bool> {
    let package = [pins.debian.clippy.clone()];
    if compiler.name == pins.debian.toolchain && is_root() && apt::offers(&package)? {
        apt::install("installing clippy for the compiler of the eBPF programs", &package)?;
        return Ok(has_clippy(compiler));
    }
    let mut add = Command::new("rustup");
    add.args(["component", "add", "clippy", "--toolchain", &compiler.name]);
    let by_hand = if compiler.name == pins.debian.toolchain { apt::by_hand(&package)[1].clone() } else { typed(&add) };
    eprintln!("check: left out: {} has no clippy; to have it, type:\n    {by_hand}", compiler.name);
    Ok(false)
}
