//! `image`: a container image from scratch, and a run of it under the rights that the Kubernetes manifest gives.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::deb::copy;
use crate::{
    lab_tools,
    missing::Missing,
    pins::Pins,
    program::{find, run},
    release::{Release, oci::Layout},
    toolchain,
    workspace::{self, cargo, require_ebpf, root},
};

mod bundle;

const DESCRIPTION: &str = "Says why TCP connections between nginx and its upstream servers are reset";

/// Writes the image; with `test`, runs it by an OCI runtime and lets the lab look at what it says.
pub(crate) fn image(pins: &Pins, test: bool) -> Result<()> {
    require_ebpf("put into an image")?;
    toolchain::ensure(pins)?;
    let release = Release::build()?;
    let files = files(&release)?;
    let layout = Layout::new(release.empty("image")?, release.epoch)?;
    let reference = format!("reset-observer:{}", release.version);
    layout.write(&files, &process(&release), &reference)?;
    let archive = release.dist.join(format!("reset-observer-{}.oci.tar", release.version));
    layout.archive(&archive)?;
    println!("{}", archive.display());
    if test { run_it(&release, &files) } else { Ok(()) }
}

/// The files of the image.
fn files(release: &Release) -> Result<PathBuf> {
    let tree = release.empty("image-root")?;
    let program = tree.join("reset-observer");
    copy(&release.program, &program)?;
    run(Command::new("strip").arg("--strip-unneeded").arg(&program))?;
    for file in ["LICENSE-MIT", "LICENSE-APACHE"] {
        copy(&root().join(file), &tree.join("usr/share/doc/reset-observer").join(file))?;
    }
    copy(&release.sbom(), &tree.join("usr/share/doc/reset-observer/sbom.cdx.json"))?;
    // Where volumes are mounted: a runtime cannot make directories in a root that is read-only.
    for place in [
        "var/lib/reset-observer",
        "var/log/pods",
        "var/log/containers",
        "proc",
        "sys",
        "dev",
        "etc/reset-observer",
        "tmp",
    ] {
        fs::create_dir_all(tree.join(place))?;
    }
    Ok(tree)
}

fn process(release: &Release) -> Value {
    json!({
        "User": "0:0",
        "Entrypoint": ["/reset-observer"],
        "Cmd": ["daemon", "--web.listen-address=:9924"],
        "ExposedPorts": { "9924/tcp": {} },
        "WorkingDir": "/",
        "Labels": {
            "org.opencontainers.image.title": "reset-observer",
            "org.opencontainers.image.description": DESCRIPTION,
            "org.opencontainers.image.version": release.version,
            "org.opencontainers.image.licenses": "MIT OR Apache-2.0",
        },
    })
}

fn run_it(release: &Release, files: &std::path::Path) -> Result<()> {
    let runtime = find("runc").ok_or_else(|| {
        Missing::error(
            "running the image needs the OCI runtime runc",
            ["apt-get install --no-install-recommends runc".into()],
        )
    })?;
    let tools = lab_tools::ensure()?;
    let built = workspace::build()?;
    let manifest = fs::read_to_string(root().join("deploy/kubernetes/base/daemonset.yaml"))?;
    let manifest: Value = serde_saphyr::from_str(&manifest).context("the DaemonSet is not YAML")?;
    let directory = release.empty("bundle")?;
    bundle::write(&directory, files, &manifest)?;
    let mut test = cargo("test");
    test.args(["--package", "lab", "--test", "image", "--", "--test-threads=1", "--nocapture"]);
    tools.tell(&mut test);
    test.env("RESET_OBSERVER", &built.observer).env("LAB_BUNDLE", &directory).env("LAB_RUNC", runtime);
    run(&mut test)
}
