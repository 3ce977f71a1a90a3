//! This workspace, as cargo builds it.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};

use crate::{missing::Missing, program::typed, release};

/// Where the workspace lies.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// Whether the eBPF programs are left out of this build, as the build script sees it.
pub(crate) fn without_ebpf() -> bool {
    env::var("AYA_BUILD_SKIP").is_ok_and(|value| value == "1" || value.eq_ignore_ascii_case("true"))
}

/// cargo in the workspace, with the lock file as it is.
pub(crate) fn cargo(subcommand: &str) -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root()).args([subcommand, "--locked"]);
    cargo
}

/// Runs a cargo command that builds, and returns what can be executed, by target name.
pub(crate) fn executables(build: &mut Command) -> Result<BTreeMap<String, PathBuf>> {
    build.arg("--message-format=json-render-diagnostics").stdin(Stdio::null()).stderr(Stdio::inherit());
    let output = build.output().with_context(|| format!("could not start `{}`", typed(build)))?;
    if !output.status.success() {
        bail!("`{}` failed ({}); its reason is above", typed(build), output.status);
    }
    Ok(executables_in(&String::from_utf8_lossy(&output.stdout)))
}

/// The observer and the lab, of one build.
pub(crate) struct Built {
    pub(crate) observer: PathBuf,
    pub(crate) lab: PathBuf,
}

/// Builds both in the dev profile.
pub(crate) fn build() -> Result<Built> {
    build_with(&[])
}

/// The same, the observer with all that can be left out.
pub(crate) fn build_whole() -> Result<Built> {
    build_with(&["--features", release::ALL])
}

/// Builds both as for a release.
pub(crate) fn build_release() -> Result<Built> {
    build_with(&["--release"])
}

fn build_with(flags: &[&str]) -> Result<Built> {
    let mut build = cargo("build");
    build.args(["--package", "reset-observer", "--package", "lab", "--bins"]).args(flags);
    let mut built = executables(&mut build)?;
    let mut take = |name: &str| built.remove(name).with_context(|| format!("cargo built no `{name}`"));
    Ok(Built { observer: take("reset-observer")?, lab: take("lab")? })
}

/// Fails where the programs are needed but the build is told to leave them out.
pub(crate) fn require_ebpf(task: &str) -> Result<()> {
    if without_ebpf() {
        let what = format!("AYA_BUILD_SKIP is set, and without the eBPF programs there is nothing to {task}");
        return Err(Missing::error(what, ["unset AYA_BUILD_SKIP".into()]));
    }
    Ok(())
}

fn executables_in(messages: &str) -> BTreeMap<String, PathBuf> {
    let messages = messages.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let executable = |message: serde_json::Value| {
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, message["executable"].as_str()?.into()))
    };
    messages.filter_map(executable).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_executed_is_returned() {
        let messages = r#"{"reason":"compiler-artifact","target":{"name":"lab"},"executable":null}
{"reason":"compiler-artifact","target":{"name":"lab"},"executable":"/target/debug/lab"}
{"reason":"build-finished","success":true}
not json"#;
        assert_eq!(executables_in(messages), BTreeMap::from([("lab".to_owned(), "/target/debug/lab".into())]));
    }
}
