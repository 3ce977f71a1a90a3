//! Reading a socket: first what kind it is, then only what that kind has.

use aya_ebpf::helpers::bpf_jiffies64;
use reset_observer_ebpf::{
    field::Field,
    record::{RawRecord, RawSnapshot, SocketKind, flag},
};

use crate::{
    copy::Copied,
    read::{follow, read, read_or_zero},
};

/// `IPPROTO_TCP`. The state tracepoint fires for DCCP and SCTP too.
const IPPROTO_TCP: u16 = 6;
/// A response came just now if it came at most so many jiffies ago (4 to 40 ms).
const JUST_JIFFIES: u32 = 4;
const AF_INET: u16 = 2;
const AF_INET6: u16 = 10;
pub(crate) const TCP_ESTABLISHED: u8 = 1;
pub(crate) const TCP_SYN_SENT: u8 = 2;
pub(crate) const TCP_SYN_RECV: u8 = 3;
pub(crate) const TCP_TIME_WAIT: u8 = 6;
pub(crate) const TCP_CLOSE: u8 = 7;
pub(crate) const TCP_CLOSE_WAIT: u8 = 8;
pub(crate) const TCP_LISTEN: u8 = 10;
const TCP_NEW_SYN_RECV: u8 = 12;

/// Local and remote port, in host order.
///
/// The change to CLOSE gives the local port back and clears `skc_num` before an active reset is sent ([source]);
/// `inet_sport`, which only full sockets have, is left as it was. Smaller sockets always have the former.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp.c#L2872-L2880
#[inline(always)]
pub(crate) fn ports(socket: u64) -> (u16, u16) {
    let remote: u16 = read_or_zero(socket, Field::RemotePort);
    let mut local: u16 = read_or_zero(socket, Field::LocalPort);
    if local == 0 {
        local = u16::from_be(read_or_zero(socket, Field::SourcePort));
    }
    (local, u16::from_be(remote))
}

/// Whether a full socket is a TCP one.
#[inline(always)]
pub(crate) fn is_tcp(socket: u64) -> bool {
    read::<u16>(socket, Field::Protocol) == Some(IPPROTO_TCP)
}

/// TCP state of any kind of socket: it is at the same place in all of them.
#[inline(always)]
pub(crate) fn state(socket: u64) -> u8 {
    read_or_zero(socket, Field::State)
}

/// Whether data is outstanding of which the peer acknowledged nothing. Two reads in the usual case.
#[inline(always)]
pub(crate) fn flight_never_acked(socket: u64) -> bool {
    let una: u32 = read_or_zero(socket, Field::SndUna);
    let written: u32 = read_or_zero(socket, Field::WriteSeq);
    if una == written {
        return false;
    }
    let first_transmit: u64 = read_or_zero(socket, Field::FirstTransmit);
    first_transmit != 0 && first_transmit == read_or_zero(socket, Field::Delivered)
}

/// Whether payload was sent last: a request without a response. Both times are also set when the handshake ends, so that
/// of a first request in the same jiffy only the count of bytes tells.
#[inline(always)]
pub(crate) fn is_unanswered(socket: u64) -> bool {
    let sent: u32 = read_or_zero(socket, Field::LastSend);
    let received: u32 = read_or_zero(socket, Field::LastReceive);
    match sent.wrapping_sub(received).cast_signed() {
        0 => {
            let bytes_received: u64 = read_or_zero(socket, Field::BytesReceived);
            let bytes_sent: u64 = read_or_zero(socket, Field::BytesSent);
            bytes_received == 0 && bytes_sent > 0
        }
        since => since > 0,
    }
}

/// What the kernel counts a FIN for in the bytes received.
const FIN_BYTES: u64 = 1;

/// Whether payload came last, moments ago, and nothing sent is unacknowledged: the end of a response. Both times are also
/// set when the handshake ends, so that of a first request in the same jiffy only the count of bytes tells, in which the
/// FIN is one ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.18/net/ipv4/tcp_input.c
#[inline(always)]
pub(crate) fn response_just_came(socket: u64) -> bool {
    let received: u32 = read_or_zero(socket, Field::LastReceive);
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_jiffies64() } as u32;
    if now.wrapping_sub(received) > JUST_JIFFIES {
        return false;
    }
    let bytes_received: u64 = read_or_zero(socket, Field::BytesReceived);
    if bytes_received <= FIN_BYTES {
        return false;
    }
    let una: u32 = read_or_zero(socket, Field::SndUna);
    let sent: u32 = read_or_zero(socket, Field::LastSend);
    una == read_or_zero(socket, Field::WriteSeq) && received.wrapping_sub(sent).cast_signed() >= 0
}

/// What may be read of a socket in `state`. Time-wait and request sockets are smaller than a `tcp_sock`.
#[inline(always)]
pub(crate) fn kind(state: u8) -> SocketKind {
    match state {
        TCP_LISTEN => SocketKind::Listener,
        TCP_TIME_WAIT => SocketKind::TimeWait,
        TCP_NEW_SYN_RECV => SocketKind::Request,
        _ => SocketKind::Full,
    }
}

/// Fills in who the socket is: address, tuple, network namespace. Any kind of socket.
#[inline(always)]
pub(crate) fn fill_identity(record: &mut RawRecord, socket: u64, from: &Copied) {
    record.socket = socket;
    (record.local_port, record.remote_port) = copied_ports(socket, from);
    record.family = from.common(Field::Family);
    record.cookie = from.common(Field::Cookie);
    if record.family == AF_INET {
        fill_ipv4(&mut record.local_addr, from.common(Field::LocalV4));
        fill_ipv4(&mut record.remote_addr, from.common(Field::RemoteV4));
    } else if record.family == AF_INET6 {
        record.local_addr = from.common(Field::LocalV6);
        record.remote_addr = from.common(Field::RemoteV6);
    }
    let net: u64 = from.common(Field::Net);
    if net != 0 {
        record.netns = read_or_zero(net, Field::NetInode);
    }
}

/// The same as [`ports`], from a copy.
#[inline(always)]
pub(crate) fn copied_ports(socket: u64, from: &Copied) -> (u16, u16) {
    let remote: u16 = from.common(Field::RemotePort);
    let mut local: u16 = from.common(Field::LocalPort);
    if local == 0 {
        local = u16::from_be(read_or_zero(socket, Field::SourcePort));
    }
    (local, u16::from_be(remote))
}

/// The other end's address, an IPv4 one in the first four bytes.
#[inline(always)]
pub(crate) fn remote_addr(from: &Copied) -> [u8; 16] {
    let mut address = [0; 16];
    let family: u16 = from.common(Field::Family);
    if family == AF_INET {
        fill_ipv4(&mut address, from.common(Field::RemoteV4));
    } else if family == AF_INET6 {
        address = from.common(Field::RemoteV6);
        unmap(&mut address);
    }
    address
}

/// A listening socket for both families accepts an IPv4 peer as `::ffff:a.b.c.d`, whom its own end knows as IPv4.
#[inline(always)]
fn unmap(address: &mut [u8; 16]) {
    // SAFETY: an array of 16 bytes can be read as words of any alignment.
    let words: [u32; 4] = unsafe { core::ptr::read_unaligned(address.as_ptr().cast()) };
    if words[0] == 0 && words[1] == 0 && words[2] == 0xffff_u32.to_be() {
        *address = [0; 16];
        fill_ipv4(address, words[3].to_ne_bytes());
    }
}

#[inline(always)]
pub(crate) fn fill_ipv4(to: &mut [u8; 16], address: [u8; 4]) {
    to[0] = address[0];
    to[1] = address[1];
    to[2] = address[2];
    to[3] = address[3];
}

/// Fills in the cgroup of a full socket.
#[inline(always)]
pub(crate) fn fill_cgroup(record: &mut RawRecord, socket: u64) {
    let Some(cgroup) = follow(socket, Field::Cgroup) else { return };
    let Some(node) = follow(cgroup, Field::CgroupNode) else { return };
    record.cgroup_id = read_or_zero(node, Field::NodeId);
}

/// Fills in what a full socket knows.
#[inline(always)]
pub(crate) fn fill_snapshot(record: &mut RawRecord, from: &Copied) {
    from.add_snapshot();
    let to: &mut RawSnapshot = &mut record.snapshot;
    to.first_transmit_us = from.snapshot(Field::FirstTransmit);
    to.delivered_us = from.snapshot(Field::Delivered);
    to.clock_us = from.snapshot(Field::Clock);
    to.bytes_sent = from.snapshot(Field::BytesSent);
    to.bytes_acked = from.snapshot(Field::BytesAcked);
    to.bytes_received = from.snapshot(Field::BytesReceived);
    to.last_send = from.snapshot(Field::LastSend);
    to.last_receive = from.snapshot(Field::LastReceive);
    to.snd_una = from.snapshot(Field::SndUna);
    to.snd_nxt = from.snapshot(Field::SndNxt);
    to.write_seq = from.snapshot(Field::WriteSeq);
    to.rcv_nxt = from.snapshot(Field::RcvNxt);
    to.copied_seq = from.snapshot(Field::CopiedSeq);
    to.srtt_eighths_us = from.snapshot(Field::Srtt);
    to.rtt_min_us = from.snapshot(Field::RttMin);
    to.total_retransmits = from.snapshot(Field::TotalRetransmits);
    to.packets_out = from.snapshot(Field::PacketsOut);
    to.retransmits = from.snapshot::<u8>(Field::Retransmits) as u32;
    to.error = from.snapshot(Field::Error);
    record.flags |= flag::SNAPSHOT;
}
