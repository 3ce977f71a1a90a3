//! `docs/kernel-support.md`, written from what the runs saw. What they saw is kept beside it, so that a run on one
//! kernel leaves the others' columns as they are, and so that a test can tell when the page is stale.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use super::sighting::{Sighting, word};
use crate::workspace;

const PAGE: &str = "docs/kernel-support.md";
const SIGHTINGS: &str = "docs/kernel-support.json";

const HEAD: &str = "\
# Kernel support

<!-- Written by `cargo xtask vm` from what it saw; a test fails when this page is stale. Edit nothing here. -->

reset-observer runs on Linux 5.10 and later with BTF (`/sys/kernel/btf/vmlinux`), which distribution kernels have. It asks
the running kernel what it has and never goes by its version.

Below is what stock Debian kernels showed when `cargo xtask vm` booted them: the real programs were loaded, real resets
were made, and each record was compared with what had happened. **not told** means that the kernel itself does not tell
of it, which was shown without the observer's help; nothing is made up there.
";

/// Notes what one kernel showed and writes the page anew.
pub(super) fn record(sighting: &Sighting) -> Result<()> {
    let mut sightings = load()?;
    sightings.retain(|other| other.version != sighting.version);
    sightings.push(sighting.clone());
    sightings.sort_by_key(|sighting| number(&sighting.version));
    let json = serde_json::to_string_pretty(&sightings).context("a sighting that is no JSON")? + "\n";
    save(SIGHTINGS, &json)?;
    save(PAGE, &render(&sightings))
}

fn load() -> Result<Vec<Sighting>> {
    let path = path(SIGHTINGS);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(&path).with_context(|| format!("could not read {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} does not read; remove it", path.display()))
}

fn save(name: &str, text: &str) -> Result<()> {
    let path = path(name);
    fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).context("could not make docs/")?;
    fs::write(&path, text).with_context(|| format!("could not write {}", path.display()))
}

fn path(name: &str) -> PathBuf {
    workspace::root().join(name)
}

/// `5.10` is after `5.4`.
fn number(version: &str) -> Vec<u32> {
    version.split('.').filter_map(|part| part.parse().ok()).collect()
}

fn render(sightings: &[Sighting]) -> String {
    let kernel = |sighting: &Sighting| {
        vec![sighting.version.clone(), sighting.suite.clone(), sighting.package.clone(), sighting.release.clone()]
    };
    let mut page = HEAD.to_owned();
    page += "\n## Kernels\n\n";
    page += &table(&["Linux", "Debian", "package", "release"], sightings.iter().map(kernel));
    page += "\n## Features\n\nA feature that a kernel has and the observer does not use fails the run.\n\n";
    page += &by_kernel("feature", sightings, &feature_names(sightings), feature);
    page += "\n## Programs\n\n";
    page += &by_kernel("program", sightings, &program_names(sightings), program);
    page += "\n## What was made to happen, and recorded\n\n";
    page += &by_kernel("check", sightings, &check_names(sightings), outcome);
    page += "\nWhat each check shows:\n\n";
    for (name, claim) in claims(sightings) {
        // Writing to a string can't fail.
        let _ = writeln!(page, "- `{name}`: {claim}");
    }
    page
}

fn feature(sighting: &Sighting, name: &str) -> &'static str {
    match sighting.features.get(name) {
        Some(true) => "yes",
        Some(false) => "-",
        None => "not asked",
    }
}

fn program(sighting: &Sighting, name: &str) -> &'static str {
    if sighting.programs.iter().any(|program| program == name) { "yes" } else { "-" }
}

fn outcome(sighting: &Sighting, name: &str) -> &'static str {
    let check = sighting.checks.iter().find(|check| check.name == name);
    check.map_or("not run", |check| word(check.outcome))
}

fn feature_names(sightings: &[Sighting]) -> Vec<String> {
    distinct(sightings.iter().flat_map(|sighting| sighting.features.keys().cloned()))
}

fn program_names(sightings: &[Sighting]) -> Vec<String> {
    distinct(sightings.iter().flat_map(|sighting| sighting.programs.iter().cloned()))
}

fn check_names(sightings: &[Sighting]) -> Vec<String> {
    claims(sightings).into_iter().map(|(name, _)| name).collect()
}

fn claims(sightings: &[Sighting]) -> Vec<(String, String)> {
    let mut seen = BTreeSet::new();
    let all = sightings.iter().flat_map(|sighting| &sighting.checks);
    all.filter(|check| seen.insert(check.name.clone())).map(|check| (check.name.clone(), check.claim.clone())).collect()
}

fn distinct(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// One row for each name, one column for each kernel.
fn by_kernel(
    what: &str,
    sightings: &[Sighting],
    names: &[String],
    cell: fn(&Sighting, &str) -> &'static str,
) -> String {
    let mut head = vec![what];
    head.extend(sightings.iter().map(|sighting| sighting.version.as_str()));
    let row = |name: &String| {
        let cells = sightings.iter().map(|sighting| cell(sighting, name).to_owned());
        [format!("`{name}`")].into_iter().chain(cells).collect()
    };
    table(&head, names.iter().map(row))
}

fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = format!("| {} |\n|{}\n", head.join(" | "), "---|".repeat(head.len()));
    rows.for_each(|row| table += &format!("| {} |\n", row.join(" | ")));
    table
}

#[cfg(test)]
mod tests;
