//! `monitoring`: the alerts and the dashboard under a real Prometheus and Alertmanager; verdicts on their way to a collector.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::{
    apt, lab_tools,
    missing::Missing,
    pins::Pins,
    program::{find, is_root, run, run_aloud, typed_as_root},
    toolchain::{self, cache_dir},
    workspace::{self, cargo, require_ebpf, root},
};

/// Debian's packages; they are unpacked, neither installed nor started. The client library for Python has the reference
/// parser of OpenMetrics, and needs the last of them.
const PACKAGES: [&str; 4] = ["prometheus", "prometheus-alertmanager", "python3-prometheus-client", "python3-decorator"];

/// Of each package a file, by which it is known to be there.
const UNPACKED: [&str; 4] = [
    "usr/bin/promtool",
    "usr/bin/prometheus-alertmanager",
    "usr/lib/python3/dist-packages/prometheus_client/openmetrics/parser.py",
    "usr/lib/python3/dist-packages/decorator.py",
];

/// Checks the rules and their unit tests, then lets the lab see each alert fire, each panel have data, and
/// verdicts arrive at a collector.
pub(crate) fn monitoring(pins: &Pins) -> Result<()> {
    require_ebpf("watch")?;
    if find("python3").is_none() {
        let what = "the reference parser of OpenMetrics needs Python";
        return Err(Missing::error(what, apt::by_hand(&["python3".to_owned()])));
    }
    let home = unpacked()?;
    let rules = root().join("deploy/prometheus");
    let promtool = || Command::new(home.join("usr/bin/promtool"));
    run(promtool().args(["check", "rules"]).arg(rules.join("rules.yaml")))?;
    run(promtool().args(["test", "rules"]).arg(rules.join("rules.test.yaml")))?;
    toolchain::ensure(pins)?;
    let tools = lab_tools::ensure()?;
    run(cargo("test").args(["--package", "reset-observer", "--features", "otlp", "--lib", "otlp"]))?;
    let built = workspace::build_whole()?;
    let mut test = cargo("test");
    test.args(["--package", "lab", "--test", "monitoring", "--test", "otlp", "--", "--test-threads=1", "--nocapture"]);
    tools.tell(&mut test);
    test.env("RESET_OBSERVER", &built.observer).env("LAB_MONITORING", &home);
    if !is_root() {
        return Err(Missing::error("the lab needs root", [typed_as_root(&test)]));
    }
    run(&mut test)
}

fn unpacked() -> Result<PathBuf> {
    let home = cache_dir()?.join("monitoring");
    if UNPACKED.iter().all(|file| home.join(file).exists()) {
        return Ok(home);
    }
    let draft = cache_dir()?.join("monitoring.draft");
    let _ = fs::remove_dir_all(&draft);
    fs::create_dir_all(draft.join("root"))?;
    download(&draft)?;
    for file in fs::read_dir(&draft)?.flatten().map(|file| file.path()) {
        if file.extension().is_some_and(|end| end == "deb") {
            run_aloud("unpacking it", Command::new("dpkg-deb").arg("-x").arg(&file).arg(draft.join("root")))?;
        }
    }
    let _ = fs::remove_dir_all(&home);
    fs::rename(draft.join("root"), &home).with_context(|| format!("could not move it to {}", home.display()))?;
    fs::remove_dir_all(&draft)?;
    Ok(home)
}

fn download(directory: &Path) -> Result<()> {
    let packages = PACKAGES.map(String::from);
    if !apt::offers(&packages)? {
        return Err(Missing::error(
            "Prometheus, Alertmanager and the client library for Python are needed, as Debian packages",
            apt::by_hand(&packages),
        ));
    }
    let mut download = Command::new("apt-get");
    download.current_dir(directory).args(["download", "-q"]).args(PACKAGES);
    if is_root() {
        // apt's own user can't write to root's cache.
        download.args(["-o", "APT::Sandbox::User=root"]);
    }
    run_aloud("fetching Prometheus and its company; nothing is installed nor started", &mut download)
}
