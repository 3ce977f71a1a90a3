use std::{fs, os::unix::fs::MetadataExt};

use super::*;

const UID: &str = "ff49d0be-16b7-4a49-bb9e-8ec1f1f4e27f";
const ID: &str = "0f99ad5f45163ed14ab8eaf92ed34bb4a631d007f8755a7d79be614bcb0df0ef";

#[test]
fn a_socket_made_in_a_pods_container_is_given_its_names_also_when_the_process_is_gone() {
    let host = tempfile::tempdir().unwrap();
    let uid = UID.replace('-', "_");
    let scope = format!("kubepods.slice/kubepods-pod{uid}.slice/cri-containerd-{ID}.scope");
    fs::create_dir_all(host.path().join("cgroup").join(&scope)).unwrap();
    fs::create_dir_all(host.path().join(format!("pods/shop_web_{UID}/nginx"))).unwrap();
    let id = fs::metadata(host.path().join("cgroup").join(&scope)).unwrap().ino();

    let mut containers = Containers::new(Some(host.path().join("cgroup")), &host.path().join("pods"));
    let found = containers.find(Some(id), Some((u32::MAX, "nginx")), KernelTime(0)).unwrap();
    assert_eq!(
        serde_json::to_string(&found).unwrap(),
        format!(
            r#"{{"id":"{ID}","runtime":"containerd","pod":{{"uid":"{UID}","name":"web","namespace":"shop","container":"nginx"}},"unit":null}}"#
        )
    );
}

#[test]
fn a_process_in_no_container_has_none() {
    let mut containers = Containers::new(None, Path::new("/nonexistent"));
    assert_eq!(containers.find(Some(1), Some((u32::MAX, "nginx")), KernelTime(0)), None);
    assert_eq!(containers.find(None, None, KernelTime(0)), None);
}

#[test]
fn processes_are_remembered_within_bounds() {
    let mut containers = Containers::new(None, Path::new("/nonexistent"));
    for pid in 0..5000 {
        containers.find(None, Some((u32::MAX - pid, "nginx")), KernelTime(0));
    }
    assert!(containers.processes.len() <= MAX_PROCESSES);
}

#[test]
fn a_runtime_is_written_as_people_write_it() {
    assert_eq!(serde_json::to_string(&[Runtime::CriO, Runtime::Podman]).unwrap(), r#"["cri-o","podman"]"#);
}
