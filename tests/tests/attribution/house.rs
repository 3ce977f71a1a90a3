//! An nginx with its backend in a network namespace of their own, and what is true of each of its workers.

use std::collections::HashMap;
use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::Signal;
use serde_json::Value;

use lab::backend::{Backend, Kind};
use lab::boxed::{BoxedNginx, Files, inner_pid};
use lab::child::{children_of, signal_process};
use lab::client::Client;
use lab::nginx::{Nginx, Settings, configure};
use lab::stage::FRONT_PORT;
use lab::topology::{Family, Shape, Topology};

use super::truth::{Sent, Worker};

/// How long nginx, its backend or its log may take.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) const SETTINGS: Settings = Settings {
    workers: 4,
    keepalive: 16,
    keepalive_timeout: "60s",
    timeout: "4s",
    tls: false,
    server: "",
    location: "",
};

enum Runs {
    OnHost(Nginx),
    Boxed(BoxedNginx),
}

/// The parts go in the order of the fields: programs first.
pub(crate) struct House {
    runs: Runs,
    backend: Backend,
    net: Topology,
    pub(crate) server: SocketAddr,
    front: SocketAddr,
    /// Its files, as they lie on the host and as it sees them.
    outside: PathBuf,
    inside: PathBuf,
    /// The name of the upstream block that it runs with.
    loaded: String,
    known: HashMap<u32, Worker>,
    sent: usize,
}

/// What is the same of both kinds.
struct Ground {
    net: Topology,
    backend: Backend,
    server: SocketAddr,
    front: SocketAddr,
}

impl Ground {
    /// All have the same addresses: each has them in a namespace of its own.
    fn new(scratch: &Path, port: u16) -> Result<Self> {
        let net = Topology::build(Shape::Loopback, Family::V4, scratch)?;
        let server = SocketAddr::from(([127, 0, 77, 1], port));
        let front = SocketAddr::new(net.front_address(), FRONT_PORT);
        let backend = Backend::start(&Kind::Fault(&[]), net.backend(), server, scratch)?.context("no backend")?;
        Ok(Self { net, backend, server, front })
    }

    fn house(self, runs: Runs, files: (PathBuf, PathBuf), loaded: &str) -> Result<House> {
        let (outside, inside) = files;
        let Self { net, backend, server, front } = self;
        let (loaded, known) = (loaded.to_owned(), HashMap::new());
        let mut house = House { runs, backend, net, server, front, outside, inside, loaded, known, sent: 0 };
        // A fresh worker bears its master's title for a moment.
        house.wait_until("name its workers", |house| house.serving().len() == SETTINGS.workers as usize)?;
        house.meet()?;
        Ok(house)
    }
}

impl House {
    /// nginx in the host's pid and mount namespaces. Its upstream block is called `backend`.
    pub(crate) fn on_host(scratch: &Path, port: u16) -> Result<Self> {
        let ground = Ground::new(scratch, port)?;
        let dir = scratch.join("host");
        let nginx = Nginx::start(ground.net.proxy(), &dir, &SETTINGS, ground.front, &[ground.server])?;
        ground.house(Runs::OnHost(nginx), (dir.clone(), dir), "backend")
    }

    /// nginx in pid and mount namespaces of its own. It is told an absolute link, which leads to another configuration
    /// on the host.
    pub(crate) fn boxed(scratch: &Path, port: u16, block: &str) -> Result<Self> {
        let ground = Ground::new(scratch, port)?;
        let (outside, inside) = (scratch.join("volume"), scratch.join("etc"));
        [&outside, &inside].into_iter().try_for_each(fs::create_dir_all)?;
        let link = scratch.join("linked.conf");
        symlink(inside.join("nginx.conf"), &link)?;
        let text = |name: &str| configuration(name, &inside, ground.front, ground.server, true);
        fs::write(outside.join("nginx.conf"), text(block)?)?;
        fs::write(inside.join("nginx.conf"), text("of_the_host")?)?;
        let files = Files { outside: &outside, inside: &inside, configuration: &link };
        let nginx = BoxedNginx::start_with(ground.net.proxy(), &files, SETTINGS.workers as usize)?;
        ground.house(Runs::Boxed(nginx), (outside, inside), block)
    }

    pub(crate) fn is_boxed(&self) -> bool {
        matches!(self.runs, Runs::Boxed(_))
    }

    pub(crate) fn masters(&self) -> Vec<u32> {
        match &self.runs {
            Runs::OnHost(nginx) => vec![nginx.master()],
            Runs::Boxed(nginx) => nginx.masters(),
        }
    }

    /// Workers that take new connections, with their masters.
    fn serving(&self) -> Vec<(u32, u32)> {
        let of = |master: u32| children_of(master).unwrap_or_default().into_iter().map(move |worker| (worker, master));
        let is_worker = |(pid, _): &(u32, u32)| {
            let title = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            title.trim_end_matches(['\0', ' ']) == "nginx: worker process"
        };
        self.masters().into_iter().flat_map(of).filter(is_worker).collect()
    }

    /// Remembers the workers that there are: a new one was told what its master read last.
    pub(crate) fn meet(&mut self) -> Result<()> {
        for (pid, master) in self.serving() {
            let inner = inner_pid(pid).context("the lab itself: a worker is gone")?;
            let upstream = self.loaded.clone();
            self.known.entry(pid).or_insert(Worker { pid, inner, master, upstream });
        }
        Ok(())
    }

    /// One of its workers, also one that is gone.
    pub(crate) fn known(&self, pid: u32) -> Option<&Worker> {
        self.known.get(&pid)
    }

    /// Writes a configuration with another name for the upstream block.
    pub(crate) fn rename(&self, block: &str) -> Result<()> {
        let text = configuration(block, &self.inside, self.front, self.server, self.is_boxed())?;
        Ok(fs::write(self.outside.join("nginx.conf"), text)?)
    }

    /// Has it read that, and returns when new workers serve; old ones may still be busy.
    pub(crate) fn reload_as(&mut self, block: &str) -> Result<()> {
        self.rename(block)?;
        let [master] = self.masters()[..] else { bail!("the lab itself: two masters") };
        signal_process(master, Signal::HUP)?;
        self.wait_until("reload", |house| {
            let serving = house.serving();
            serving.len() == SETTINGS.workers as usize && serving.iter().all(|(pid, _)| !house.known.contains_key(pid))
        })?;
        block.clone_into(&mut self.loaded);
        self.meet()
    }

    /// Starts a new binary beside the old one. Gives the old master.
    pub(crate) fn upgrade_as(&mut self, block: &str) -> Result<u32> {
        self.rename(block)?;
        let [old] = self.masters()[..] else { bail!("the lab itself: two masters") };
        self.boxed_nginx()?.upgrade()?;
        block.clone_into(&mut self.loaded);
        self.meet()?;
        Ok(old)
    }

    pub(crate) fn boxed_nginx(&self) -> Result<&BoxedNginx> {
        match &self.runs {
            Runs::Boxed(nginx) => Ok(nginx),
            Runs::OnHost(_) => bail!("the lab itself: not in a box"),
        }
    }

    /// Kills the worker that serves this request, and waits until it is replaced.
    pub(crate) fn kill_worker_of(&mut self, request: &Sent) -> Result<()> {
        let peer = self.peer_of(&request.path)?;
        let table = self.net.proxy().run("ss", &["-tnpHO", &format!("sport = :{}", peer.port())], "")?;
        let pid = table.split("pid=").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
        let pid: u32 = pid.with_context(|| format!("the lab itself: nobody holds {peer}: {table}"))?;
        signal_process(pid, Signal::KILL)?;
        self.wait_until("replace a worker", |house| {
            let serving = house.serving();
            serving.len() == SETTINGS.workers as usize && !serving.iter().any(|(worker, _)| *worker == pid)
        })?;
        ensure!(self.known.contains_key(&pid), "the lab itself: {pid} was no worker");
        self.meet()
    }

    /// New connections to nginx.
    pub(crate) fn clients(&self, count: usize) -> Result<Vec<Client>> {
        (0..count).map(|_| Client::inside(self.net.proxy(), self.front)).collect()
    }

    /// Posts to this path of the backend's, with something added that no other request has.
    fn send(&mut self, since: usize, deed: &str, client: &mut Client) -> Result<Sent> {
        self.sent += 1;
        let path = format!("/{deed}/{}-{}", self.server.port(), self.sent);
        client.send("POST", &path, "x")?;
        Ok(Sent { path, since })
    }

    /// The same for each of these clients; returns when the backend has read all of them. `since` is the observer's
    /// bookmark: all that it says of these requests comes later.
    pub(crate) fn send_all(&mut self, since: usize, deed: &str, clients: &mut [Client]) -> Result<Vec<Sent>> {
        let sent = clients.iter_mut().map(|client| self.send(since, deed, client)).collect::<Result<Vec<_>>>()?;
        sent.iter().try_for_each(|sent| self.peer_of(&sent.path).map(drop))?;
        Ok(sent)
    }

    /// nginx's end of the connection on which the backend got this request.
    pub(crate) fn peer_of(&self, path: &str) -> Result<SocketAddr> {
        let mut peer = None;
        self.wait_until("pass a request on", |house| {
            let events = house.backend.lines().into_iter().filter_map(|line| serde_json::from_str::<Value>(&line).ok());
            let mut requests = events.filter(|event| event["event"] == "request" && event["path"] == path);
            peer = requests.next().and_then(|event| event["peer"].as_str()?.parse().ok());
            peer.is_some()
        })?;
        peer.context("the lab itself: no request")
    }

    /// The worker that logged this request.
    pub(crate) fn worker_of(&self, path: &str) -> Result<&Worker> {
        let mut logged = None;
        self.wait_until("log a request", |house| {
            let log = house.error_log();
            let line = log.iter().find(|line| line.contains(&format!("{path} ")));
            logged = line.and_then(|line| line.split("] ").nth(1)?.split('#').next()?.parse::<u32>().ok());
            logged.is_some()
        })?;
        let mut workers = self.known.values().filter(|worker| Some(worker.inner) == logged);
        let worker = workers.next().with_context(|| format!("the lab itself: {logged:?} is no worker"))?;
        ensure!(workers.next().is_none(), "the lab itself: two workers with the id {logged:?}");
        Ok(worker)
    }

    pub(crate) fn accepted(&self) -> usize {
        self.backend.events("accepted").len()
    }

    fn error_log(&self) -> Vec<String> {
        match &self.runs {
            Runs::OnHost(nginx) => nginx.error_log(),
            Runs::Boxed(nginx) => nginx.error_log(),
        }
    }

    fn wait_until(&self, deed: &str, mut done: impl FnMut(&Self) -> bool) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while !done(self) {
            ensure!(Instant::now() < deadline, "nginx did not {deed} within {PATIENCE:?}: {:#?}", self.error_log());
            // Neither `/proc` nor a log has events.
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

fn configuration(block: &str, dir: &Path, front: SocketAddr, server: SocketAddr, daemon: bool) -> Result<String> {
    let text = configure(&SETTINGS, dir, front, &[server])?;
    let text =
        text.replace("upstream backend", &format!("upstream {block}")).replace("://backend", &format!("://{block}"));
    Ok(if daemon { text.replace("daemon off;", "daemon on;") } else { text })
}
