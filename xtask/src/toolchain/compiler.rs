//! The Rust compilers on this machine, and whether one of them has what a BPF target needs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::program::{find, output_of};

/// A toolchain by the name that `rustup run` knows it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Compiler {
    pub(crate) name: String,
}

impl Compiler {
    pub(crate) fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// A program of this toolchain. Without rustup there is one toolchain, and aya-build uses it likewise.
    pub(crate) fn command(&self, program: &str) -> Command {
        if find("rustup").is_none() {
            return Command::new(program);
        }
        let mut command = Command::new("rustup");
        command.args(["run", &self.name, program]);
        command
    }

    /// What `rustc -vV` says.
    pub(crate) fn version(&self) -> Result<Version> {
        let text = output_of(self.command("rustc").arg("-vV"))?;
        Version::parse(&text).with_context(|| format!("rustc of {} does not tell its LLVM version", self.name))
    }

    /// Where its libraries are.
    pub(crate) fn sysroot(&self) -> Result<PathBuf> {
        Ok(output_of(self.command("rustc").args(["--print", "sysroot"]))?.trim().into())
    }

    /// Whether `core` can be had for `target`: built already, or as source that this compiler may build.
    pub(crate) fn has_core(&self, target: &str) -> bool {
        let (Ok(version), Ok(sysroot)) = (self.version(), self.sysroot()) else { return false };
        if version.nightly {
            sysroot.join("lib/rustlib/src/rust/library/core").is_dir()
        } else {
            has_prebuilt_core(&sysroot, target)
        }
    }
}

/// Whether the compiler under `sysroot` brings a compiled `core` for `target`.
pub(crate) fn has_prebuilt_core(sysroot: &Path, target: &str) -> bool {
    let Ok(files) = fs::read_dir(sysroot.join("lib/rustlib").join(target).join("lib")) else { return false };
    files.flatten().any(|file| file.file_name().to_string_lossy().starts_with("libcore-"))
}

/// All the compilers here; the one that stands without rustup goes by the name `system`.
pub(crate) fn all() -> Vec<Compiler> {
    if find("rustup").is_none() {
        return vec![Compiler::named("system")];
    }
    let list = output_of(Command::new("rustup").args(["toolchain", "list", "--quiet"])).unwrap_or_default();
    list.lines().filter_map(|line| line.split_whitespace().next()).map(Compiler::named).collect()
}

/// The parts of `rustc -vV` that decide how a BPF object is built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) release: String,
    pub(crate) llvm_major: u32,
    pub(crate) nightly: bool,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let value = |key| text.lines().find_map(|line| line.strip_prefix(key)).map(str::trim);
        let release = value("release:")?.to_owned();
        let llvm_major = value("LLVM version:")?.split('.').next()?.parse().ok()?;
        // aya-build decides by the same mark whether to build `core`.
        let nightly = release.contains("-nightly");
        Some(Self { release, llvm_major, nightly })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nightly_is_told_from_a_release() {
        let nightly = "rustc 1.97.0-nightly (e50aa6fba 2026-05-19)\nrelease: 1.97.0-nightly\nLLVM version: 22.1.4\n";
        let version = Version::parse(nightly).unwrap();
        assert_eq!(version, Version { release: "1.97.0-nightly".into(), llvm_major: 22, nightly: true });
        assert!(!Version::parse("release: 1.96.0\nLLVM version: 22.1\n").unwrap().nightly);
    }

    #[test]
    fn a_compiler_without_llvm_is_no_use() {
        assert_eq!(Version::parse("release: 1.96.0\n"), None);
    }
}
