//! The list of what is linked into the program, in CycloneDX's form ([specification]).
//!
//! [specification]: https://cyclonedx.org/docs/1.5/json/

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::{program::output_of, workspace::cargo};

/// The package whose dependencies count.
const PROGRAM: &str = "reset-observer";

/// What cargo says of this workspace.
pub(crate) fn metadata() -> Result<Value> {
    let platform = ["--filter-platform", "x86_64-unknown-linux-gnu", "--features", super::ALL];
    let text = output_of(cargo("metadata").args(["--format-version", "1"]).args(platform))?;
    serde_json::from_str(&text).context("cargo metadata is not JSON")
}

/// The version of the program.
pub(crate) fn version(metadata: &Value) -> Result<String> {
    let program = packages(metadata)?.into_values().find(|package| package["name"] == PROGRAM);
    Ok(program.and_then(|package| package["version"].as_str()).context("the workspace has no program")?.to_owned())
}

/// The list.
pub(crate) fn of(metadata: &Value) -> Result<Value> {
    let packages = packages(metadata)?;
    let edges = edges(metadata)?;
    let root = *packages.iter().find(|(_, package)| package["name"] == PROGRAM).context("no such package")?.0;
    let linked = reachable(root, &edges);
    let component = |id: &&str| component(packages[*id]);
    let components: Vec<Value> = linked.iter().filter(|id| **id != root).map(component).collect();
    let depends = |id: &&str| {
        let on: Vec<String> = edges[*id].iter().map(|on| reference(packages[*on])).collect();
        json!({ "ref": reference(packages[*id]), "dependsOn": on })
    };
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": { "component": application(packages[root]) },
        "components": components,
        "dependencies": linked.iter().map(depends).collect::<Vec<_>>(),
    }))
}

fn packages(metadata: &Value) -> Result<BTreeMap<&str, &Value>> {
    let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
    packages.iter().map(|package| Ok((package["id"].as_str().context("a package without an id")?, package))).collect()
}

/// What each package links: dependencies of its build and of its tests are no part of it.
fn edges(metadata: &Value) -> Result<BTreeMap<&str, BTreeSet<&str>>> {
    let nodes = metadata["resolve"]["nodes"].as_array().context("cargo metadata resolves nothing")?;
    let is_linked = |dependency: &&Value| {
        dependency["dep_kinds"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
    };
    let mut all = BTreeMap::new();
    for node in nodes {
        let id = node["id"].as_str().context("a node without an id")?;
        let dependencies = node["deps"].as_array().context("a node without dependencies")?;
        all.insert(id, dependencies.iter().filter(is_linked).filter_map(|one| one["pkg"].as_str()).collect());
    }
    Ok(all)
}

fn reachable<'a>(root: &'a str, edges: &BTreeMap<&'a str, BTreeSet<&'a str>>) -> BTreeSet<&'a str> {
    let (mut seen, mut todo) = (BTreeSet::new(), vec![root]);
    while let Some(id) = todo.pop() {
        if seen.insert(id) {
            todo.extend(edges.get(id).into_iter().flatten());
        }
    }
    seen
}

fn reference(package: &Value) -> String {
    let text = |field: &str| package[field].as_str().unwrap_or_default();
    format!("pkg:cargo/{}@{}", text("name"), text("version"))
}

fn component(package: &Value) -> Value {
    let mut component = application(package);
    component["type"] = json!("library");
    component
}

fn application(package: &Value) -> Value {
    let mut component = json!({
        "type": "application",
        "bom-ref": reference(package),
        "name": package["name"],
        "version": package["version"],
        "purl": reference(package),
    });
    if let Some(license) = package["license"].as_str() {
        // Cargo's old way to write "or".
        component["licenses"] = json!([{ "expression": license.replace('/', " OR ") }]);
    }
    component
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_linked_is_listed() {
        let package = |name: &str| json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0" });
        let on = |name: &str, kind: Value| json!({ "pkg": name, "dep_kinds": [{ "kind": kind }] });
        let metadata = json!({
            "packages": [package(PROGRAM), package("linked"), package("deep"), package("tester"), package("builder")],
            "resolve": { "nodes": [
                { "id": PROGRAM, "deps": [on("linked", Value::Null), on("tester", json!("dev")), on("builder", json!("build"))] },
                { "id": "linked", "deps": [on("deep", Value::Null)] },
                { "id": "deep", "deps": [] }, { "id": "tester", "deps": [] }, { "id": "builder", "deps": [] },
            ] },
        });
        let list = of(&metadata).unwrap();
        let names: Vec<&Value> = list["components"].as_array().unwrap().iter().map(|one| &one["name"]).collect();
        assert_eq!(names, ["deep", "linked"]);
        assert_eq!(list["components"][0]["licenses"][0]["expression"], "MIT OR Apache-2.0");
        assert_eq!(list["metadata"]["component"]["purl"], "pkg:cargo/reset-observer@1.0.0");
    }
}
