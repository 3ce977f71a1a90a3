//! The kernel's list of TCP sockets, asked for through sock_diag(7): one question for a whole network namespace, with
//! the states that nobody asked for left out by the kernel. Of everything else in that namespace nothing is kept.

use std::{collections::HashSet, io, net::SocketAddr, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use netlink_packet_core::{
    DecodeError, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader, NetlinkMessage,
    NetlinkPayload, Parseable as _,
};
use netlink_packet_sock_diag::{
    SockDiagMessage,
    constants::{AF_INET, AF_INET6, IPPROTO_TCP, SOCK_DIAG_BY_FAMILY},
    inet::{ExtensionFlags, InetRequest, InetResponseHeader, SocketId, StateFlags},
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, sockopt},
};

use crate::{nginx::socket_list::HeldSocket, record::TcpState};

/// How often to ask again when the list changed while the kernel gave it.
const ATTEMPTS: usize = 5;

/// The kernel gives a list in pieces of at most 32 KiB ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/net/netlink/af_netlink.c#L2252-L2260
const PIECE_LEN: usize = 1 << 16;

/// The kernel answers within the system call that asks. Should it not, nothing hangs.
const PATIENCE: Duration = Duration::from_secs(2);

/// The sockets with these inodes that listen or are connected, in the network namespace of the calling thread.
///
/// # Errors
/// If the kernel refuses (it has no sock_diag, or a sandbox forbids netlink), answers with bytes that are no list of
/// sockets, or is interrupted each time.
pub(super) fn tcp_sockets(held: &HashSet<u64>) -> Result<Vec<HeldSocket>> {
    let mut sockets = Vec::new();
    for family in [AF_INET, AF_INET6] {
        sockets.extend(sockets_of_family(family, held)?);
    }
    Ok(sockets)
}

fn sockets_of_family(family: u8, held: &HashSet<u64>) -> Result<Vec<HeldSocket>> {
    for attempt in 1..=ATTEMPTS {
        // A socket for each attempt, so that nothing of an interrupted one is left to be read.
        let answers = ask(family)?;
        let mut list = List::new(held);
        let mut piece = vec![0; PIECE_LEN];
        while !list.is_complete {
            let len = receive(&answers, &mut piece)?;
            list.take(&piece[..len])?;
        }
        if !list.is_interrupted {
            return Ok(list.sockets);
        }
        log::debug!("the list of sockets changed while the kernel gave it, attempt {attempt} of {ATTEMPTS}");
    }
    bail!("the list of sockets changed {ATTEMPTS} times while the kernel gave it")
}

fn ask(family: u8) -> Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        Some(netlink::SOCK_DIAG),
    )
    .context("the kernel has no sock_diag, or a sandbox forbids netlink")?;
    sockopt::set_socket_timeout(&socket, sockopt::Timeout::Recv, Some(PATIENCE)).context("no timeout can be set")?;
    // To no address in particular: that is the kernel.
    rustix::net::send(&socket, &question(family), SendFlags::empty()).context("sock_diag takes no question")?;
    Ok(socket)
}

fn question(family: u8) -> Vec<u8> {
    let any = if family == AF_INET { SocketId::new_v4() } else { SocketId::new_v6() };
    let request = InetRequest {
        family,
        protocol: IPPROTO_TCP,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::ESTABLISHED | StateFlags::SYN_SENT | StateFlags::CLOSE_WAIT | StateFlags::LISTEN,
        socket_id: any,
    };
    let mut header = NetlinkHeader::default();
    header.flags = NLM_F_REQUEST | NLM_F_DUMP;
    let mut message = NetlinkMessage::new(header, SockDiagMessage::InetRequest(request).into());
    message.finalize();
    let mut bytes = vec![0; message.buffer_len()];
    message.serialize(&mut bytes);
    bytes
}

fn receive(from: &OwnedFd, piece: &mut [u8]) -> Result<usize> {
    // With TRUNC the kernel tells the true length of a piece that did not fit.
    let received = rustix::io::retry_on_intr(|| rustix::net::recv(from, &mut *piece, RecvFlags::TRUNC));
    let (_, len) = received.context("sock_diag does not answer")?;
    ensure!(len <= piece.len(), "sock_diag sent a piece of {len} bytes, {} were expected at most", piece.len());
    ensure!(len > 0, "sock_diag sent nothing");
    Ok(len)
}

/// The fixed part of an answer. The attributes behind it are not looked at, so they can do no harm.
struct Answer(InetResponseHeader);

impl NetlinkDeserializable for Answer {
    type Error = DecodeError;

    fn deserialize(header: &NetlinkHeader, payload: &[u8]) -> Result<Self, DecodeError> {
        match header.message_type {
            SOCK_DIAG_BY_FAMILY => Ok(Self(InetResponseHeader::parse(payload)?)),
            other => Err(format!("a message of type {other}").into()),
        }
    }
}

/// A list as it comes in.
struct List<'a> {
    held: &'a HashSet<u64>,
    sockets: Vec<HeldSocket>,
    is_complete: bool,
    is_interrupted: bool,
}

impl<'a> List<'a> {
    fn new(held: &'a HashSet<u64>) -> Self {
        Self { held, sockets: Vec::new(), is_complete: false, is_interrupted: false }
    }

    /// Takes one piece, which holds any number of messages.
    fn take(&mut self, mut piece: &[u8]) -> Result<()> {
        while !piece.is_empty() && !self.is_complete {
            let message = NetlinkMessage::<Answer>::deserialize(piece).context("sock_diag sent what it should not")?;
            let len = message.header.length as usize;
            self.is_interrupted |= message.header.flags & NLM_F_DUMP_INTR != 0;
            self.take_message(message.payload)?;
            // Messages start at multiples of four; behind the last one there may be nothing.
            piece = piece.get(len.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }

    fn take_message(&mut self, payload: NetlinkPayload<Answer>) -> Result<()> {
        match payload {
            NetlinkPayload::InnerMessage(answer) => self.add(&answer.0),
            NetlinkPayload::Done(done) => self.end(done.code)?,
            NetlinkPayload::Error(error) => self.end(error.raw_code())?,
            NetlinkPayload::Overrun(_) => bail!("sock_diag lost a part of the list"),
            NetlinkPayload::Noop | _ => {}
        }
        Ok(())
    }

    fn add(&mut self, found: &InetResponseHeader) {
        let inode = u64::from(found.inode);
        let Some(state) = TcpState::from_u8(found.state).filter(|_| self.held.contains(&inode)) else { return };
        let ends = &found.socket_id;
        self.sockets.push(HeldSocket {
            inode,
            state,
            local: SocketAddr::new(ends.source_address, ends.source_port),
            remote: SocketAddr::new(ends.destination_address, ends.destination_port),
        });
    }

    /// The end of the list, with a negated errno if it is not whole.
    fn end(&mut self, code: i32) -> Result<()> {
        self.is_complete = true;
        match code.saturating_neg() {
            ..=0 => Ok(()),
            errno if errno == Errno::INTR.raw_os_error() => {
                self.is_interrupted = true;
                Ok(())
            }
            errno => Err(io::Error::from_raw_os_error(errno)).context("the kernel refuses its list of sockets"),
        }
    }
}

#[cfg(test)]
mod tests;
