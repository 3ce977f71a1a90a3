//! A connection between a socket of the kernel's, accepted by a listener, and a peer made by hand; brought into the state
//! that a check needs.

use std::net::{TcpListener, TcpStream};

use anyhow::Result;

use super::bench::{LOOPBACK, fresh_address};
use super::peer::Peer;
use super::segment::{ACK, FIN};

/// The connection and both its ends.
#[derive(Debug)]
pub struct Meeting {
    /// The end made by hand.
    pub peer: Peer,
    /// The kernel's end, until it is closed.
    pub stream: Option<TcpStream>,
    /// Where it was accepted.
    pub listener: TcpListener,
}

impl Meeting {
    /// In ESTABLISHED.
    pub fn established() -> Result<Self> {
        Self::with_options(&[])
    }

    /// In ESTABLISHED, after a SYN with these options.
    pub fn with_options(options: &[u8]) -> Result<Self> {
        let listener = TcpListener::bind(fresh_address(LOOPBACK[0]))?;
        let mut peer = Peer::new()?;
        peer.knock(listener.local_addr()?, options, &[])?;
        peer.send(ACK)?;
        let (stream, _) = listener.accept()?;
        Ok(Self { peer, stream: Some(stream), listener })
    }

    /// In CLOSE_WAIT: the peer has closed.
    pub fn close_wait() -> Result<Self> {
        let mut meeting = Self::established()?;
        meeting.peer.finish()?;
        Ok(meeting)
    }

    /// In LAST_ACK: the peer has closed, then the kernel's end, whose FIN is not acknowledged.
    pub fn last_ack() -> Result<Self> {
        let mut meeting = Self::close_wait()?;
        meeting.close()?;
        Ok(meeting)
    }

    /// In FIN_WAIT1: the kernel's end has closed, and its FIN is not acknowledged.
    pub fn fin_wait_1() -> Result<Self> {
        let mut meeting = Self::established()?;
        meeting.close()?;
        Ok(meeting)
    }

    /// In CLOSING: both have closed, and the kernel's FIN is not acknowledged.
    pub fn closing() -> Result<Self> {
        let mut meeting = Self::fin_wait_1()?;
        meeting.peer.finish()?;
        Ok(meeting)
    }

    /// In TIME_WAIT: the kernel's end closed first, and both FINs are acknowledged.
    pub fn time_wait() -> Result<Self> {
        let mut meeting = Self::fin_wait_1()?;
        meeting.peer.expected = meeting.peer.expected.wrapping_add(1);
        meeting.peer.send(FIN | ACK)?;
        meeting.peer.next = meeting.peer.next.wrapping_add(1);
        meeting.peer.hears_ack()?;
        Ok(meeting)
    }

    /// Closes the kernel's end and waits for its FIN.
    fn close(&mut self) -> Result<()> {
        drop(self.stream.take());
        self.peer.hears_fin()?;
        Ok(())
    }
}
