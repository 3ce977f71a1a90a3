//! A backend as the lab sees it: the fault backend or a real server, and the events that it tells.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitStatus;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

mod apache;
mod certificate;
mod grpc;
mod gunicorn;
mod haproxy;
mod node;
mod probe;
mod real;
mod uvicorn;

use certificate::certificate;
use node::Node;
pub use probe::Probe;
pub use real::{Real, Server};

use crate::cell::Speech;
use crate::child::{self, Child, Launch};
use crate::interrupt;
use crate::namespace::Namespace;
use crate::programs;

/// How long a backend may take for what it was asked to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// The events by which a connection that was accepted ends.
const CLOSES: &[&str] = &["idle_close", "client_closed", "closed_unread"];

/// Which backend to run.
#[derive(Debug, Clone)]
pub enum Kind {
    /// The fault backend, with these further flags.
    Fault(&'static [&'static str]),
    /// The same in the manner of a cell.
    FaultIn(&'static [&'static str], Speech),
    /// Real Node with this `keepAliveTimeout` in milliseconds; Node 20 closes a second later than it says.
    Node(u32),
    /// Node with TLS, for [`crate::nginx::Settings::tls`], that closes an idle connection after so many milliseconds.
    NodeTls(u32),
    /// A server that people run, with its own idle timeout.
    Real(Real),
    /// Nobody listens.
    Nobody,
}

/// One event that a backend told.
#[derive(Debug, Clone)]
pub struct Event {
    /// What happened: `ready`, `request`, `idle_close`, `dying` ...
    pub name: String,
    /// The proxy's end of the connection that it happened on.
    pub peer: Option<SocketAddr>,
}

/// A running backend.
#[derive(Debug)]
pub struct Backend {
    process: Child,
    /// The server behind a proxy.
    _behind: Option<Child>,
}

impl Backend {
    /// Starts a backend inside `net`; none if the kind is [`Kind::Nobody`].
    pub fn start(kind: &Kind, net: &Namespace, listen: SocketAddr, dir: &Path) -> Result<Option<Self>> {
        fs::create_dir_all(dir)?;
        let launch = match kind {
            Kind::Nobody => return Ok(None),
            Kind::Real(real) => {
                let backend = Self::launch(real, net, listen, dir)?;
                backend.wait_until_it_listens(real, net, listen)?;
                return Ok(Some(backend));
            }
            Kind::Fault(flags) => Launch::new("the fault backend", programs::lab()?)
                .args(["backend", "--listen", &listen.to_string()])
                .args(*flags),
            Kind::FaultIn(flags, speech) => {
                let launch = Launch::new("the fault backend", programs::lab()?)
                    .args(["backend", "--listen", &listen.to_string()])
                    .args(*flags)
                    .args(speech.backend_flags());
                if *speech == Speech::Tls { launch.arg("--tls").arg(certificate(dir)?) } else { launch }
            }
            Kind::Node(keep_alive_ms) => {
                Node { idle: milliseconds(*keep_alive_ms), ..Node::default() }.launch(listen, dir)?
            }
            Kind::NodeTls(keep_alive_ms) => {
                let idle = milliseconds(*keep_alive_ms);
                Node { idle, tls: true, farewell: true, http2: false }.launch(listen, dir)?
            }
        };
        let backend = Self { process: launch.inside(net).start()?, _behind: None };
        backend.wait_for("ready", 0)?;
        Ok(Some(backend))
    }

    /// Starts a real server without waiting for it; for the thread that outlives it, since it ends with its parent.
    pub fn launch(real: &Real, net: &Namespace, listen: SocketAddr, dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir)?;
        let (launch, behind) = real.launch(listen, dir)?;
        let behind = behind.map(|launch| launch.inside(net).start()).transpose()?;
        Ok(Self { process: launch.inside(net).start()?, _behind: behind })
    }

    /// Waits until it listens, and so does what is behind it.
    pub fn wait_until_it_listens(&self, real: &Real, net: &Namespace, at: SocketAddr) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        let ports = real.ports(at);
        while !ports.iter().try_fold(true, |all, port| anyhow::Ok(all && net.listens(*port)?))? {
            interrupt::check()?;
            ensure!(Instant::now() < deadline, "the lab itself: nobody listens at {at}: {:#?}", self.lines());
            // `/proc` has no events.
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Its process id; of a server with workers, the first process'.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The processes that serve: its children, or itself if it has none.
    pub fn servants(&self) -> Result<Vec<u32>> {
        let children = child::children_of(self.pid())?;
        Ok(if children.is_empty() { vec![self.pid()] } else { children })
    }

    /// How many events were told so far: a bookmark for [`Backend::wait_for`].
    pub fn told(&self) -> usize {
        self.process.stdout.count()
    }

    /// Waits for the first event of this name since bookmark `seen`.
    pub fn wait_for(&self, name: &str, seen: usize) -> Result<Event> {
        let pick = |line: &str| parse(line).filter(|event| event.name == name);
        let event = self.process.stdout.wait_for(seen, PATIENCE, pick);
        event.with_context(|| format!("the lab itself: no event {name:?} from the backend"))
    }

    /// Every event of this name.
    pub fn events(&self, name: &str) -> Vec<Event> {
        self.process.stdout.all().iter().filter_map(|line| parse(line)).filter(|event| event.name == name).collect()
    }

    /// Waits until every connection that the backend accepted is closed.
    pub fn wait_until_all_closed(&self) -> Result<()> {
        loop {
            let seen = self.told();
            let closed: usize = CLOSES.iter().map(|name| self.events(name).len()).sum();
            if self.events("accepted").len() == closed {
                return Ok(());
            }
            let next = self.process.stdout.wait_for(seen, PATIENCE, |_| Some(()));
            next.context("the lab itself: a connection to the backend stays open")?;
        }
    }

    /// Every line that the backend wrote.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = self.process.stdout.all();
        lines.extend(self.process.stderr.all());
        lines
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Asks it to end (SIGTERM).
    pub fn terminate(&self) -> Result<()> {
        self.process.signal(Signal::TERM)
    }

    /// Stops it where it stands, until [`Backend::go_on`].
    pub fn hold_still(&self) -> Result<()> {
        self.process.signal(Signal::STOP)
    }

    /// Lets it go on.
    pub fn go_on(&self) -> Result<()> {
        self.process.signal(Signal::CONT)
    }

    /// Waits until it has ended, and tells how.
    pub fn wait(&mut self) -> Result<ExitStatus> {
        self.process.wait(PATIENCE)
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        // Who has children ends them on SIGTERM; who did not is ended by its id, and so is each of them.
        let children = child::children_of(self.pid()).unwrap_or_default();
        if children.is_empty() {
            return;
        }
        let ended = self.process.signal(Signal::TERM).and_then(|()| self.process.wait(PATIENCE).map(drop));
        if ended.is_err() {
            children.iter().for_each(|pid| drop(child::signal_process(*pid, Signal::KILL)));
        }
    }
}

fn milliseconds(number: u32) -> Duration {
    Duration::from_millis(number.into())
}

fn parse(line: &str) -> Option<Event> {
    let event: Value = serde_json::from_str(line).ok()?;
    let peer = event["peer"].as_str().and_then(|peer| peer.parse().ok());
    Some(Event { name: event["event"].as_str()?.to_owned(), peer })
}
