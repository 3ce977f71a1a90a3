use std::{fs, os::unix::fs::symlink};

use super::*;

#[test]
fn an_absolute_link_leads_to_the_file_below_the_root() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("root");
    fs::create_dir_all(root.join("etc")).unwrap();
    fs::write(root.join("etc/inside"), "inside").unwrap();
    fs::write(dir.path().join("outside"), "outside").unwrap();
    symlink("/etc/inside", root.join("etc/link")).unwrap();
    symlink("../../../outside", root.join("etc/escape")).unwrap();
    symlink(dir.path().join("outside"), root.join("etc/far")).unwrap();

    let source = Root::at(&root).unwrap();
    let read = |path: &str| source.read(Path::new(path), 100).map(|contents| contents.bytes);
    assert_eq!(read("/etc/link").unwrap(), b"inside");
    assert_eq!(read("/etc/escape").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(read("/etc/far").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert_eq!(read("/../outside").unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(source.exists(Path::new("/etc/link")) && !source.exists(Path::new("/etc/far")));
}

#[test]
fn the_root_of_a_process_is_where_it_sees_its_files() {
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "text").unwrap();
    let contents = Root::of_process(std::process::id()).unwrap().read(file.path(), 4).unwrap();
    assert_eq!(contents.bytes, b"text");
    assert_eq!(contents.modified, fs::metadata(file.path()).unwrap().modified().unwrap());
}

#[test]
fn a_file_over_the_limit_is_refused_and_a_directory_too() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("five"), "12345").unwrap();
    let source = Root::at(dir.path()).unwrap();
    assert_eq!(source.read(Path::new("/five"), 4).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(source.read(Path::new("/five"), 5).unwrap().bytes.len(), 5);
    assert_eq!(source.read(Path::new("/"), 5).unwrap_err().kind(), io::ErrorKind::IsADirectory);
}

#[test]
fn a_pipe_without_a_writer_reads_as_empty_and_holds_nobody_up() {
    let dir = tempfile::tempdir().unwrap();
    let made = std::process::Command::new("mkfifo").arg(dir.path().join("pipe")).status().unwrap();
    assert!(made.success());
    let source = Root::at(dir.path()).unwrap();
    assert_eq!(source.read(Path::new("/pipe"), 5).unwrap().bytes, b"");
    assert_eq!(
        source.read(Path::new("/pipe"), 5).unwrap().identity,
        source.read(Path::new("/pipe"), 5).unwrap().identity
    );
}

#[test]
fn names_that_are_not_utf8_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let name = OsString::from_vec(b"a\xff.conf".to_vec());
    fs::write(dir.path().join(&name), "").unwrap();
    let names = Root::at(dir.path()).unwrap().list(Path::new("/")).unwrap();
    assert!(names.contains(&name), "{names:?}");
}

#[test]
fn a_process_that_has_ended_needs_no_rights() {
    // Above every process id (`PID_MAX_LIMIT`).
    let refused = Root::of_process(1 << 23).unwrap_err();
    assert_eq!(refused.to_string(), "cannot enter the root directory of process 8388608: it has ended");
}
