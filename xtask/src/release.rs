//! What is given out: one program without libraries, the pages and completions that go with it, and the list of what is
//! in it.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, ensure};

use crate::{
    program::{output_of, run},
    workspace::{self, cargo},
};

pub(crate) mod oci;
pub(crate) mod sbom;

/// What can be left out of the program, and is in what is given out.
pub(crate) const ALL: &str = "reset-observer/otlp";

/// Everything that a package or an image holds.
pub(crate) struct Release {
    /// The program, linked with its C library.
    pub(crate) program: PathBuf,
    /// The version of the workspace.
    pub(crate) version: String,
    /// Seconds since 1970 that files bear: `SOURCE_DATE_EPOCH`, else the time of the last commit.
    pub(crate) epoch: u64,
    /// Where to put what is made.
    pub(crate) dist: PathBuf,
}

impl Release {
    /// Builds the program and its list of crates.
    pub(crate) fn build() -> Result<Self> {
        let metadata = sbom::metadata()?;
        let version = sbom::version(&metadata)?;
        let target = metadata["target_directory"].as_str().context("cargo metadata names no target directory")?;
        let dist = Path::new(target).join("dist");
        fs::create_dir_all(&dist).with_context(|| format!("could not make {}", dist.display()))?;
        let release = Self { program: build_static()?, version, epoch: epoch()?, dist };
        fs::write(release.sbom(), serde_json::to_vec_pretty(&sbom::of(&metadata)?)?)?;
        Ok(release)
    }

    /// The list of crates, as CycloneDX.
    pub(crate) fn sbom(&self) -> PathBuf {
        self.dist.join("sbom.cdx.json")
    }

    /// Writes manual pages and completions; gives their directory.
    pub(crate) fn write_manual(&self) -> Result<PathBuf> {
        let directory = self.dist.join("manual");
        let _ = fs::remove_dir_all(&directory);
        let mut write = cargo("run");
        write
            .args(["--quiet", "--package", "reset-observer", "--features", ALL, "--example", "write-manual", "--"])
            .arg(&directory);
        run(&mut write)?;
        Ok(directory)
    }

    /// A directory of this name below `dist` with nothing in it.
    pub(crate) fn empty(&self, name: &str) -> Result<PathBuf> {
        let directory = self.dist.join(name);
        let _ = fs::remove_dir_all(&directory);
        fs::create_dir_all(&directory).with_context(|| format!("could not make {}", directory.display()))?;
        Ok(directory)
    }
}

/// Linked with glibc's static libraries: Debian has no musl target for Rust, and the program looks no names up, which is
/// what static glibc cannot do by itself. The flag is that of the target alone, so that procedural macros, which are
/// libraries, are built as ever.
fn build_static() -> Result<PathBuf> {
    let target = host_target()?;
    let variable = format!("CARGO_TARGET_{}_RUSTFLAGS", target.to_uppercase().replace('-', "_"));
    let mut build = cargo("build");
    build.args(["--release", "--package", "reset-observer", "--bin", "reset-observer", "--target", &target]);
    build.args(["--features", ALL]);
    build.env(variable, "-C target-feature=+crt-static");
    let program = workspace::executables(&mut build)?.remove("reset-observer").context("cargo built no program")?;
    let headers = output_of(Command::new("readelf").args(["--program-headers", "--wide"]).arg(&program))?;
    ensure!(!headers.contains("INTERP"), "{} is not static: it asks for a loader", program.display());
    Ok(program)
}

fn host_target() -> Result<String> {
    let version = output_of(Command::new("rustc").arg("-vV"))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    Ok(host.context("rustc names no host")?.to_owned())
}

fn epoch() -> Result<u64> {
    let text = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => output_of(Command::new("git").current_dir(workspace::root()).args(["log", "-1", "--format=%ct"]))?,
    };
    text.trim().parse().context("SOURCE_DATE_EPOCH is not a number of seconds")
}
