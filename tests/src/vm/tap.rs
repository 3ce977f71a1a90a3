//! What goes over the links of a network namespace, read packet by packet: the truth about the wire, whatever the
//! observer says.

use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rustix::io::Errno;
use rustix::net::sockopt::{self, Timeout};
use rustix::net::{AddressFamily, Protocol, RecvFlags, SocketType};

use super::segment::Segment;

/// How long a segment may take on an emulated machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// `ETH_P_IP` as it stands in a frame.
const IPV4: u32 = (0x0800_u16.to_be()) as u32;

/// Every TCP segment on IPv4 since it was opened. On the loopback each is heard twice, as it leaves and as it arrives.
#[derive(Debug)]
pub struct Tap {
    socket: OwnedFd,
    heard: Vec<Segment>,
}

impl Tap {
    /// Starts to listen in this thread's network namespace.
    pub fn open() -> Result<Self> {
        let protocol = std::num::NonZeroU32::new(IPV4).map(Protocol::from_raw);
        let socket = rustix::net::socket(AddressFamily::PACKET, SocketType::DGRAM, protocol)
            .context("the lab itself: no packet socket")?;
        sockopt::set_socket_timeout(&socket, Timeout::Recv, Some(Duration::from_millis(100)))?;
        Ok(Self { socket, heard: Vec::new() })
    }

    /// The first segment that is `wanted`, however long ago it was heard; `what` names it where it does not come.
    pub fn wait_for(&mut self, what: &str, wanted: impl Fn(&Segment) -> bool) -> Result<Segment> {
        let deadline = Instant::now() + PATIENCE;
        let mut next = 0;
        loop {
            if let Some(found) = self.heard[next..].iter().find(|segment| wanted(segment)) {
                return Ok(found.clone());
            }
            next = self.heard.len();
            if Instant::now() > deadline {
                bail!("the lab itself: {what} did not come; on the wire: {:#?}", self.heard);
            }
            self.listen()?;
        }
    }

    fn listen(&mut self) -> Result<()> {
        let mut packet = vec![0; 1 << 16];
        match rustix::net::recv(&self.socket, packet.as_mut_slice(), RecvFlags::empty()) {
            Ok((length, _)) => self.heard.extend(Segment::parse(&packet[..length])),
            Err(Errno::AGAIN | Errno::INTR) => {}
            Err(error) => return Err(error).context("the lab itself: cannot read packets"),
        }
        Ok(())
    }
}
