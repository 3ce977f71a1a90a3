//! From the id of a cgroup to its path.

use std::{
    collections::HashMap,
    fs,
    os::unix::fs::DirEntryExt,
    path::{Path, PathBuf},
    time::Duration,
};

use procfs::process::Process;

use crate::record::KernelTime;

/// Paths to remember, some 4 MiB: more than a node has cgroups. Beyond that all are forgotten and read again.
const MAX_PATHS: usize = 1 << 14;

/// All cgroups are read at most so often: one reading costs some 10 µs for each.
const WALK_INTERVAL: Duration = Duration::from_secs(2);

/// How deep the tree is followed: a cluster in a container in a cluster.
const MAX_DEPTH: usize = 32;

/// Paths of cgroups (v2) by id. They stay known when they are gone: records come later.
pub(super) struct Cgroups {
    root: Option<PathBuf>,
    paths: HashMap<u64, String>,
    walked_at: Option<KernelTime>,
}

impl Cgroups {
    /// The tree that is mounted here; none without cgroups v2.
    pub(super) fn below(root: Option<PathBuf>) -> Self {
        Self { root, paths: HashMap::new(), walked_at: None }
    }

    /// The path of a cgroup, from the root of the tree. All are read again for an id that is not known.
    pub(super) fn path(&mut self, id: u64, now: KernelTime) -> Option<&str> {
        if !self.paths.contains_key(&id) && self.walked_at.is_none_or(|at| now.since(at) >= WALK_INTERVAL) {
            self.walked_at = Some(now);
            self.walk();
        }
        self.paths.get(&id).map(String::as_str)
    }

    fn walk(&mut self) {
        let Some(root) = self.root.clone() else { return };
        let mut found = HashMap::new();
        walk_below(&root, "", MAX_DEPTH, &mut found);
        if self.paths.len() + found.len() > MAX_PATHS {
            self.paths.clear();
        }
        self.paths.extend(found);
    }
}

/// The id of a cgroup is the inode of its directory (kernfs), which the listing of the parent shows.
fn walk_below(dir: &Path, path: &str, depth: usize, found: &mut HashMap<u64, String>) {
    // One that was removed meanwhile, or may not be read.
    let Ok(entries) = fs::read_dir(dir) else { return };
    for entry in entries.filter_map(Result::ok) {
        let is_dir = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_dir && depth > 0 && found.len() < MAX_PATHS {
            let path = format!("{path}/{}", entry.file_name().to_string_lossy());
            walk_below(&entry.path(), &path, depth - 1, found);
            found.insert(entry.ino(), path);
        }
    }
}

/// Where cgroups v2 are mounted. The first process' view comes first: in a container that shares the host's process
/// ids, that is the host's whole tree, where our own shows ourselves only.
pub(super) fn mount_point() -> Option<PathBuf> {
    let mount = |process: Process| {
        let mounts = process.mountinfo().ok()?;
        let cgroup2 = mounts.into_iter().find(|mount| mount.fs_type == "cgroup2")?;
        let within = cgroup2.mount_point.strip_prefix("/").ok()?.to_owned();
        let path = PathBuf::from(format!("/proc/{}/root", process.pid)).join(within);
        fs::read_dir(&path).is_ok().then_some(path)
    };
    Process::new(1).ok().and_then(mount).or_else(|| Process::myself().ok().and_then(mount))
}

/// The path of the cgroup that a process is in; `None` if it is gone, or in no cgroup that says anything.
pub(super) fn of_process(pid: u32) -> Option<String> {
    telling_path(&fs::read_to_string(format!("/proc/{pid}/cgroup")).ok()?)
}

/// Of the lines of `/proc/PID/cgroup`, the path that names a container, else any that names a unit. The unified
/// hierarchy comes first, then systemd's own; where cgroups v1 are in use, a runtime may set only some of the others.
fn telling_path(lines: &str) -> Option<String> {
    let rank = |controllers: &str| match controllers {
        "" => 0,
        "name=systemd" => 1,
        _ => 2,
    };
    let fields = |line: &'_ str| {
        let (_, rest) = line.split_once(':')?;
        let (controllers, path) = rest.split_once(':')?;
        let name = super::path::parse(path)?;
        Some((name.id.is_none(), name.pod_uid.is_none(), rank(controllers), path.to_owned()))
    };
    lines.lines().filter_map(fields).min().map(|(.., path)| path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_cgroup_is_found_by_the_inode_of_its_directory_and_stays_known() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("system.slice/nginx.service");
        fs::create_dir_all(&inner).unwrap();
        let id = fs::metadata(&inner).unwrap().ino();
        let mut cgroups = Cgroups::below(Some(root.path().to_owned()));
        assert_eq!(cgroups.path(id, KernelTime(0)), Some("/system.slice/nginx.service"));
        fs::remove_dir(&inner).unwrap();
        assert_eq!(cgroups.path(id, KernelTime(9_000_000_000)), Some("/system.slice/nginx.service"));
    }

    #[test]
    fn an_unknown_cgroup_is_looked_for_at_most_every_two_seconds() {
        let root = tempfile::tempdir().unwrap();
        let mut cgroups = Cgroups::below(Some(root.path().to_owned()));
        assert_eq!(cgroups.path(1, KernelTime(0)), None);
        let later = root.path().join("later.service");
        fs::create_dir(&later).unwrap();
        let id = fs::metadata(&later).unwrap().ino();
        assert_eq!(cgroups.path(id, KernelTime(1_999_999_999)), None);
        assert_eq!(cgroups.path(id, KernelTime(2_000_000_000)), Some("/later.service"));
    }

    #[test]
    fn a_tree_deeper_than_any_real_one_ends() {
        let root = tempfile::tempdir().unwrap();
        let deep: PathBuf = std::iter::once(root.path().to_owned()).chain((0..100).map(|_| "d".into())).collect();
        fs::create_dir_all(&deep).unwrap();
        let mut cgroups = Cgroups::below(Some(root.path().to_owned()));
        assert_eq!(cgroups.path(fs::metadata(&deep).unwrap().ino(), KernelTime(0)), None);
        assert_eq!(cgroups.paths.len(), MAX_DEPTH);
    }

    #[test]
    fn on_a_host_with_old_cgroups_the_line_that_names_the_container_counts() {
        let id = "f75aff467357c5d0ddd47cb7ad87ed38746e018992586ff66198a5c11218f634";
        let container = format!("/kubepods/burstable/pod91a8fc3a-0ecf-48b4-81bf-78a7275d348c/{id}");
        let lines = format!("12:pids:/\n4:memory:{container}\n1:name=systemd:/system.slice/x.service\n0::/\n");
        assert_eq!(telling_path(&lines), Some(container));
        let lines = "4:memory:/\n1:name=systemd:/system.slice/nginx.service\n0::/system.slice/nginx.service\n";
        assert_eq!(telling_path(lines).as_deref(), Some("/system.slice/nginx.service"));
        assert_eq!(telling_path("0::/\n"), None);
        assert_eq!(telling_path("garbage\n\n::\n"), None);
    }

    #[test]
    fn a_process_that_is_gone_is_in_no_cgroup() {
        assert_eq!(of_process(u32::MAX), None);
    }
}
