//! The observer under test, run in the host's namespaces as on a real proxy host.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::ExitStatus;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::child::{Child, Launch};
use crate::client::Client;
use crate::interrupt;
use crate::programs;
use crate::stage::BACKEND_PORT;

/// How long the observer may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it may take to come up: the verifier is what a busy or emulated machine is slowest at.
const READY_PATIENCE: Duration = Duration::from_secs(60);

/// One end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub struct Endpoint {
    /// Address.
    pub addr: std::net::IpAddr,
    /// Port.
    pub port: u16,
}

/// A verdict line, as far as truth has something to say about it (schema 1).
#[derive(Debug, Clone, Deserialize, Serialize)]
pub struct Verdict {
    /// The cause, by its public name.
    pub cause: String,
    /// `high`, `medium` or `low`.
    pub confidence: String,
    /// What it did to the request, by its public name.
    pub impact: Option<String>,
    /// Which side of nginx.
    pub leg: String,
    /// Inode of the network namespace.
    #[serde(default)]
    pub netns: Option<u32>,
    /// This host's end.
    pub local: Endpoint,
    /// The other end.
    pub remote: Endpoint,
    /// What the verdict rests on.
    #[serde(default)]
    pub evidence: Vec<String>,
    /// The other end, as its own kernel recorded it; null if it is not on this host.
    #[serde(default)]
    pub backend: Value,
}

/// A running `reset-observer`.
#[derive(Debug)]
pub struct Observer {
    process: Child,
}

impl Observer {
    /// Starts `observe` on the backends' port with every verdict as a JSON line, and waits until it watches.
    pub fn observe() -> Result<Self> {
        Self::observe_with(&[])
    }

    /// The same with further arguments.
    pub fn observe_with(arguments: &[&str]) -> Result<Self> {
        let port = BACKEND_PORT.to_string();
        let usual = ["observe", "--port", &port, "--output", "json", "--all"];
        let observer = Self::start(&[&usual, arguments].concat(), |_| ())?;
        observer.wait_until_ready()?;
        Ok(observer)
    }

    /// Starts `observe` with its output for people; `show` gets each line as it comes.
    pub fn observe_live(show: impl Fn(&str) + Send + 'static) -> Result<Self> {
        Self::start(&["observe", "--port", &BACKEND_PORT.to_string(), "--output", "table"], show)
    }

    /// Starts the observer with these arguments.
    pub fn start(args: &[&str], show: impl Fn(&str) + Send + 'static) -> Result<Self> {
        let launch = Launch::new("reset-observer", programs::observer()?).args(args);
        Ok(Self { process: launch.start_showing(show)? })
    }

    /// Starts the observer as root with nothing but these capabilities, named as setpriv(1) names them.
    pub fn start_with(capabilities: &[&str], args: &[&str]) -> Result<Self> {
        let bounds =
            capabilities.iter().fold("-all".to_owned(), |bounds, capability| format!("{bounds},+{capability}"));
        let launch = Launch::new("reset-observer", "setpriv").arg(format!("--bounding-set={bounds}"));
        let launch = launch.args(["--inh-caps=-all", "--"]).arg(programs::observer()?).args(args);
        Ok(Self { process: launch.start()? })
    }

    /// Starts the observer where the kernel's types are those of this file.
    pub fn start_seeing(types: &Path, args: &[&str]) -> Result<Self> {
        let covered = r#"mount --bind "$0" /sys/kernel/btf/vmlinux && exec "$@""#;
        let launch = Launch::new("reset-observer", "unshare").args(["--mount", "sh", "-c", covered]).arg(types);
        Ok(Self { process: launch.arg(programs::observer()?).args(args).start()? })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Waits for the `ready` line of JSON output.
    pub fn wait_until_ready(&self) -> Result<Value> {
        let pick = |line: &str| parse(line).filter(|object| object["type"] == "ready");
        let ready = self.process.stdout.wait_for(0, READY_PATIENCE, pick);
        ready.with_context(|| format!("the observer did not get ready; on stderr: {:#?}", self.complaints()))
    }

    /// How many lines it has written: a bookmark.
    pub fn bookmark(&self) -> usize {
        self.process.stdout.count()
    }

    /// The verdicts since a bookmark.
    pub fn verdicts(&self, since: usize) -> Vec<Verdict> {
        self.lines(since).iter().filter_map(|line| verdict(line)).collect()
    }

    /// Everything on standard output since a bookmark.
    pub fn lines(&self, since: usize) -> Vec<String> {
        self.process.stdout.since(since)
    }

    /// What has been read of its standard error by now. It may have written more: ask for what it must say by
    /// [`Self::wait_for_complaint`].
    pub fn complaints(&self) -> Vec<String> {
        self.process.stderr.all()
    }

    /// Waits for a line on standard error with all of these parts.
    pub fn wait_for_complaint(&self, parts: &[&str]) -> Result<String> {
        let has_all = |line: &str| parts.iter().all(|part| line.contains(part)).then(|| line.to_owned());
        let found = self.process.stderr.wait_for(0, PATIENCE, has_all);
        found.with_context(|| format!("standard error does not say {parts:?}"))
    }

    /// Waits for the first verdict since a bookmark that `wanted` accepts.
    pub fn wait_for_verdict(
        &self,
        since: usize,
        patience: Duration,
        wanted: impl Fn(&Verdict) -> bool,
    ) -> Result<Verdict> {
        self.process.stdout.wait_for(since, patience, |line| verdict(line).filter(&wanted))
    }

    /// Waits for the first line of JSON output that `wanted` accepts.
    pub fn wait_for_line(&self, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.wait_for_json(0, PATIENCE, wanted)
    }

    /// Waits for the first JSON line since a bookmark that `wanted` accepts, and gives all of it.
    pub fn wait_for_json(&self, since: usize, patience: Duration, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        self.process.stdout.wait_for(since, patience, |line| parse(line).filter(&wanted))
    }

    /// Waits until it has written anything to standard output or standard error.
    pub fn wait_for_any_line(&self) -> Result<()> {
        let Child { stdout, stderr, .. } = &self.process;
        let deadline = Instant::now() + PATIENCE;
        while stdout.count() + stderr.count() == 0 && Instant::now() < deadline {
            interrupt::check()?;
            // Two streams cannot be awaited at once.
            thread::sleep(Duration::from_millis(5));
        }
        if stdout.wait_for_end(Duration::ZERO)? {
            bail!("the observer ended: {:#?}", stderr.all());
        }
        Ok(())
    }

    /// Waits until it has ended by itself.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait(PATIENCE)
    }

    /// Ends it as Ctrl-C does, and gives its exit status and its summary line.
    pub fn finish(&mut self) -> Result<(ExitStatus, Option<Value>)> {
        self.process.signal(Signal::INT)?;
        let status = self.wait()?;
        let summary = self.lines(0).iter().rev().filter_map(|line| parse(line)).find(|line| line["type"] == "summary");
        Ok((status, summary))
    }
}

/// A running `reset-observer daemon`.
#[derive(Debug)]
pub struct Daemon {
    observer: Observer,
    address: SocketAddr,
}

impl Daemon {
    /// Starts the daemon at a free port of the loopback and waits until it is ready.
    pub fn start() -> Result<Self> {
        Self::start_with(&[])
    }

    /// The same with more arguments.
    pub fn start_with(args: &[&str]) -> Result<Self> {
        Self::start_in(args, &[])
    }

    /// The same with these further arguments and environment variables.
    pub fn start_in(args: &[&str], variables: &[(&'static str, &'static str)]) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let listen = address.to_string();
        let args = [&["daemon", "--web.listen-address", &listen], args].concat();
        let launch = Launch::new("reset-observer", programs::observer()?).args(args).variables(variables);
        let observer = Observer { process: launch.start()? };
        let daemon = Self { observer, address };
        let deadline = Instant::now() + READY_PATIENCE;
        while !daemon.get("/-/ready").is_ok_and(|(status, _)| status == 200) {
            if Instant::now() > deadline {
                bail!("the daemon did not get ready: {:#?}", daemon.observer.complaints());
            }
            // A program that does not listen yet cannot tell when it will.
            thread::sleep(Duration::from_millis(20));
        }
        Ok(daemon)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.observer.pid()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a path; gives status and body.
    pub fn get(&self, path: &str) -> Result<(u16, String)> {
        let response = Client::on_host(self.address)?.get(path)?;
        Ok((response.status, response.body))
    }

    /// The sum of the samples of `metric` whose labels hold `label`.
    pub fn sum(&self, metric: &str, label: &str) -> Result<u64> {
        let (_, text) = self.get("/metrics")?;
        let samples = text.lines().filter(|line| line.starts_with(&format!("{metric}{{")) && line.contains(label));
        let mut sum = 0;
        for sample in samples {
            let value = sample.rsplit('}').next().and_then(|rest| rest.split_whitespace().next());
            let value: f64 = value.and_then(|value| value.parse().ok()).with_context(|| format!("odd: {sample}"))?;
            sum += format!("{value:.0}").parse::<u64>()?;
        }
        Ok(sum)
    }

    /// How long it says that `server` keeps idle connections.
    pub fn learned_idle_timeout(&self, server: SocketAddr) -> Result<Option<Duration>> {
        let (_, text) = self.get("/metrics")?;
        let server = format!("server=\"{server}\"");
        let is_wanted = |line: &&str| {
            let metric = line.starts_with("reset_observer_upstream_idle_timeout_seconds{");
            metric && line.contains("side=\"backend\"") && line.contains(&server)
        };
        let sample = text.lines().find(is_wanted).and_then(|line| line.split_whitespace().next_back());
        sample.map(|value| Ok(Duration::from_secs_f64(value.parse()?))).transpose()
    }

    /// What has been read of its standard error by now.
    pub fn complaints(&self) -> Vec<String> {
        self.observer.complaints()
    }

    /// Waits for a line on its standard error with all of these parts.
    pub fn wait_for_complaint(&self, parts: &[&str]) -> Result<String> {
        self.observer.wait_for_complaint(parts)
    }

    /// Ends it as Ctrl-C does.
    pub fn finish(&mut self) -> Result<ExitStatus> {
        Ok(self.observer.finish()?.0)
    }
}

fn parse(line: &str) -> Option<Value> {
    serde_json::from_str(line).ok()
}

fn verdict(line: &str) -> Option<Verdict> {
    let object = parse(line)?;
    if object["type"] == "verdict" { serde_json::from_value(object).ok() } else { None }
}
