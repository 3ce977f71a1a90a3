//! What the path of a cgroup says. Pure.

use super::Runtime;

/// What a path says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CgroupName {
    /// Id of the innermost container.
    pub id: Option<String>,
    /// What runs it.
    pub runtime: Option<Runtime>,
    /// Uid of the innermost pod, with hyphens.
    pub pod_uid: Option<String>,
    /// The innermost systemd service or scope that is no container's.
    pub unit: Option<String>,
}

/// What stands before a container's id in the name of its scope (systemd driver) or of its directory.
const PREFIXES: [(&str, Runtime); 4] = [
    ("cri-containerd-", Runtime::Containerd),
    ("crio-", Runtime::CriO),
    ("docker-", Runtime::Docker),
    ("libpod-", Runtime::Podman),
];

/// Directories that hold directories named by bare ids (cgroupfs driver), or the part before a colon.
const PARENTS: [(&str, Runtime); 3] =
    [("docker", Runtime::Docker), ("cri-containerd", Runtime::Containerd), ("crio", Runtime::CriO)];

/// Reads a path as `/proc/PID/cgroup` or a walk shows it; `None` if it names neither container, pod nor unit.
///
/// A container's own systemd, or a cluster in a container (kind), nests one such path in another: the innermost names
/// count. An observer in a cgroup namespace of its own sees the beginning as `/../..`, which says nothing.
#[must_use]
pub fn parse(path: &str) -> Option<CgroupName> {
    let mut name = CgroupName::default();
    let mut parent = "";
    // containerd with the systemd driver's name under the cgroupfs driver separates by colons.
    for part in path.split(['/', ':']) {
        if let Some(uid) = pod_uid(part) {
            name = CgroupName { pod_uid: Some(uid), ..CgroupName::default() };
        } else if let Some((id, runtime)) = container(part, parent) {
            name = CgroupName { id: Some(id), runtime, unit: None, ..name };
        } else if is_unit(part) {
            name.unit = Some(part.to_owned());
        }
        parent = part;
    }
    (name != CgroupName::default()).then_some(name)
}

fn container(part: &str, parent: &str) -> Option<(String, Option<Runtime>)> {
    let bare = part.strip_suffix(".scope").unwrap_or(part);
    for (prefix, runtime) in PREFIXES {
        if let Some(id) = bare.strip_prefix(prefix).filter(|id| is_id(id)) {
            return Some((id.to_owned(), Some(runtime)));
        }
    }
    if let Some(name) = lxc(part, parent) {
        return Some((name.to_owned(), Some(Runtime::Lxc)));
    }
    let runtime = PARENTS.iter().find(|(name, _)| *name == parent).map(|(_, runtime)| *runtime);
    (is_id(bare) || is_ecs_id(bare)).then(|| (bare.to_owned(), runtime))
}

/// `lxc/NAME` before LXC 3.1, `lxc.payload/NAME` before 4.0, `lxc.payload.NAME` since.
fn lxc<'a>(part: &'a str, parent: &str) -> Option<&'a str> {
    let whole = (parent == "lxc" || parent == "lxc.payload").then_some(part);
    whole.or_else(|| part.strip_prefix("lxc.payload.")).filter(|name| !name.is_empty())
}

fn is_hexadecimal(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn is_id(text: &str) -> bool {
    text.len() == 64 && is_hexadecimal(text)
}

/// `TASK-NUMBER`, by which ECS on Fargate names containers.
fn is_ecs_id(text: &str) -> bool {
    let parts = text.split_once('-').filter(|(task, _)| task.len() == 32 && is_hexadecimal(task));
    parts.is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

/// `podUID`, or `…-podUID.slice`, where systemd takes no hyphens.
fn pod_uid(part: &str) -> Option<String> {
    let bare = part.strip_suffix(".slice").unwrap_or(part);
    let uid = bare.strip_prefix("pod").or_else(|| bare.rsplit_once("-pod").map(|(_, uid)| uid))?;
    let uid = uid.replace('_', "-");
    is_uid(&uid).then_some(uid)
}

/// A UUID, or the hash that is a static pod's uid.
fn is_uid(text: &str) -> bool {
    let lengths: Vec<usize> = text.split('-').map(str::len).collect();
    is_hexadecimal(&text.replace('-', "")) && matches!(lengths[..], [8, 4, 4, 4, 12] | [32])
}

/// systemd's own scope is where sockets are created that it hands over, of whatever service.
fn is_unit(part: &str) -> bool {
    (part.ends_with(".service") || part.ends_with(".scope")) && part != "init.scope"
}

#[cfg(test)]
mod tests;
