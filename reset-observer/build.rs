//! Builds the eBPF programs with the toolchain that `cargo xtask setup` chose, for `include_bytes!` to pick up.

use std::{env, fs, path::Path, path::PathBuf};

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain, build_ebpf};

#[path = "../xtask/src/toolchain/choice.rs"]
mod choice;
use choice::Choice;

const NO_TOOLCHAIN: &str = "no eBPF toolchain is set up: run `cargo xtask setup`, \
                            or set AYA_BUILD_SKIP=1 to build user space alone";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed=AYA_BUILD_SKIP");
    if skipped() {
        return write_empty_object();
    }
    for variable in ["XDG_CACHE_HOME", "HOME"] {
        println!("cargo:rerun-if-env-changed={variable}");
    }
    let record = choice::cache_dir().context(NO_TOOLCHAIN)?.join(choice::FILE);
    println!("cargo:rerun-if-changed={}", record.display());
    let choice = fs::read_to_string(&record).ok().and_then(|text| Choice::parse(&text)).context(NO_TOOLCHAIN)?;
    build(&choice).context("the eBPF programs could not be built; `cargo xtask setup` checks the toolchain")
}

/// The same values that aya-build takes for yes.
fn skipped() -> bool {
    env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

/// An empty object lets user space compile and be tested; loading it is refused at run time.
fn write_empty_object() -> Result<()> {
    let object = PathBuf::from(env::var_os("OUT_DIR").context("OUT_DIR is not set")?).join("reset-observer-programs");
    fs::write(&object, []).with_context(|| format!("could not write {}", object.display()))
}

/// Lets aya-build run the nested cargo.
fn build(choice: &Choice) -> Result<()> {
    prepare_nested_cargo(&choice.linker);
    let programs = Package {
        name: "reset-observer-ebpf",
        root_dir: "../reset-observer-ebpf",
        no_default_features: false,
        features: &["programs"],
    };
    build_ebpf([programs], Toolchain::Custom(&choice.toolchain))
}

/// aya-build has no parameters for these; the nested cargo takes them from the environment.
fn prepare_nested_cargo(linker: &Path) {
    println!("cargo:rerun-if-changed={}", linker.display());
    // SAFETY: a build script is a process of its own, and no other thread has been started yet.
    unsafe { env::set_var("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER", linker) };
    // aya-build turns each line that the nested cargo prints into a warning; this leaves the real ones.
    // SAFETY: as above.
    unsafe { env::set_var("CARGO_TERM_QUIET", "true") };
}
