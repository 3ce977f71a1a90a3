//! What the checks work with: the observer's records, backends that misbehave, and connections to them.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::features::Kernel;
use super::record::{Record, Records};
use crate::child::{Child, Launch};
use crate::programs;

/// How long a backend may take to come up, and a connection to end.
const PATIENCE: Duration = Duration::from_secs(20);

/// The loopback's two addresses.
pub const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The machine under test.
#[derive(Debug)]
pub struct Bench {
    /// What the kernel tells.
    pub kernel: Kernel,
    /// What the observer records.
    pub records: Records,
    /// What it said that it can see, by the features' public names.
    pub features: Value,
}

impl Bench {
    /// Whether the observer uses this feature here.
    pub fn has(&self, feature: &str) -> bool {
        self.features[feature] == true
    }

    /// The reset received at `local` from `remote` since a bookmark; fails unless it is the only one.
    pub fn one_received(&self, since: usize, local: SocketAddr, remote: SocketAddr) -> Result<Record> {
        let wanted = |record: &Record| record.is("reset_received") && record.is_of(local, remote);
        let record = self.records.wait_for(since, "a reset received", wanted)?;
        let told = self.records.so_far(since, wanted);
        ensure!(told.len() == 1, "{} resets received, not one: {told:?}", told.len());
        Ok(record)
    }

    /// Fails if there was a record of a reset received at `local` from `remote` since a bookmark. Records come in the
    /// order of events, so one of a later event must have been awaited before.
    pub fn none_received(&self, since: usize, local: SocketAddr, remote: SocketAddr) -> Result<()> {
        let told = self.records.so_far(since, |record| record.is("reset_received") && record.is_of(local, remote));
        ensure!(told.is_empty(), "this was taken for a reset received: {told:?}");
        Ok(())
    }
}

static NEXT_PORT: AtomicU16 = AtomicU16::new(3100);

/// An address that no check has used yet, so that its records cannot be another's.
pub fn fresh_address(ip: IpAddr) -> SocketAddr {
    SocketAddr::new(ip, NEXT_PORT.fetch_add(1, Ordering::Relaxed))
}

/// A fault backend of its own process, and a connection to it.
#[derive(Debug)]
pub struct Pair {
    /// The backend's process id.
    pub backend: u32,
    /// Where it listens.
    pub server: SocketAddr,
    /// Our end.
    pub client: SocketAddr,
    stream: TcpStream,
    process: Child,
}

impl Pair {
    /// Starts a backend and connects to it.
    pub fn connect(ip: IpAddr) -> Result<Self> {
        let server = fresh_address(ip);
        let launch = Launch::new("the fault backend", programs::lab()?);
        let process = launch.args(["backend", "--listen", &server.to_string()]).start()?;
        let up = process.stdout.wait_for(0, PATIENCE, |line| line.contains("\"ready\"").then_some(()));
        up.context("the lab itself: the backend did not come up")?;
        let stream = TcpStream::connect(server).context("the lab itself: cannot connect to the backend")?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self { backend: process.pid(), server, client: stream.local_addr()?, stream, process })
    }

    /// Asks for `path` and waits until the connection is over, whichever way.
    pub fn ask_to_end(&mut self, path: &str, body: &str) -> Result<()> {
        // The socket tells a request from the handshake only in another jiffy, which may be 10 ms long.
        thread::sleep(Duration::from_millis(20));
        let length = body.len();
        write!(self.stream, "POST {path} HTTP/1.1\r\nHost: lab\r\nContent-Length: {length}\r\n\r\n{body}")?;
        let ended = self.stream.read_to_end(&mut Vec::new());
        let late = ended.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        ensure!(!late, "the lab itself: the backend kept the connection open: {:?}", self.process.stdout.all());
        Ok(())
    }

    /// Whether a record is of our end.
    pub fn is_ours(&self, record: &Record) -> bool {
        record.is_of(self.client, self.server)
    }

    /// Whether a record is of the backend's end.
    pub fn is_theirs(&self, record: &Record) -> bool {
        record.is_of(self.server, self.client)
    }
}
