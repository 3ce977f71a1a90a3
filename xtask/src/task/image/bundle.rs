//! What a kubelet and a container runtime make of the manifest: an OCI bundle with its rights, its mounts and its
//! namespaces ([specification]).
//!
//! [specification]: https://github.com/opencontainers/runtime-spec/blob/v1.2.0/config.md

use std::{fs, path::Path};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

/// What container runtimes hide, and what they make read-only ([source]).
///
/// [source]: https://github.com/containerd/containerd/blob/v1.7.0/oci/spec.go#L178-L198
const MASKED: [&str; 9] = [
    "/proc/acpi",
    "/proc/asound",
    "/proc/kcore",
    "/proc/keys",
    "/proc/latency_stats",
    "/proc/timer_list",
    "/proc/timer_stats",
    "/proc/sched_debug",
    "/sys/firmware",
];
const READ_ONLY: [&str; 5] = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"];

/// Writes the bundle of the DaemonSet's only container; what it mounts of the node is in `directory/node`.
pub(super) fn write(directory: &Path, files: &Path, manifest: &Value) -> Result<()> {
    let config = config(files, manifest, &directory.join("node"))?;
    for mount in config["mounts"].as_array().into_iter().flatten().filter(|mount| mount["type"] == "bind") {
        fs::create_dir_all(mount["source"].as_str().context("a mount without a source")?)?;
    }
    Ok(fs::write(directory.join("config.json"), serde_json::to_vec_pretty(&config)?)?)
}

fn config(files: &Path, manifest: &Value, node: &Path) -> Result<Value> {
    let pod = &manifest["spec"]["template"]["spec"];
    let containers = pod["containers"].as_array().context("the DaemonSet has no containers")?;
    ensure!(containers.len() == 1, "the DaemonSet has {} containers, one was expected", containers.len());
    let container = &containers[0];
    let mut namespaces = vec!["mount", "ipc", "uts", "cgroup"];
    let shared = |field: &str| pod[field].as_bool().unwrap_or(false);
    namespaces.extend((!shared("hostPID")).then_some("pid"));
    namespaces.extend((!shared("hostNetwork")).then_some("network"));
    let namespaces: Vec<Value> = namespaces.iter().map(|kind| json!({ "type": kind })).collect();
    let rights = &container["securityContext"];
    Ok(json!({
        "ociVersion": "1.0.2",
        "process": process(container, rights)?,
        "root": { "path": files, "readonly": rights["readOnlyRootFilesystem"] },
        "hostname": "reset-observer",
        "mounts": mounts(pod, container, node)?,
        "linux": {
            "namespaces": namespaces,
            "maskedPaths": MASKED,
            "readonlyPaths": READ_ONLY,
            "resources": { "memory": { "limit": memory_limit(container)? } },
        },
    }))
}

/// In bytes.
fn memory_limit(container: &Value) -> Result<u64> {
    let limit = container["resources"]["limits"]["memory"].as_str().context("the manifest limits no memory")?;
    let mebibytes = limit.strip_suffix("Mi").with_context(|| format!("{limit} is no number of Mi"))?;
    Ok(mebibytes.parse::<u64>()? << 20)
}

fn process(container: &Value, rights: &Value) -> Result<Value> {
    ensure!(rights["privileged"] == false, "the manifest asks for a privileged container");
    ensure!(rights["capabilities"]["drop"] == json!(["ALL"]), "the manifest does not drop all capabilities");
    let added = rights["capabilities"]["add"].as_array().context("the manifest adds no capability")?;
    let capabilities: Vec<String> = added.iter().filter_map(Value::as_str).map(|name| format!("CAP_{name}")).collect();
    let arguments = container["args"].as_array().context("the manifest has no arguments")?;
    let arguments: Vec<Value> = [json!("/reset-observer")].into_iter().chain(arguments.iter().cloned()).collect();
    Ok(json!({
        "terminal": false,
        "user": { "uid": rights["runAsUser"], "gid": rights["runAsGroup"] },
        "args": arguments,
        "env": ["NODE_NAME=node-a"],
        "cwd": "/",
        "noNewPrivileges": rights["allowPrivilegeEscalation"] == false,
        "capabilities": { "bounding": capabilities, "effective": capabilities, "permitted": capabilities },
    }))
}

fn mounts(pod: &Value, container: &Value, node: &Path) -> Result<Vec<Value>> {
    let kernel = |kind: &str, to: &str, options: &[&str]| json!({ "type": kind, "source": kind, "destination": to, "options": options });
    let mut all = vec![
        kernel("proc", "/proc", &["nosuid", "noexec", "nodev"]),
        kernel("tmpfs", "/dev", &["nosuid", "strictatime", "mode=755", "size=65536k"]),
        kernel("sysfs", "/sys", &["nosuid", "noexec", "nodev", "ro"]),
    ];
    for mount in container["volumeMounts"].as_array().into_iter().flatten() {
        let volumes = pod["volumes"].as_array().context("the manifest mounts volumes that it does not name")?;
        let volume = volumes.iter().find(|volume| volume["name"] == mount["name"]);
        let path = volume.and_then(|volume| volume["hostPath"]["path"].as_str()).context("not a path of the node")?;
        let access = if mount["readOnly"] == true { "ro" } else { "rw" };
        let source = node.join(path.trim_start_matches('/'));
        all.push(json!({ "type": "bind", "source": source, "destination": mount["mountPath"], "options": ["rbind", access] }));
    }
    Ok(all)
}
