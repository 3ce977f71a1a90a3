//! A verdict names the pods of both ends.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::{Value, json};

use lab::cgroup::Cgroup;
use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::observer::Observer;
use lab::programs::has_root;

/// How long a verdict may take.
const PATIENCE: Duration = Duration::from_secs(5);

const UID: &str = "ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f";
const PROXY: &str = "0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef";
const BACKEND: &str = "851c75dad6ad8ce6a5d9b9129a4eb1645f7c6e5ba8406b12d50377b665737072";

#[test]
fn a_reset_between_two_containers_names_both() {
    if has_root() {
        between_containers().unwrap();
    }
}

fn between_containers() -> Result<()> {
    let _machine = MachineLock::take()?;
    let ground = Ground::new()?;
    let logs = pod_logs(ground.scratch())?;
    let uid = UID.replace('-', "_");
    let class = "kubepods.slice/kubepods-burstable.slice";
    let pod = Cgroup::new(&format!("{class}/kubepods-burstable-pod{uid}.slice/cri-containerd-{PROXY}.scope"))?;
    let container = Cgroup::new(&format!("system.slice/docker-{BACKEND}.scope"))?;
    let _backend = container.around(|| ground.backend(&[]))?;
    let _nginx = pod.around(|| ground.nginx(&Settings::default()))?;

    let observer = Observer::observe_with(&["--pod-logs", logs.to_str().context("not UTF-8")?])?;
    ground.client()?.post("/linger0", "x")?;
    let upstream = |line: &Value| line["type"] == "verdict" && line["leg"] == "upstream";
    let verdict = observer.wait_for_json(0, PATIENCE, upstream)?;
    let named = json!({ "uid": UID, "name": "web-7d9c", "namespace": "shop", "container": "nginx" });
    let expected = json!({ "id": PROXY, "runtime": "containerd", "pod": named, "unit": null });
    assert_eq!(verdict["container"], expected, "{verdict}");
    let expected = json!({ "id": BACKEND, "runtime": "docker", "pod": null, "unit": null });
    assert_eq!(verdict["remote_container"], expected, "{verdict}");
    Ok(())
}

/// What the kubelet would leave on this node's disk.
fn pod_logs(scratch: &Path) -> Result<std::path::PathBuf> {
    let logs = scratch.join("log/pods");
    fs::create_dir_all(logs.join(format!("shop_web-7d9c_{UID}/nginx")))?;
    fs::create_dir_all(logs.join(format!("shop_web-7d9c_{UID}/agent")))?;
    let links = scratch.join("log/containers");
    fs::create_dir_all(&links)?;
    let target = format!("/var/log/pods/shop_web-7d9c_{UID}/nginx/0.log");
    std::os::unix::fs::symlink(target, links.join(format!("web-7d9c_shop_nginx-{PROXY}.log")))?;
    Ok(logs)
}
