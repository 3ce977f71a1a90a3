//! The proof that a compiler and a linker can build for the BPF target: they do it.

use std::{fs, path::Path};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Choice, compiler::Compiler};
use crate::program::typed;

/// With link-time optimisation as in the workspace, rustc throws out what is not used of `core`; bpf-linker alone takes
/// five seconds for it.
const MANIFEST: &str = r#"[package]
name = "probe"
edition = "2024"
[workspace]
[profile.release]
lto = "thin"
"#;

const PROGRAM: &str = r#"#![no_std]
#![no_main]
#[unsafe(no_mangle)]
#[unsafe(link_section = "raw_tracepoint/probe")]
pub extern "C" fn probe(_context: *const u8) -> i32 { 0 }
#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! { loop {} }
"#;

/// Where an ELF header says for which machine it is, and the number of BPF (little endian).
const ELF_MACHINE: (usize, [u8; 2]) = (18, [247, 0]);

/// Builds a program of a few lines, with the flags of aya-build.
///
/// The directory stays: a `core` built from source is then built once, and only the program each time.
pub(crate) fn probe(choice: &Choice, target: &str, cache: &Path) -> Result<()> {
    let compiler = Compiler::named(&choice.toolchain);
    let dir = cache.join("probe").join(&choice.toolchain);
    write_package(&dir)?;
    let mut build = compiler.command("cargo");
    build.current_dir(&dir).args(["build", "--release", "--target", target, "--target-dir", "target"]);
    if compiler.version()?.nightly {
        build.arg("-Zbuild-std=core");
    }
    build.env("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", &choice.linker);
    build.env("CARGO_ENCODED_RUSTFLAGS", "-Cdebuginfo=2\x1f-Clink-arg=--btf");
    for variable in ["RUSTC", "RUSTC_WORKSPACE_WRAPPER", "CARGO_BUILD_TARGET", "RUSTUP_TOOLCHAIN"] {
        build.env_remove(variable);
    }
    let output = build.output().with_context(|| format!("could not start `{}`", typed(&build)))?;
    if !output.status.success() {
        bail!("{} cannot build for {target}: {}", choice.toolchain, String::from_utf8_lossy(&output.stderr).trim());
    }
    check_object(&dir.join("target").join(target).join("release/probe"))
}

fn write_package(dir: &Path) -> Result<()> {
    let write = || {
        fs::create_dir_all(dir.join("src"))?;
        fs::write(dir.join("Cargo.toml"), MANIFEST)?;
        // A new modification time makes cargo compile and link anew.
        fs::write(dir.join("src/main.rs"), PROGRAM)
    };
    write().with_context(|| format!("could not write to {}; is it yours?", dir.display()))
}

fn check_object(path: &Path) -> Result<()> {
    let object = fs::read(path).with_context(|| format!("the linker left no {}", path.display()))?;
    let (at, bpf) = ELF_MACHINE;
    ensure!(object.get(at..at + bpf.len()) == Some(bpf.as_slice()), "{} is no BPF object", path.display());
    Ok(())
}
