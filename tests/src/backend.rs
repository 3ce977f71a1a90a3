//! A backend as the lab sees it: the fault backend or a real Node, and the events that it tells.

use std::fs;
use std::io::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use serde_json::Value;

use crate::child::{Child, Launch};
use crate::namespace::Namespace;
use crate::programs;

/// How long a backend may take for what it was asked to do.
const PATIENCE: Duration = Duration::from_secs(10);

/// The events by which a connection that was accepted ends.
const CLOSES: &[&str] = &["idle_close", "client_closed", "closed_unread"];

/// An ordinary Node server that tells when a connection of its ends. With TLS it says `close_notify` before it closes an
/// idle connection, as most servers do and Node's own timer does not.
const NODE_SERVER: &str = r"
const [address, port, keepAlive, pem] = process.argv.slice(2);
const say = (event, peer) => process.stdout.write(JSON.stringify({ event, peer }) + '\n');
const secrets = pem && require('fs').readFileSync(pem);
const server = pem ? require('https').createServer({ key: secrets, cert: secrets }) : require('http').createServer();
server.keepAliveTimeout = pem ? 0 : Number(keepAlive);
server.on('request', (request, response) => {
  const socket = request.socket;
  clearTimeout(socket.idle);
  if (pem) response.on('finish', () => { socket.idle = setTimeout(() => { socket.over = true; socket.end(); }, Number(keepAlive)); });
  response.end('ok\n');
});
server.on(pem ? 'secureConnection' : 'connection', socket => {
  const host = socket.remoteFamily === 'IPv6' ? `[${socket.remoteAddress}]` : socket.remoteAddress;
  const peer = `${host}:${socket.remotePort}`;
  say('accepted', peer);
  let byPeer = false;
  socket.on('end', () => { byPeer = !socket.over; });
  // Whoever is still writing when the other end resets gets an error, and then 'close'.
  socket.on('error', () => {});
  socket.on('close', () => say(byPeer ? 'client_closed' : 'idle_close', peer));
});
server.listen(Number(port), address, () => say('ready', null));
";

/// Which backend to run.
#[derive(Debug, Clone)]
pub enum Kind {
    /// The fault backend, with these further flags.
    Fault(&'static [&'static str]),
    /// Real Node with this `keepAliveTimeout` in milliseconds; Node 20 closes a second later than it says.
    Node(u32),
    /// Node with TLS, for [`crate::nginx::Settings::tls`], that closes an idle connection after so many milliseconds.
    NodeTls(u32),
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
}

impl Backend {
    /// Starts a backend inside `net`; none if the kind is [`Kind::Nobody`].
    pub fn start(kind: &Kind, net: &Namespace, listen: SocketAddr, dir: &Path) -> Result<Option<Self>> {
        let launch = match kind {
            Kind::Nobody => return Ok(None),
            Kind::Fault(flags) => Launch::new("the fault backend", programs::lab()?)
                .args(["backend", "--listen", &listen.to_string()])
                .args(*flags),
            Kind::Node(keep_alive_ms) => node(listen, *keep_alive_ms, dir)?,
            Kind::NodeTls(keep_alive_ms) => node(listen, *keep_alive_ms, dir)?.arg(certificate(dir)?),
        };
        let backend = Self { process: launch.inside(net).start()? };
        backend.wait_for("ready", 0)?;
        Ok(Some(backend))
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

fn node(listen: SocketAddr, keep_alive_ms: u32, dir: &Path) -> Result<Launch> {
    let script = dir.join("server.js");
    fs::write(&script, NODE_SERVER)?;
    let arguments = [listen.ip().to_string(), listen.port().to_string(), keep_alive_ms.to_string()];
    Ok(Launch::new("node", programs::node()?).arg(script).args(arguments))
}

/// A key and a certificate that nobody signed, in one file.
fn certificate(dir: &Path) -> Result<PathBuf> {
    let pem = dir.join("backend.pem");
    let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=backend";
    let mut openssl = Command::new("openssl");
    openssl.args(request.split(' ')).arg("-keyout").arg(&pem).arg("-out").arg(dir.join("certificate.pem"));
    let made = openssl.output().context("the lab itself: no openssl")?;
    ensure!(made.status.success(), "the lab itself: {}", String::from_utf8_lossy(&made.stderr));
    let certificate = fs::read(dir.join("certificate.pem"))?;
    fs::OpenOptions::new().append(true).open(&pem)?.write_all(&certificate)?;
    Ok(pem)
}

fn parse(line: &str) -> Option<Event> {
    let event: Value = serde_json::from_str(line).ok()?;
    let peer = event["peer"].as_str().and_then(|peer| peer.parse().ok());
    Some(Event { name: event["event"].as_str()?.to_owned(), peer })
}
