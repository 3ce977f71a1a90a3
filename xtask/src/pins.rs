//! The pins of `ebpf-toolchain.toml`.

use anyhow::{Context as _, Result};
use serde::Deserialize;

/// Which versions and packages make up the eBPF toolchain.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Pins {
    pub(crate) target: String,
    pub(crate) bpf_linker: BpfLinker,
    pub(crate) debian: Debian,
    pub(crate) nightly: Nightly,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct BpfLinker {
    pub(crate) version: String,
    pub(crate) llvm: Vec<u32>,
}

/// The way on Debian: packages with a prebuilt `core`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Debian {
    pub(crate) packages: Vec<String>,
    pub(crate) clippy: String,
    pub(crate) toolchain: String,
    pub(crate) prefix: String,
}

/// The way elsewhere: a nightly that builds `core` from source.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nightly {
    pub(crate) toolchain: String,
}

impl Pins {
    pub(crate) fn load() -> Result<Self> {
        toml::from_str(include_str!("../../ebpf-toolchain.toml")).context("ebpf-toolchain.toml does not read")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_version_is_exact() {
        let pins = Pins::load().unwrap();
        assert_eq!(pins.bpf_linker.version.split('.').count(), 3, "bpf-linker floats");
        assert!(pins.nightly.toolchain.strip_prefix("nightly-").is_some_and(|date| date.len() == 10), "nightly floats");
    }
}
