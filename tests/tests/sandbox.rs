//! What a running observer cannot do any more, and that it does its work all the same.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Child, Command};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use aya::sys::{Stats, enable_stats};
use rustix::mount::{FsOpenFlags, fsopen};
use rustix::net::{AddressFamily, SocketType, socket};
use rustix::process::{Pid, test_kill_process};
use rustix::thread::{CapabilitySet, LinkNameSpaceType, move_into_link_name_space};
use tempfile::NamedTempFile;

use lab::judge;
use lab::lock::MachineLock;
use lab::observer::{Daemon, Observer};
use lab::programs;
use lab::scenario;
use lab::stage::Stage;
use lab::topology::Family;
use reset_observer::sandbox::{self, Needs, user::UNPRIVILEGED};

/// How long a verdict may take.
const PATIENCE: Duration = Duration::from_secs(10);

const KEPT: CapabilitySet = CapabilitySet::SYS_PTRACE.union(CapabilitySet::DAC_READ_SEARCH);

#[test]
fn every_thread_of_a_running_observer_is_unprivileged() {
    with_machine(|| {
        let mut daemon = Daemon::start_with(&["--state-file", "none"])?;
        let threads = statuses(daemon.pid())?;
        ensure!(threads.len() > 1, "the lab itself: one thread proves nothing of the others");
        ensure!(threads.iter().any(|status| is_of_http(status)), "the lab itself: no thread answers HTTP");
        for status in &threads {
            let kept = if is_of_http(status) { CapabilitySet::DAC_READ_SEARCH } else { KEPT };
            let capabilities = format!("{:016x}", kept.bits());
            for (field, value) in [("CapEff", &*capabilities), ("CapPrm", &capabilities), ("NoNewPrivs", "1")] {
                ensure!(field_of(status, field)? == value, "{field} is not {value} in {status}");
            }
            for (field, value) in [("CapInh", "0000000000000000"), ("CapAmb", "0000000000000000"), ("Seccomp", "2")] {
                ensure!(field_of(status, field)? == value, "{field} is not {value} in {status}");
            }
            let users: BTreeSet<&str> = field_of(status, "Uid")?.split_whitespace().collect();
            ensure!(users == BTreeSet::from([&*UNPRIVILEGED.to_string()]), "{status}");
        }
        for measure in ["user", "capabilities", "no_new_privs", "seccomp"] {
            ensure!(daemon.sum("reset_observer_sandbox", measure)? == 1, "the metric does not say {measure}");
        }
        ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
        Ok(())
    });
}

#[test]
fn told_so_it_keeps_all_its_rights_and_says_it() {
    with_machine(|| {
        let mut daemon = Daemon::start_with(&["--state-file", "none", "--no-sandbox"])?;
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
        ensure!(field_of(&status, "Seccomp")? == "0" && field_of(&status, "NoNewPrivs")? == "0", "{status}");
        ensure!(daemon.sum("reset_observer_sandbox", "seccomp")? == 0, "the metric says that it does not");
        daemon.wait_for_complaint(&["--no-sandbox"])?;
        ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
        Ok(())
    });
}

#[test]
fn the_state_is_kept_in_a_directory_of_another_user_and_that_user_is_who_it_becomes() {
    with_machine(|| {
        let directory = tempfile::tempdir()?;
        let owner = 12_345;
        std::os::unix::fs::chown(directory.path(), Some(owner), Some(owner))?;
        let file = directory.path().join("state.json");
        let mut daemon = Daemon::start_with(&["--state-file", file.to_str().context("a path")?])?;
        let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid()))?;
        ensure!(field_of(&status, "Uid")?.starts_with(&owner.to_string()), "{status}");
        ensure!(daemon.finish()?.success(), "{:#?}", daemon.complaints());
        use std::os::unix::fs::MetadataExt as _;
        ensure!(fs::metadata(&file)?.uid() == owner, "the state file is somebody else's");
        Ok(())
    });
}

#[test]
fn confined_it_knows_an_nginx_that_starts_later_in_a_namespace_of_its_own() {
    with_machine(|| {
        let mut observer = Observer::observe()?;
        ensure!(
            statuses(observer.pid())?.iter().all(|status| field_of(status, "Seccomp").is_ok_and(|mode| mode == "2"))
        );
        let scenario = scenario::named("crash_with_reset")?;
        let mut stage = Stage::set_up(&(scenario.plan)(Family::V4))?;
        let truth = (scenario.act)(&mut stage)?;
        let is_it = |verdict: &_| judge::concerns(&truth, verdict);
        let verdict = observer.wait_for_verdict(0, PATIENCE, is_it)?;
        ensure!(judge::faults(&truth, std::slice::from_ref(&verdict)).is_empty(), "{verdict:?}");
        let told =
            observer.wait_for_json(0, PATIENCE, |line| line["type"] == "verdict" && line["leg"] == "upstream")?;
        ensure!(told["upstream"]["name"] == "backend", "its configuration was not read: {told}");
        ensure!(told["request"]["line"].is_string(), "its error log was not read: {told}");
        ensure!(observer.finish()?.0.success());
        Ok(())
    });
}

/// Something that a right is needed for, and that does no harm to who has it.
type Attempt = (&'static str, fn(&Ground) -> io::Result<()>);

/// What attempts are made on.
struct Ground {
    /// A file that only root may write.
    file: NamedTempFile,
    /// A process of root's.
    process: Child,
    /// Somebody who answers.
    listener: TcpListener,
}

impl Ground {
    fn new() -> Self {
        Self {
            file: NamedTempFile::new().expect("a temporary file"),
            process: Command::new("sleep").arg("60").spawn().expect("sleep is there"),
            listener: TcpListener::bind("127.0.0.1:0").expect("a free port"),
        }
    }

    fn of_process(&self, entry: &str) -> PathBuf {
        format!("/proc/{}/{entry}", self.process.id()).into()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

const FORBIDDEN: &[Attempt] = &[
    ("run a program", |_| Command::new("true").status().map(drop)),
    ("write to a file of root's", |ground| OpenOptions::new().append(true).open(ground.file.path()).map(drop)),
    ("write to the kernel's settings", |_| {
        OpenOptions::new().write(true).open("/proc/sys/kernel/core_pattern").map(drop)
    }),
    ("write into another process", |ground| OpenOptions::new().write(true).open(ground.of_process("mem")).map(drop)),
    ("write to the host through a process", |ground| {
        let path = ground.of_process("root").join(ground.file.path().strip_prefix("/").expect("an absolute path"));
        OpenOptions::new().append(true).open(path).map(drop)
    }),
    ("trace a process", |ground| {
        let process = nix::unistd::Pid::from_raw(ground.process.id().cast_signed());
        // It is let go when this thread ends.
        Ok(nix::sys::ptrace::seize(process, nix::sys::ptrace::Options::empty())?)
    }),
    ("signal a process", |ground| {
        let process = Pid::from_raw(ground.process.id().cast_signed()).expect("a process id");
        Ok(test_kill_process(process)?)
    }),
    ("enter a network namespace", |ground| {
        let namespace = File::open(ground.of_process("ns/net"))?;
        Ok(move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?)
    }),
    ("make a file system", |_| Ok(fsopen("tmpfs", FsOpenFlags::empty()).map(drop)?)),
    ("have the kernel measure all BPF", |_| {
        enable_stats(Stats::RunTime).map(drop).map_err(|error| reason(&error.into()))
    }),
    ("see packets", |_| Ok(socket(AddressFamily::PACKET, SocketType::RAW, None).map(drop)?)),
    ("become root again", |_| Ok(rustix::thread::set_thread_uid(rustix::process::Uid::ROOT)?)),
];

const ALLOWED: &[Attempt] = &[
    ("see the root directory of a process", |ground| fs::read_dir(ground.of_process("root")).map(drop)),
    ("see what a process has open", |ground| fs::read_link(ground.of_process("fd/0")).map(drop)),
    ("see the namespaces of a process", |ground| fs::metadata(ground.of_process("ns/net")).map(drop)),
    ("read a file of root's", |ground| fs::read(ground.file.path()).map(drop)),
    ("read about its own descriptors", |_| fs::read_dir("/proc/self/fdinfo").map(drop)),
    ("start a thread", |_| thread::Builder::new().spawn(|| ()).map(drop)),
    ("listen", |_| TcpListener::bind("127.0.0.1:0").map(drop)),
];

#[test]
fn what_root_can_do_the_observer_can_do_no_more() {
    if !programs::has_root() {
        return;
    }
    let ground = Ground::new();
    // Rights are those of a thread, so each side has one.
    let outcome = |confined: bool, (name, attempt): &Attempt| {
        thread::scope(|scope| {
            let task = || {
                if confined {
                    let sandbox = sandbox::enter(&Needs { capabilities: KEPT, writes: Vec::new() });
                    assert_eq!(sandbox.shortfalls().count(), 0, "{sandbox:?}");
                }
                attempt(&ground)
            };
            let result = scope.spawn(task).join().expect("an attempt does not panic");
            println!("{name}, confined {confined}: {result:?}");
            result
        })
    };
    for attempt in FORBIDDEN {
        let free = outcome(false, attempt);
        assert!(free.is_ok(), "the lab itself: root cannot {}, so it proves nothing: {free:?}", attempt.0);
        let confined = outcome(true, attempt).map_err(|error| error.kind());
        assert_eq!(confined, Err(ErrorKind::PermissionDenied), "it can still {}", attempt.0);
    }
    for attempt in ALLOWED {
        let confined = outcome(true, attempt);
        assert!(confined.is_ok(), "it must be able to {}: {confined:?}", attempt.0);
    }
}

const FORBIDDEN_TO_HTTP: &[Attempt] = &[
    ("see the root directory of a process", |ground| fs::read_dir(ground.of_process("root")).map(drop)),
    ("see what a process has open", |ground| fs::read_link(ground.of_process("fd/0")).map(drop)),
    ("write to a file of its own", |ground| {
        OpenOptions::new().append(true).open(ground.file.path().with_extension("own")).map(drop)
    }),
    ("open a connection", |ground| TcpStream::connect(ground.listener.local_addr()?).map(drop)),
];

#[test]
fn the_thread_that_answers_http_can_do_less_still() {
    if !programs::has_root() {
        return;
    }
    let ground = Ground::new();
    let own = ground.file.path().with_extension("own");
    fs::write(&own, "").expect("a temporary file");
    std::os::unix::fs::chown(&own, Some(UNPRIVILEGED), Some(UNPRIVILEGED)).expect("root may");
    let attempts = FORBIDDEN_TO_HTTP.iter().map(|(name, attempt)| {
        let task = |of_http: bool| {
            let _ = sandbox::enter(&Needs { capabilities: KEPT, writes: Vec::new() });
            let more = if of_http { sandbox::web::enter() } else { Ok(String::new()) };
            (attempt(&ground).map_err(|error| error.kind()), more)
        };
        let both = thread::scope(|scope| {
            [false, true].map(|of_http| scope.spawn(move || task(of_http)).join().expect("an attempt does not panic"))
        });
        (name, both)
    });
    let attempts: Vec<_> = attempts.collect();
    fs::remove_file(own).expect("it is there");
    for (name, [(before, _), (after, more)]) in attempts {
        println!("{name}: {before:?} before, {after:?} after {more:?}");
        assert_eq!(before, Ok(()), "the lab itself: it cannot {name} even before, so it proves nothing");
        match more {
            Ok(_) => assert_eq!(after, Err(ErrorKind::PermissionDenied), "it can still {name}"),
            Err(reason) => assert!(reason.contains("Landlock"), "{reason}"),
        }
    }
}

fn reason(error: &anyhow::Error) -> io::Error {
    let errno = error.chain().find_map(|cause| cause.downcast_ref::<io::Error>()?.raw_os_error());
    errno.map_or_else(|| io::Error::other(format!("{error:#}")), io::Error::from_raw_os_error)
}

fn with_machine(test: impl FnOnce() -> Result<()>) {
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        test().expect("the test holds");
    }
}

/// What the kernel says of each thread.
fn statuses(pid: u32) -> Result<Vec<String>> {
    let threads = fs::read_dir(format!("/proc/{pid}/task"))?;
    threads.map(|thread| Ok(fs::read_to_string(thread?.path().join("status"))?)).collect()
}

/// The one that serves, and those that it started.
fn is_of_http(status: &str) -> bool {
    field_of(status, "Name").is_ok_and(|name| name == "http")
}

fn field_of<'a>(status: &'a str, field: &str) -> Result<&'a str> {
    let found = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    found.map(str::trim).with_context(|| format!("no {field} in {status}"))
}
