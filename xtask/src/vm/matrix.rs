//! The pins of `kernel-matrix.toml`.

use std::{fmt::Write as _, fs, path::PathBuf};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::{missing::Missing, workspace};

/// Every kernel to boot.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Matrix {
    #[serde(rename = "kernel")]
    pub(super) kernels: Vec<Kernel>,
}

/// One kernel: the release that people know it by, and the packages that it comes in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernel {
    pub(super) version: String,
    /// Debian's suite; one that has security updates is read with them.
    pub(super) suite: String,
    #[serde(rename = "package")]
    pub(super) packages: Vec<Package>,
}

/// One package, exactly.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(super) struct Package {
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

/// What the file begins with.
const HEAD: &str = "\
# The kernels that `cargo xtask vm` boots: stock Debian packages, each pinned by its hash.
# `cargo xtask vm --pin` looks for newer ones of the same versions and writes this table anew.
";

impl Matrix {
    /// Reads the pins as they are now, not as they were when xtask was built.
    pub(super) fn load() -> Result<Self> {
        let text = fs::read_to_string(path()).with_context(|| format!("could not read {}", path().display()))?;
        toml::from_str(&text).context("kernel-matrix.toml does not read")
    }

    /// Writes the pins.
    pub(super) fn save(&self) -> Result<()> {
        fs::write(path(), self.render()).with_context(|| format!("could not write {}", path().display()))
    }

    /// The kernels of these versions; all if none is named.
    pub(super) fn chosen(&self, versions: &[String]) -> Result<Vec<Kernel>> {
        if versions.is_empty() {
            return Ok(self.kernels.clone());
        }
        versions.iter().map(|version| self.named(version)).collect()
    }

    fn named(&self, version: &str) -> Result<Kernel> {
        let found = self.kernels.iter().find(|kernel| kernel.version == version);
        found.cloned().ok_or_else(|| {
            let there: Vec<&str> = self.kernels.iter().map(|kernel| kernel.version.as_str()).collect();
            Missing::error(format!("kernel-matrix.toml has no kernel {version:?}; it has {}", there.join(", ")), [])
        })
    }

    fn render(&self) -> String {
        let mut text = HEAD.to_owned();
        for Kernel { version, suite, packages } in &self.kernels {
            // Writing to a string can't fail.
            let _ = write!(text, "\n[[kernel]]\nversion = {version:?}\nsuite = {suite:?}\n");
            for Package { name, version, sha256 } in packages {
                let _ =
                    write!(text, "\n[[kernel.package]]\nname = {name:?}\nversion = {version:?}\nsha256 = {sha256:?}\n");
            }
        }
        text
    }
}

impl Package {
    /// The package with everything after the kernel's version cut off: `linux-image` of `linux-image-6.1.0-50-amd64`.
    pub(super) fn stem(&self) -> &str {
        let digit = self.name.find(|c: char| c.is_ascii_digit());
        digit.map_or(self.name.as_str(), |at| self.name[..at].trim_end_matches('-'))
    }
}

fn path() -> PathBuf {
    workspace::root().join("kernel-matrix.toml")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_package_is_pinned_by_a_whole_hash() {
        for package in Matrix::load().unwrap().kernels.iter().flat_map(|kernel| &kernel.packages) {
            let hexadecimal = package.sha256.len() == 64 && package.sha256.chars().all(|c| c.is_ascii_hexdigit());
            assert!(hexadecimal, "{} is not pinned", package.name);
        }
    }

    #[test]
    fn what_is_written_reads_back() {
        let matrix = Matrix::load().unwrap();
        assert_eq!(toml::from_str::<Matrix>(&matrix.render()).unwrap(), matrix);
    }

    #[test]
    fn a_kernel_that_is_not_there_is_answered_with_those_that_are() {
        let error = Matrix::load().unwrap().chosen(&["4.19".into()]).unwrap_err().to_string();
        assert!(error.contains("4.19") && error.contains("5.10"), "{error}");
    }

    #[test]
    fn the_stem_is_what_stands_before_the_version() {
        let package = |name: &str| Package { name: name.into(), version: String::new(), sha256: String::new() };
        assert_eq!(package("linux-image-6.1.0-50-amd64").stem(), "linux-image");
        assert_eq!(package("linux-binary-7.2.13+deb14-amd64").stem(), "linux-binary");
    }
}
