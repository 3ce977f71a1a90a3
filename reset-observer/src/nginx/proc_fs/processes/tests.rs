use std::{
    io::{BufRead, BufReader, Read, Write},
    os::unix::process::CommandExt,
    process::{Child, Command, Stdio},
};

use super::*;

/// A process of this title, killed when dropped.
struct Titled(Child);

impl Titled {
    /// Returns when the process runs: right after exec(2) began, `/proc` shows no title yet.
    fn start(title: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.arg0(title).args(["-c", "echo running; read -r end"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = shell.spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0; 7]).unwrap();
        Self(child)
    }
}

impl Drop for Titled {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

#[test]
fn a_process_with_a_title_of_nginx_is_found_with_its_parent() {
    let worker = Titled::start("nginx: worker process");
    let found = ProcFs::new(Vec::new()).all();
    let seen = found.iter().find(|process| process.pid == worker.0.id()).unwrap();
    assert_eq!(seen.parent, std::process::id());
    assert_eq!(seen.comm, "sh");
    assert!(seen.title.starts_with("nginx: worker process"), "{seen:?}");
}

#[test]
fn a_process_that_only_mentions_nginx_is_not_nginx() {
    let editor = Titled::start("vi /etc/nginx/nginx.conf");
    assert!(ProcFs::new(Vec::new()).all().iter().all(|process| process.pid != editor.0.id()));
}

#[test]
fn a_process_is_found_with_its_start_its_namespaces_and_its_executable() {
    let worker = Titled::start("nginx: worker process");
    let source = ProcFs::new(Vec::new());
    let found = source.one(worker.0.id()).unwrap();
    let own = source.one(std::process::id()).unwrap();
    assert_eq!(found.inner_pid, Some(found.pid));
    let own_inode = |kind: &str| u32::try_from(fs::metadata(format!("/proc/self/ns/{kind}")).unwrap().ino()).ok();
    let expected = Namespaces { net: own_inode("net"), mount: own_inode("mnt"), pid: own_inode("pid") };
    assert_eq!(found.namespaces, expected);
    assert!(found.started >= own.started);
    let shell = fs::canonicalize("/bin/sh").unwrap();
    assert_eq!(found.exe.as_deref(), shell.file_name().and_then(|name| name.to_str()));
}

#[test]
fn the_children_of_a_process_are_listed() {
    let worker = Titled::start("nginx: worker process");
    // Only of the thread that started them, which in a test is not the first one.
    let list = fs::read_to_string("/proc/thread-self/children").unwrap();
    assert!(list.split_whitespace().any(|pid| pid == worker.0.id().to_string()), "{list}");
    assert_eq!(ProcFs::new(Vec::new()).children(worker.0.id()), Some(Vec::new()));
}

#[test]
fn a_process_named_on_the_command_line_is_found_by_its_executable() {
    let dir = tempfile::tempdir().unwrap();
    let program = dir.path().join("a-proxy-of-our-own");
    fs::copy("/bin/sh", &program).unwrap();
    let mut child = Command::new(&program)
        .arg("-c")
        .arg("echo; read -r end")
        .arg0("x")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    fs::remove_file(&program).unwrap();
    let found = ProcFs::new(vec!["a-proxy-of-our-own".parse().unwrap()]).all();
    child.kill().unwrap();
    child.wait().unwrap();
    let seen = found.iter().find(|process| process.pid == child.id()).unwrap();
    assert_eq!(seen.exe.as_deref(), Some("a-proxy-of-our-own"), "the file is gone, its name is not");
}

#[test]
fn in_a_pid_namespace_the_inner_pid_is_the_one_that_the_process_knows() {
    if !rustix::process::geteuid().is_root() {
        println!("left out: a pid namespace needs root");
        return;
    }
    let script = "exec -a 'nginx: worker process' bash -c 'echo $$; read -r end'";
    let mut unshare = Command::new("unshare");
    unshare
        .args(["--pid", "--fork", "--kill-child", "bash", "-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut outer = unshare.spawn().unwrap();
    let mut own_pid = String::new();
    BufReader::new(outer.stdout.take().unwrap()).read_line(&mut own_pid).unwrap();
    let found = ProcFs::new(Vec::new()).all();
    outer.stdin.take().unwrap().write_all(b"end\n").unwrap();
    outer.wait().unwrap();
    let seen = found.iter().find(|process| process.parent == outer.id()).unwrap();
    assert_eq!(seen.inner_pid, Some(own_pid.trim().parse().unwrap()));
    assert_ne!(seen.inner_pid, Some(seen.pid));
}

#[test]
fn a_process_that_vanished_is_none() {
    let mut child = Command::new("true").spawn().unwrap();
    child.wait().unwrap();
    let source = ProcFs::new(Vec::new());
    assert_eq!(source.one(child.id()), None);
    assert_eq!(source.children(child.id()), Some(Vec::new()));
}
