//! A connection with a socket of the kernel's at either end, in one process, and a tap on its wire.

use std::io::Write;
use std::net::{SocketAddr, SocketAddrV4, TcpListener, TcpStream};

use anyhow::{Context, Result};
use nix::sys::socket::{setsockopt, sockopt::TcpRepair};

use super::bench::{LOOPBACK, fresh_address};
use super::peer::v4;
use super::segment::{FIN, RST, SYN, Segment};
use super::tap::Tap;

/// The connection and its ends, each until it is closed.
#[derive(Debug)]
pub struct Link {
    /// The end that opened it.
    pub client: TcpStream,
    /// The end that accepted it.
    pub server: Option<TcpStream>,
    /// Where it was accepted.
    pub listener: Option<TcpListener>,
    here: SocketAddrV4,
    there: SocketAddrV4,
    tap: Tap,
}

impl Link {
    /// Opens one.
    pub fn open() -> Result<Self> {
        let mut link = Self::unaccepted()?;
        let listener = link.listener.as_ref().context("the lab itself: no listener")?;
        link.server = Some(listener.accept()?.0);
        Ok(link)
    }

    /// Opens one that no process has accepted.
    pub fn unaccepted() -> Result<Self> {
        let tap = Tap::open()?;
        let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
        let client = TcpStream::connect(listener.local_addr()?)?;
        let (here, there) = (v4(client.local_addr()?)?, v4(client.peer_addr()?)?);
        Ok(Self { client, server: None, listener: Some(listener), here, there, tap })
    }

    /// The address of the end that opened it.
    pub fn here(&self) -> SocketAddr {
        self.here.into()
    }

    /// The address of the end that accepted it.
    pub fn there(&self) -> SocketAddr {
        self.there.into()
    }

    /// Writes a request at the client's end, and waits until it lies unread in the kernel at the other.
    pub fn ask(&mut self) -> Result<()> {
        self.client.write_all(b"GET / HTTP/1.1\r\n\r\n")?;
        self.accepted()?.peek(&mut [0])?;
        Ok(())
    }

    /// The server's end.
    pub fn accepted(&self) -> Result<&TcpStream> {
        self.server.as_ref().context("the lab itself: that end is closed")
    }

    /// Makes the server's host forget the connection without a word, as a reboot does.
    pub fn forget(&mut self) -> Result<()> {
        let server = self.server.take().context("the lab itself: that end is closed")?;
        setsockopt(&server, TcpRepair, &1).context("the lab itself: no TCP_REPAIR")?;
        Ok(())
    }

    /// Waits until the FIN of the server's end is acknowledged.
    pub fn wait_for_fin(&mut self) -> Result<()> {
        let fin = self.hear("the FIN", |segment| segment.flags & FIN != 0)?;
        let acknowledges = |segment: &Segment| segment.to == fin.from && segment.ack == fin.end();
        self.tap.wait_for("the acknowledgement of the FIN", acknowledges)?;
        Ok(())
    }

    /// The SYN-ACK as it was on the wire.
    pub fn syn_ack(&mut self) -> Result<Segment> {
        self.hear("the SYN-ACK", |segment| segment.flags & SYN != 0)
    }

    /// The first reset from the server's end as it was on the wire.
    pub fn reset(&mut self) -> Result<Segment> {
        self.hear("the reset", |segment| segment.flags & RST != 0)
    }

    /// The first segment from the server's end that is `wanted`.
    pub fn hear(&mut self, what: &str, wanted: impl Fn(&Segment) -> bool) -> Result<Segment> {
        let (from, to) = (self.there, self.here);
        self.tap.wait_for(what, |segment| segment.from == from && segment.to == to && wanted(segment))
    }
}
