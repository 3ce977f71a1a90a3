//! What the observer says of this kernel, and what `docs/kernel-support.md` says of those that were booted.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use lab::lock::MachineLock;
use lab::observer::Observer;
use lab::programs;
use serde_json::Value;

/// What `cargo xtask vm` wrote down of its last runs.
const SEEN: &str = include_str!("../../docs/kernel-support.json");

#[test]
fn every_feature_that_the_observer_names_is_on_the_page_for_every_kernel() {
    if programs::has_root() {
        compare().unwrap();
    }
}

fn compare() -> Result<()> {
    let _machine = MachineLock::take()?;
    let mut observer = Observer::start(&["observe", "--output", "json"], |_| ())?;
    let ready = observer.wait_until_ready()?;
    observer.finish()?;
    let seen: Value = serde_json::from_str(SEEN)?;
    for kernel in seen.as_array().context("no list of kernels")? {
        let same = names(&kernel["features"]) == names(&ready["features"]);
        ensure!(same, "docs/kernel-support.md is stale for Linux {}: type `cargo xtask vm`", kernel["version"]);
    }
    Ok(())
}

fn names(features: &Value) -> BTreeSet<&String> {
    features.as_object().into_iter().flatten().map(|(name, _)| name).collect()
}
