//! A peer made by hand: it sends what it is told to and answers nothing, so that a socket of the kernel's stays in the state
//! that it was brought into.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};

use anyhow::{Result, bail};

use super::bench::fresh_address;
use super::rules::Rule;
use super::segment::{ACK, FIN, RST, SYN, Segment};
use super::tap::Tap;

/// Where such peers live. The kernel has all of 127.0.0.0/8, so its own answers from here must be kept from being made.
const HOME: Ipv4Addr = Ipv4Addr::new(127, 9, 0, 1);

/// One end of a connection whose other end is a socket of the kernel's.
#[derive(Debug)]
pub struct Peer {
    /// Its own end.
    pub here: SocketAddrV4,
    /// The kernel's end; known once that has been heard of.
    pub there: SocketAddrV4,
    /// The next sequence number that it sends: what the kernel expects next.
    pub next: u32,
    /// The next sequence number that it expects.
    pub expected: u32,
    tap: Tap,
    _silence: Rule,
}

impl Peer {
    /// A peer of whom nobody has heard yet.
    pub fn new() -> Result<Self> {
        let silence = Rule::install(&format!("ip daddr {HOME} tcp dport 1-65535 drop"))?;
        let here = v4(fresh_address(HOME.into()))?;
        let there = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
        Ok(Self { here, there, next: 1_000_000, expected: 0, tap: Tap::open()?, _silence: silence })
    }

    /// Sends the SYN of a connection to the listener at `to`, with this payload and these options, and waits until all
    /// of it is answered for.
    pub fn knock(&mut self, to: SocketAddr, options: &[u8], payload: &[u8]) -> Result<()> {
        self.there = v4(to)?;
        let syn = Segment { options: options.to_vec(), payload: payload.to_vec(), ..self.segment(SYN) };
        syn.send()?;
        self.next = syn.end();
        let next = self.next;
        self.expected = self.hears("the SYN-ACK", |segment| segment.flags & SYN != 0 && segment.ack == next)?.end();
        Ok(())
    }

    /// Waits for the SYN of a connection that the kernel opens to this peer.
    pub fn hear_syn(&mut self) -> Result<()> {
        let here = self.here;
        let syn = self.tap.wait_for("the SYN", |segment| segment.to == here && segment.flags & SYN != 0)?;
        (self.there, self.expected) = (syn.from, syn.end());
        Ok(())
    }

    /// The next segment that it would send, with an acknowledgement of all that it expected so far.
    pub fn segment(&self, flags: u8) -> Segment {
        let ack = if flags & ACK == 0 { 0 } else { self.expected };
        Segment { seq: self.next, ack, ..Segment::new(self.here, self.there, flags) }
    }

    /// Sends a segment without payload.
    pub fn send(&self, flags: u8) -> Result<()> {
        self.segment(flags).send()
    }

    /// Sends a bare reset with the sequence number `offset` beyond the one that the kernel expects.
    pub fn reset(&self, offset: i32) -> Result<()> {
        let segment = self.segment(RST);
        Segment { seq: segment.seq.wrapping_add_signed(offset), ..segment }.send()
    }

    /// Sends a FIN and waits until it is acknowledged.
    pub fn finish(&mut self) -> Result<()> {
        self.send(FIN | ACK)?;
        self.next = self.next.wrapping_add(1);
        self.hears_ack()
    }

    /// Waits for a segment that acknowledges all that was sent, other than the SYN's.
    pub fn hears_ack(&mut self) -> Result<()> {
        let next = self.next;
        self.hears("the acknowledgement", |segment| segment.flags & (SYN | ACK) == ACK && segment.ack == next)?;
        Ok(())
    }

    /// Waits for the kernel's FIN, without acknowledging it.
    pub fn hears_fin(&mut self) -> Result<Segment> {
        self.hears("the FIN", |segment| segment.flags & FIN != 0)
    }

    /// The first segment from the kernel's end that is `wanted`, however long ago it came.
    pub fn hears(&mut self, what: &str, wanted: impl Fn(&Segment) -> bool) -> Result<Segment> {
        let (from, to) = (self.there, self.here);
        self.tap.wait_for(what, |segment| segment.from == from && segment.to == to && wanted(segment))
    }
}

/// An IPv4 address as such.
pub fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match (address, address.ip()) {
        (SocketAddr::V4(address), IpAddr::V4(_)) => Ok(address),
        _ => bail!("the lab itself: {address} is no IPv4 address"),
    }
}
