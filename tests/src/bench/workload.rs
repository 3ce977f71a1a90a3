//! What makes the programs run: each workload one or two kinds of event, many times.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};

use super::retransmits;
use crate::namespace::Namespace;

/// How many connections one act is about.
const CONNECTIONS: usize = 400;

/// Where it happens.
pub(super) struct Place<'a> {
    /// Both ends of every connection are in this namespace.
    pub(super) net: &'a Namespace,
    /// Somebody listens here.
    pub(super) server: SocketAddr,
    /// Nobody listens here.
    pub(super) closed: SocketAddr,
}

/// Connections from both ends: who opened it, and who accepted it.
pub(super) type Pairs = Vec<(TcpStream, TcpStream)>;

/// One workload. Only its act is measured.
#[derive(Clone, Copy)]
pub(super) struct Workload {
    /// What happens, for people.
    pub(super) name: &'static str,
    /// What it needs.
    pub(super) prepare: fn(&Place<'_>) -> Result<Pairs>,
    /// What is measured. What it gives back is dropped when the measurement is over.
    pub(super) act: fn(&Place<'_>, Pairs) -> Result<Pairs>,
}

/// Handshakes alone: four state changes each, none with a record.
pub(super) const OPENS: Workload =
    Workload { name: "connections open", prepare: nothing, act: |place, _| open(place.net, place.server) };

/// Closes in good order: six state changes each, one of them the FIN's, with a record.
pub(super) const CLOSES: Workload = Workload {
    name: "connections close",
    prepare: |place| open(place.net, place.server),
    act: |_, pairs| {
        for (client, server) in pairs {
            drop(client);
            drop(server);
        }
        Ok(Pairs::new())
    },
};

/// Requests and responses on kept connections: no state changes.
pub(super) const REQUESTS: Workload = Workload {
    name: "requests on kept connections",
    prepare: |place| open(place.net, place.server),
    act: |_, mut pairs| {
        (0..10).try_for_each(|_| talk(&mut pairs))?;
        Ok(pairs)
    },
};

/// All of them, from what happens to each connection to what happens to few.
pub(super) const ALL: [Workload; 10] = [
    OPENS,
    CLOSES,
    REQUESTS,
    Workload { name: "aborts: RST in ESTABLISHED", prepare: used, act: abort },
    Workload { name: "race: request after FIN, RST in CLOSE_WAIT", prepare: used, act: race },
    Workload { name: "refused: no socket, over the rate", prepare: nothing, act: |place, _| knock(place, 1000, 0) },
    Workload { name: "refused: no socket, every one detailed", prepare: nothing, act: |place, _| knock(place, 40, 25) },
    Workload { name: "SYN retransmitted", prepare: nothing, act: retransmits::syn },
    Workload { name: "request retransmitted after idle time", prepare: retransmits::idle, act: retransmits::request },
    Workload { name: "processes that have no connections end", prepare: nothing, act: |_, _| end_processes() },
];

fn nothing(_: &Place<'_>) -> Result<Pairs> {
    Ok(Pairs::new())
}

/// Opens connections, and accepts each at once.
pub(super) fn open(net: &Namespace, at: SocketAddr) -> Result<Pairs> {
    net.inside(|| {
        let listener = TcpListener::bind(at).with_context(|| format!("cannot listen at {at}"))?;
        let pair = |_| Ok((TcpStream::connect(at)?, listener.accept()?.0));
        (0..CONNECTIONS).map(pair).collect()
    })
}

/// Connections that have served a request: their sockets know round trip times and the like.
pub(super) fn used(place: &Place<'_>) -> Result<Pairs> {
    let mut pairs = open(place.net, place.server)?;
    talk(&mut pairs)?;
    Ok(pairs)
}

/// One request and one response on each.
pub(super) fn talk(pairs: &mut Pairs) -> Result<()> {
    let mut byte = [0];
    for (client, server) in pairs {
        client.write_all(b"?")?;
        server.read_exact(&mut byte)?;
        server.write_all(b"!")?;
        client.read_exact(&mut byte)?;
    }
    Ok(())
}

fn abort(_: &Place<'_>, pairs: Pairs) -> Result<Pairs> {
    for (mut client, server) in pairs {
        client.write_all(b"?")?;
        rustix::net::sockopt::set_socket_linger(&server, Some(Duration::ZERO))?;
    }
    Ok(Pairs::new())
}

fn race(_: &Place<'_>, pairs: Pairs) -> Result<Pairs> {
    for (mut client, server) in pairs {
        drop(server);
        client.write_all(b"?")?;
    }
    Ok(Pairs::new())
}

fn knock(place: &Place<'_>, times: u32, pause_ms: u64) -> Result<Pairs> {
    place.net.inside(|| {
        for _ in 0..times {
            // It is refused, and that is what is wanted.
            let _ = TcpStream::connect(place.closed);
            thread::sleep(Duration::from_millis(pause_ms));
        }
        Ok(Pairs::new())
    })
}

fn end_processes() -> Result<Pairs> {
    for _ in 0..50 {
        Command::new("true").stdin(Stdio::null()).status().context("cannot run true")?;
    }
    Ok(Pairs::new())
}
