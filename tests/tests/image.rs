//! The image, run by an OCI runtime with the rights of the Kubernetes manifest: `cargo xtask image --test`.

use std::env;
use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use lab::child::{Child, Launch};
use lab::client::Client;
use lab::enter;
use lab::ground::Ground;
use lab::lock::MachineLock;
use lab::nginx::Settings;
use lab::programs;

/// How long the container may take for anything.
const PATIENCE: Duration = Duration::from_secs(30);

/// Handshakes with a port where nobody listens.
const KNOCKS: u32 = 50_000;

/// Its name at the runtime.
const NAME: &str = "reset-observer-lab";

#[test]
fn a_container_with_the_rights_of_the_manifest_says_why_a_backend_behind_nginx_in_another_one_failed() {
    let (Some(bundle), Some(runtime)) = (env::var_os("LAB_BUNDLE"), env::var_os("LAB_RUNC")) else {
        println!("left out: it needs an image; run `cargo xtask image --test`");
        return;
    };
    if programs::has_root() {
        let _machine = MachineLock::take().expect("the lock can be had");
        judge(Path::new(&bundle), Path::new(&runtime)).expect("the test holds");
    }
}

fn judge(bundle: &Path, runtime: &Path) -> Result<()> {
    let scratch = tempfile::Builder::new().prefix("reset-observer-lab-").tempdir()?;
    let container = Container::run(bundle, runtime, scratch.path())?;
    let ground = Ground::new()?;
    let _backend = ground.backend(&[])?;
    let _nginx = ground.boxed_nginx(&Settings::default())?;

    let status = ground.client()?.post("/linger0", "x")?.status;
    ensure!(status == 502, "the lab itself: nginx answered {status}");
    let labels = [r#"cause="backend_abort""#, r#"impact="request_failed""#, r#"upstream="backend""#];
    let server = format!(r#"server="{}""#, ground.server());
    let is_it = |line: &str| {
        let named = labels.iter().chain([&&*server]).all(|label| line.contains(label));
        line.starts_with("reset_observer_verdicts_total{") && named
    };
    let deadline = Instant::now() + PATIENCE;
    let line = loop {
        let metrics = container.get("/metrics")?;
        if let Some(line) = metrics.lines().find(|line| is_it(line)) {
            break line.to_owned();
        }
        ensure!(Instant::now() < deadline, "no such verdict; the container says {:#?}", container.process.stderr.all());
        // Prometheus asks, too.
        thread::sleep(Duration::from_millis(50));
    };
    println!("{line}");
    ensure!(line.contains("} 1"), "it is counted once: {line}");
    let status = fs::read_to_string(format!("/proc/{}/status", container.pid()?))?;
    let held = ["Uid:\t65532", "CapEff:\t0000000000080004", "NoNewPrivs:\t1", "Seccomp:\t2"];
    let missing: Vec<&&str> = held.iter().filter(|line| !status.contains(**line)).collect();
    ensure!(missing.is_empty(), "{missing:?} is not so in {status}");
    storm(&container, &ground)?;
    container.end()?;
    let state = fs::read_to_string(bundle.join("node/var/lib/reset-observer/state.json"))?;
    ensure!(state.starts_with('{'), "no state was kept: {state}");
    Ok(())
}

/// Twice what a storm of resets makes it hold fits into the manifest's limit, kernel memory of its programs included.
fn storm(container: &Container, ground: &Ground) -> Result<()> {
    let nobody = SocketAddr::new(ground.server().ip(), 4000);
    ground.net().inside(|| {
        for _ in 0..KNOCKS {
            ensure!(TcpStream::connect(nobody).is_err(), "the lab itself: somebody listens at {nobody}");
        }
        Ok(())
    })?;
    let [most, limit] = memory(container.pid()?)?;
    println!("{most} bytes of memory at most, and {limit} are allowed");
    ensure!(2 * most <= limit, "{most} bytes are more than half of the limit, {limit}");
    container.get("/metrics").map(drop)
}

/// The most that the control group of a process has held, and its limit, in bytes.
fn memory(pid: u32) -> Result<[u64; 2]> {
    let groups = fs::read_to_string(format!("/proc/{pid}/cgroup"))?;
    let of = |hierarchy: &str| groups.lines().find_map(|line| line.split_once(hierarchy).map(|(_, path)| path));
    let (path, files) = match of(":memory:") {
        Some(path) => (format!("/sys/fs/cgroup/memory{path}"), ["memory.max_usage_in_bytes", "memory.limit_in_bytes"]),
        None => (format!("/sys/fs/cgroup{}", of("0::").context("no cgroup")?), ["memory.peak", "memory.max"]),
    };
    let read = |file: &str| -> Result<u64> {
        let path = format!("{path}/{file}");
        Ok(fs::read_to_string(&path).with_context(|| format!("no {path}"))?.trim().parse()?)
    };
    Ok([read(files[0])?, read(files[1])?])
}

/// A running container. Its runtime stays in the foreground and dies with the lab.
struct Container {
    process: Child,
    runtime: PathBuf,
    root: PathBuf,
}

impl Container {
    fn run(bundle: &Path, runtime: &Path, scratch: &Path) -> Result<Self> {
        let root = scratch.join("runtime");
        let launch = Launch::new("runc", runtime).arg("--root").arg(&root).arg("run").arg("--bundle").arg(bundle);
        let process = launch.arg(NAME).start()?;
        let container = Self { process, runtime: runtime.to_owned(), root };
        let deadline = Instant::now() + PATIENCE;
        while container.get("/-/ready").is_err() {
            if Instant::now() > deadline {
                let (out, err) = (container.process.stdout.all(), container.process.stderr.all());
                bail!("the container does not get ready: {out:#?} {err:#?}");
            }
            // A program that does not listen yet cannot tell when it will.
            thread::sleep(Duration::from_millis(50));
        }
        Ok(container)
    }

    fn tell(&self, arguments: &[&str]) -> Result<Vec<u8>> {
        let mut command = std::process::Command::new(&self.runtime);
        let output = command.arg("--root").arg(&self.root).args(arguments).output()?;
        ensure!(output.status.success(), "runc {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(output.stdout)
    }

    /// The program's process id on the host.
    fn pid(&self) -> Result<u32> {
        let state: Value = serde_json::from_slice(&self.tell(&["state", NAME])?)?;
        let pid = state["pid"].as_u64().filter(|pid| *pid > 0).context("it does not run")?;
        Ok(u32::try_from(pid)?)
    }

    /// Asks for a path from inside its network namespace, and expects status 200.
    fn get(&self, path: &str) -> Result<String> {
        let pid = self.pid()?;
        let ask = || -> Result<String> {
            enter::move_into(pid)?;
            let response = Client::on_host(([127, 0, 0, 1], 9924).into())?.get(path)?;
            ensure!(response.status == 200, "{path}: {} {}", response.status, response.body);
            Ok(response.body)
        };
        thread::scope(|scope| scope.spawn(ask).join()).map_err(|_| anyhow!("asking panicked"))?
    }

    fn end(mut self) -> Result<()> {
        self.tell(&["kill", NAME, "TERM"])?;
        let status = self.process.wait(PATIENCE)?;
        ensure!(status.success(), "it ended with {status}: {:#?}", self.process.stderr.all());
        Ok(())
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = self.process.signal(Signal::TERM);
        let _ = self.tell(&["delete", "--force", NAME]);
    }
}
