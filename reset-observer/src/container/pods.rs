//! Names of pods, from what the kubelet leaves on the node's disk.

use std::{
    collections::HashMap,
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use super::Pod;
use crate::record::KernelTime;

/// The directories are read at most so often: one reading costs some 5 µs for each container.
const READ_INTERVAL: Duration = Duration::from_secs(5);

/// Entries to read of each directory. A node runs up to some hundreds of pods.
const MAX_ENTRIES: usize = 1 << 14;

/// `NAMESPACE_NAME_UID`, as the kubelet calls the directory of a pod's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PodDirectory {
    namespace: String,
    name: String,
    uid: String,
}

impl PodDirectory {
    /// None of the three may hold an underscore.
    fn parse(directory: &str) -> Option<Self> {
        let parts: Vec<&str> = directory.split('_').collect();
        let [namespace, name, uid] = parts[..] else { return None };
        let all_there = ![namespace, name, uid].contains(&"");
        all_there.then(|| Self { namespace: namespace.into(), name: name.into(), uid: uid.into() })
    }

    fn pod(&self, container: Option<String>) -> Pod {
        let Self { namespace, name, uid } = self.clone();
        Pod { uid, name: Some(name), namespace: Some(namespace), container }
    }
}

/// Pods of this node.
pub(super) struct Pods {
    directory: PathBuf,
    /// Pods by uid, with the container if there is but one.
    by_uid: HashMap<String, (PodDirectory, Option<String>)>,
    /// Pod and container by the container's id.
    by_container: HashMap<String, (PodDirectory, String)>,
    read_at: Option<KernelTime>,
}

impl Pods {
    /// Reads names from this directory of logs, and from the directory `containers` beside it, where the kubelet keeps a
    /// link for each container: `POD_NAMESPACE_CONTAINER-ID.log` leads to
    /// `/var/log/pods/NAMESPACE_POD_UID/CONTAINER/0.log`. Neither need exist.
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self { directory: directory.to_owned(), by_uid: HashMap::new(), by_container: HashMap::new(), read_at: None }
    }

    /// The pod with this uid, or the one of the container with this id. Reads again if neither is known.
    pub(super) fn find(&mut self, uid: Option<&str>, id: Option<&str>, now: KernelTime) -> Option<Pod> {
        if uid.is_none() && id.is_none() {
            return None;
        }
        let known = self.known(uid, id);
        let incomplete = known.as_ref().is_none_or(|pod| pod.container.is_none());
        if incomplete && self.read_at.is_none_or(|at| now.since(at) >= READ_INTERVAL) {
            self.read_at = Some(now);
            self.read();
            return self.known(uid, id).or_else(|| unnamed(uid));
        }
        known.or_else(|| unnamed(uid))
    }

    fn known(&self, uid: Option<&str>, id: Option<&str>) -> Option<Pod> {
        if let Some((directory, container)) = id.and_then(|id| self.by_container.get(id)) {
            return Some(directory.pod(Some(container.clone())));
        }
        let (directory, container) = uid.and_then(|uid| self.by_uid.get(uid))?;
        Some(directory.pod(container.clone()))
    }

    fn read(&mut self) {
        self.by_uid = entries(&self.directory).filter_map(|entry| self.read_pod(&entry)).collect();
        let links = self.directory.with_file_name("containers");
        self.by_container = entries(&links).filter_map(|entry| read_link(&links, &entry)).collect();
    }

    fn read_pod(&self, entry: &OsString) -> Option<(String, (PodDirectory, Option<String>))> {
        let directory = PodDirectory::parse(entry.to_str()?)?;
        let mut containers = entries(&self.directory.join(entry));
        let first = containers.next().and_then(|name| name.into_string().ok());
        let only = if containers.next().is_none() { first } else { None };
        Some((directory.uid.clone(), (directory, only)))
    }
}

fn entries(directory: &Path) -> impl Iterator<Item = OsString> + use<> {
    let entries = fs::read_dir(directory).into_iter().flatten().filter_map(Result::ok);
    entries.map(|entry| entry.file_name()).take(MAX_ENTRIES)
}

/// The link's own name gives the container's id, and where it leads all the rest; whether anything is there is all one.
fn read_link(links: &Path, entry: &OsString) -> Option<(String, (PodDirectory, String))> {
    let (_, id) = entry.to_str()?.strip_suffix(".log")?.rsplit_once('-')?;
    let target = fs::read_link(links.join(entry)).ok()?;
    let container = target.parent()?;
    let pod = PodDirectory::parse(container.parent()?.file_name()?.to_str()?)?;
    Some((id.to_owned(), (pod, container.file_name()?.to_str()?.to_owned())))
}

fn unnamed(uid: Option<&str>) -> Option<Pod> {
    uid.map(|uid| Pod { uid: uid.to_owned(), name: None, namespace: None, container: None })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    const UID: &str = "ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f";
    const ID: &str = "0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef";

    fn at(seconds: u64) -> KernelTime {
        KernelTime(0).after(Duration::from_secs(seconds))
    }

    fn logs(containers: &[&str]) -> (TempDir, PathBuf) {
        let log = tempfile::tempdir().unwrap();
        let pods = log.path().join("pods");
        for container in containers {
            fs::create_dir_all(pods.join(format!("shop_web-7d9c_{UID}")).join(container)).unwrap();
        }
        (log, pods)
    }

    fn pod(container: Option<&str>) -> Pod {
        let container = container.map(str::to_owned);
        Pod { uid: UID.into(), name: Some("web-7d9c".into()), namespace: Some("shop".into()), container }
    }

    #[test]
    fn a_pod_is_named_by_the_directory_of_its_logs_and_so_is_its_only_container() {
        let (_log, directory) = logs(&["nginx"]);
        assert_eq!(Pods::in_directory(&directory).find(Some(UID), None, at(0)), Some(pod(Some("nginx"))));
    }

    #[test]
    fn of_two_containers_the_link_tells_which() {
        let (log, directory) = logs(&["nginx", "agent"]);
        assert_eq!(Pods::in_directory(&directory).find(Some(UID), Some(ID), at(0)), Some(pod(None)));
        let links = log.path().join("containers");
        fs::create_dir(&links).unwrap();
        let target = format!("/var/log/pods/shop_web-7d9c_{UID}/agent/0.log");
        symlink(target, links.join(format!("web-7d9c_shop_agent-{ID}.log"))).unwrap();
        let mut pods = Pods::in_directory(&directory);
        assert_eq!(pods.find(Some(UID), Some(ID), at(0)), Some(pod(Some("agent"))));
        assert_eq!(pods.find(None, Some(ID), at(0)), Some(pod(Some("agent"))), "without the pod's uid");
    }

    #[test]
    fn a_pod_that_starts_later_is_found_after_five_seconds_at_most() {
        let (_log, directory) = logs(&[]);
        let mut pods = Pods::in_directory(&directory);
        assert_eq!(pods.find(Some(UID), None, at(0)), unnamed(Some(UID)));
        fs::create_dir_all(directory.join(format!("shop_web-7d9c_{UID}/nginx"))).unwrap();
        assert_eq!(pods.find(Some(UID), None, at(4)), unnamed(Some(UID)));
        assert_eq!(pods.find(Some(UID), None, at(5)), Some(pod(Some("nginx"))));
    }

    #[test]
    fn without_kubernetes_there_is_no_pod() {
        let mut pods = Pods::in_directory(Path::new("/nonexistent/pods"));
        assert_eq!(pods.find(None, Some(ID), at(0)), None);
        assert_eq!(pods.find(None, None, at(0)), None);
    }

    #[test]
    fn names_that_are_no_pods_are_left_out() {
        for name in ["lost+found", "a_b", "a_b_c_d", "__", "_web_1"] {
            assert_eq!(PodDirectory::parse(name), None, "{name}");
        }
    }
}
