use super::*;

const ID: &str = "0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef";
const UID: &str = "ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f";

/// The path with `{id}`, `{uid}` and `{u_id}` filled in.
fn read(path: &str) -> (Option<String>, Option<Runtime>, Option<String>, Option<String>) {
    let path = path.replace("{id}", ID).replace("{uid}", UID).replace("{u_id}", &UID.replace('-', "_"));
    let CgroupName { id, runtime, pod_uid, unit } = parse(&path).unwrap_or_default();
    (id, runtime, pod_uid, unit)
}

/// Where each path was seen: `k` is Kubernetes' own layout (pkg/kubelet/cm/cgroup_manager_linux.go), the others are
/// issues on GitHub.
const IN_PODS: &[(&str, Option<Runtime>)] = &[
    // kinvolk/traceloop#34, neuvector share/system/cgroup_test.go: cgroupfs driver; guaranteed pods have no class.
    ("/kubepods/burstable/pod{uid}/{id}", None),
    ("/kubepods/pod{uid}/{id}", None),
    // iovisor/kubectl-trace#207, tkestack/vcuda-controller#19: containerd, systemd driver.
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{u_id}.slice/cri-containerd-{id}.scope",
        Some(Runtime::Containerd),
    ),
    ("/kubepods.slice/kubepods-pod{u_id}.slice/cri-containerd-{id}.scope", Some(Runtime::Containerd)),
    // opencontainers/runc#4620 and openshift/machine-config-operator#4765: cri-o, and crun's cgroup below it.
    (
        "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{u_id}.slice/crio-{id}.scope",
        Some(Runtime::CriO),
    ),
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{u_id}.slice/crio-{id}.scope/container",
        Some(Runtime::CriO),
    ),
    // kinvolk/traceloop#34: docker under Kubernetes.
    (
        "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{u_id}.slice/docker-{id}.scope",
        Some(Runtime::Docker),
    ),
    // containerd/nri#227: kind.
    (
        "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/\
         kubelet-kubepods-besteffort-pod{u_id}.slice/cri-containerd-{id}.scope",
        Some(Runtime::Containerd),
    ),
    // grafana/beyla#468: kind, seen from the host.
    (
        "/docker/1111111111111111111111111111111111111111111111111111111111111111/kubelet.slice/\
         kubelet-kubepods.slice/kubelet-kubepods-pod{u_id}.slice/cri-containerd-{id}.scope",
        Some(Runtime::Containerd),
    ),
    // elastic/apm-agent-nodejs#3550, open-telemetry/opentelemetry-java#4507: drivers that do not agree.
    (
        "/system.slice/containerd.service/kubepods-burstable-pod{u_id}.slice:cri-containerd:{id}",
        Some(Runtime::Containerd),
    ),
    // From within a cgroup namespace of the observer's own.
    (
        "/../../../kubepods-burstable.slice/kubepods-burstable-pod{u_id}.slice/cri-containerd-{id}.scope",
        Some(Runtime::Containerd),
    ),
];

#[test]
fn a_container_in_a_pod_is_named_whatever_made_its_cgroup() {
    for (path, runtime) in IN_PODS {
        assert_eq!(read(path), (Some(ID.into()), *runtime, Some(UID.into()), None), "{path}");
    }
}

#[test]
fn a_container_without_a_pod_is_named() {
    for (path, runtime) in [
        // ctrsploit/ctrsploit#280, neuvector share/system/cgroup_test.go.
        ("/docker/{id}", Some(Runtime::Docker)),
        ("/system.slice/docker-{id}.scope", Some(Runtime::Docker)),
        ("/{id}", None),
        // podman#6400, podman#4639, runc#2163.
        ("/machine.slice/libpod-{id}.scope", Some(Runtime::Podman)),
        ("/machine.slice/libpod-{id}.scope/container", Some(Runtime::Podman)),
        ("/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-{id}.scope", Some(Runtime::Podman)),
        ("/libpod_parent/libpod-{id}", Some(Runtime::Podman)),
        // grafana/beyla#468: a sidecar, seen from its neighbour.
        ("/../cri-containerd-{id}.scope", Some(Runtime::Containerd)),
    ] {
        assert_eq!(read(path), (Some(ID.into()), runtime, None, None), "{path}");
    }
}

#[test]
fn a_static_pods_uid_is_a_hash() {
    let hash = "b6c7cb425bef80bb327583bad4f8a302";
    // cri-o/cri-o#4833.
    let path = format!("/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{hash}.slice/crio-{ID}.scope");
    assert_eq!(parse(&path).unwrap().pod_uid.as_deref(), Some(hash));
}

#[test]
fn a_service_is_named_by_its_unit() {
    let unit = |path: &str| read(path).3;
    assert_eq!(unit("/system.slice/nginx.service").as_deref(), Some("nginx.service"));
    assert_eq!(unit("/system.slice/system-nginx.slice/nginx@blue.service").as_deref(), Some("nginx@blue.service"));
    assert_eq!(unit("/user.slice/user-0.slice/session-3.scope").as_deref(), Some("session-3.scope"));
    // podman#6400: a unit with a container's cgroup inside.
    assert_eq!(unit("/system.slice/web.service/libpod-payload-{id}").as_deref(), Some("web.service"));
}

#[test]
fn lxc_containers_and_the_units_in_them_are_named() {
    for path in ["/lxc/focal", "/lxc.payload/focal", "/lxc.payload.focal"] {
        assert_eq!(read(path), (Some("focal".into()), Some(Runtime::Lxc), None, None), "{path}");
    }
    // liske/needrestart#238.
    let within = read("/lxc.payload.focal/system.slice/avahi-daemon.service");
    assert_eq!(within, (Some("focal".into()), Some(Runtime::Lxc), None, Some("avahi-daemon.service".into())));
}

#[test]
fn a_task_of_ecs_is_named() {
    let task = "a1b2c3d4e5f60718293a4b5c6d7e8f90-1234567890";
    assert_eq!(read(&format!("/ecs/a1b2c3d4e5f60718293a4b5c6d7e8f90/{task}")).0.as_deref(), Some(task));
}

#[test]
fn what_names_nothing_is_none() {
    let conmon = format!("/machine.slice/libpod-conmon-{ID}");
    for path in ["", "/", "/init.scope", "/user.slice", "/../..", "/kubepods.slice/kubepods-burstable.slice", &conmon] {
        assert_eq!(parse(path), None, "{path}");
    }
}

#[test]
fn what_only_looks_like_a_name_is_none() {
    let short = &ID[1..];
    let upper = ID.to_uppercase();
    for path in [format!("/docker/{short}"), format!("/docker/{upper}"), "/podium/pod-1".into(), "/podcafe".into()] {
        assert_eq!(parse(&path), None, "{path}");
    }
}
