//! bpf-linker: where there may be one already, and building it against the LLVM of a compiler.

use std::{
    fs, io,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::compiler::Compiler;
use crate::{
    missing::Missing,
    pins::Pins,
    program::{find, run_aloud, typed},
};

/// The linkers here: the user's own first, then the one that `setup` builds.
pub(crate) fn all(cache: &Path) -> Vec<PathBuf> {
    let built = built_in(cache);
    find("bpf-linker").into_iter().chain(built.exists().then_some(built)).collect()
}

fn built_in(cache: &Path) -> PathBuf {
    cache.join("bpf-linker/bin/bpf-linker")
}

/// Builds the pinned bpf-linker for `compiler` into the cache; crates.io's hashes are in its lock file.
pub(crate) fn build(pins: &Pins, compiler: &Compiler, cache: &Path) -> Result<PathBuf> {
    let llvm = compiler.version()?.llvm_major;
    let prefix = match own_llvm(compiler, cache)? {
        Some(prefix) => prefix,
        None => debian_llvm(llvm)?,
    };
    let mut install = Command::new("cargo");
    install.env("LLVM_PREFIX", prefix);
    install.args(["install", "bpf-linker", "--version", &pins.bpf_linker.version, "--locked", "--force", "--quiet"]);
    install.args(["--no-default-features", "--features", &format!("llvm-{llvm}"), "--root"]);
    install.arg(cache.join("bpf-linker"));
    run_aloud("building bpf-linker, about a minute", &mut install).map_err(|error| {
        Missing::error(
            format!("bpf-linker could not be built: {error:#}; with crates.io in reach, try again"),
            [typed(&install), "cargo xtask setup".into()],
        )
    })?;
    Ok(built_in(cache))
}

/// The compiler's own shared LLVM, as rustup's toolchains bring it, laid out so that it can be linked against.
fn own_llvm(compiler: &Compiler, cache: &Path) -> Result<Option<PathBuf>> {
    let mut libraries = Vec::new();
    for file in fs::read_dir(compiler.sysroot()?.join("lib"))? {
        let path = file?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.starts_with("libLLVM") && name.contains("-rust-") {
            libraries.push((name, path));
        }
    }
    let prefix = cache.join("rustc-llvm").join(&compiler.name);
    for (name, path) in &libraries {
        // By the name that the loader looks for, and by the one that `-lLLVM` finds.
        let names = if name.contains(".so.") { vec![name.as_str(), "libLLVM.so"] } else { vec![name.as_str()] };
        names.into_iter().try_for_each(|name| link(path, &prefix.join("lib").join(name)))?;
    }
    Ok((!libraries.is_empty()).then_some(prefix))
}

fn link(target: &Path, name: &Path) -> Result<()> {
    let make = || {
        fs::create_dir_all(name.parent().unwrap_or(Path::new("/")))?;
        match fs::remove_file(name) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => symlink(target, name),
        }
    };
    make().with_context(|| format!("could not link {}", name.display()))
}

fn debian_llvm(major: u32) -> Result<PathBuf> {
    let prefix = PathBuf::from(format!("/usr/lib/llvm-{major}"));
    if prefix.join("lib/libLLVM.so").exists() || prefix.join(format!("lib/libLLVM-{major}.so")).exists() {
        return Ok(prefix);
    }
    Err(Missing::error(
        format!("bpf-linker needs LLVM {major}, as the compiler has it, and {} has none", prefix.display()),
        crate::apt::by_hand(&[format!("llvm-{major}-dev")]),
    ))
}
