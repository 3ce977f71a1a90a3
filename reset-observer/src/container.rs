//! In which container, pod or service a process runs, by its cgroup.
//!
//! The kernel's records carry the id of the cgroup (v2) that a socket was created in, which is the inode of the cgroup's
//! directory. Its path names the container and the pod's uid; the names of pods are read from the directory of logs that
//! the kubelet keeps on each node. No Kubernetes API is asked: it would take a token, rights to read all pods of the node
//! and a client with TLS, to learn two names that lie on the disk of every node anyway.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::record::KernelTime;

mod cgroups;
pub mod path;
mod pods;

use cgroups::Cgroups;
use path::CgroupName;
use pods::Pods;

/// Where the kubelet keeps the logs of its pods ([source]).
///
/// [source]: https://github.com/kubernetes/kubernetes/blob/v1.31.0/pkg/kubelet/kuberuntime/helpers.go#L181-L199
pub const POD_LOGS: &str = "/var/log/pods";

/// Cgroups of processes to remember.
const MAX_PROCESSES: usize = 1024;

/// So long a process is taken to be in the same cgroup, and to be the same process if it has the same name.
const PROCESS_MEMORY: Duration = Duration::from_secs(60);

/// What runs a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Runtime {
    /// containerd under Kubernetes.
    Containerd,
    /// CRI-O.
    CriO,
    /// Docker.
    Docker,
    /// Podman.
    Podman,
    /// LXC or LXD.
    Lxc,
}

/// A Kubernetes pod. Names are `null` where the kubelet's directory of logs does not tell.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Pod {
    /// Its uid; for a static pod, the hash that the kubelet uses in its place.
    pub uid: String,
    /// Its name.
    pub name: Option<String>,
    /// Its namespace.
    pub namespace: Option<String>,
    /// Name of the container in the pod.
    pub container: Option<String>,
}

/// Where a process runs. At least one field is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Container {
    /// The container's id: 64 hexadecimal digits, or LXC's name.
    pub id: Option<String>,
    /// What runs it, where the path tells.
    pub runtime: Option<Runtime>,
    /// The pod it belongs to.
    pub pod: Option<Pod>,
    /// The systemd service or scope that it runs in, inside the container if there is one.
    pub unit: Option<String>,
}

/// Finds containers. Reads cgroups and the kubelet's directory of logs when an unknown one shows up, at bounded rates.
pub struct Containers {
    cgroups: Cgroups,
    pods: Pods,
    /// Paths of the cgroups of processes, by pid and name.
    processes: HashMap<(u32, String), Option<String>>,
    processes_since: KernelTime,
}

impl Containers {
    /// Finds containers of this host; `pod_logs` is the kubelet's directory, which need not exist.
    #[must_use]
    pub fn of_host(pod_logs: &Path) -> Self {
        Self::new(cgroups::mount_point(), pod_logs)
    }

    fn new(cgroup2: Option<PathBuf>, pod_logs: &Path) -> Self {
        Self {
            cgroups: Cgroups::below(cgroup2),
            pods: Pods::in_directory(pod_logs),
            processes: HashMap::new(),
            processes_since: KernelTime(0),
        }
    }

    /// The container of a socket created in cgroup `id`, or else of `process` (pid and name), which holds it. The former
    /// is known also after the process is gone; the latter decides where cgroups v1 are in use, and the path is found
    /// there only.
    pub fn find(&mut self, id: Option<u64>, process: Option<(u32, &str)>, now: KernelTime) -> Option<Container> {
        let by_socket = id.and_then(|id| self.cgroups.path(id, now)).and_then(path::parse);
        let name = match (by_socket, process) {
            (Some(name), _) => name,
            (None, Some((pid, comm))) => path::parse(self.cgroup_of_process(pid, comm, now)?)?,
            (None, None) => return None,
        };
        Some(self.with_names(name, now))
    }

    fn cgroup_of_process(&mut self, pid: u32, comm: &str, now: KernelTime) -> Option<&str> {
        if self.processes.len() >= MAX_PROCESSES || now.since(self.processes_since) > PROCESS_MEMORY {
            self.processes.clear();
            self.processes_since = now;
        }
        let path = self.processes.entry((pid, comm.to_owned())).or_insert_with(|| cgroups::of_process(pid));
        path.as_deref()
    }

    fn with_names(&mut self, name: CgroupName, now: KernelTime) -> Container {
        let CgroupName { id, runtime, pod_uid, unit } = name;
        let pod = self.pods.find(pod_uid.as_deref(), id.as_deref(), now);
        Container { id, runtime, pod, unit }
    }
}

/// The name of this node: `NODE_NAME`, which a pod's manifest can set by the downward API, else the host's name.
#[must_use]
pub fn node_name() -> String {
    let told = std::env::var("NODE_NAME").ok().filter(|name| !name.is_empty());
    told.unwrap_or_else(|| rustix::system::uname().nodename().to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests;
