//! What a packet says of its sender: read from the packet itself, by fentry where the kernel allows it, else by the
//! cgroup program if that was asked for.

use aya_ebpf::{
    helpers::bpf_ktime_get_ns,
    macros::map,
    maps::{LruHashMap, PerCpuArray},
};
use reset_observer_ebpf::record::{RawPacket, RawRecord, flag};

use crate::{global::looks_at_packets, owner, packet::headers, read::at, tuple::Tuple};

/// Facts about a packet count for the event that follows within this time: right after it, unless the socket was in use
/// and the packet waited for it.
const FRESH_NS: u64 = 50_000_000;

/// NOP, NOP, timestamp of 10 bytes: how Linux, like most others, lays out the option.
const TIMESTAMP_OPTION: u32 = 0x0101_080a;

/// The flag in byte 13 of a TCP header (RFC 9293, section 3.1).
pub(crate) const RST: u8 = 0x04;

/// The newest reset on this CPU, from fentry.
#[derive(Clone, Copy)]
#[repr(C)]
struct Seen {
    socket: u64,
    time_ns: u64,
    packet: RawPacket,
}

#[map]
static SEEN: PerCpuArray<Seen> = PerCpuArray::with_max_entries(1, 0);

/// What the cgroup program saw of a connection.
#[derive(Clone, Copy)]
#[repr(C)]
struct OnWire {
    reset_ns: u64,
    packet: RawPacket,
}

#[map]
static ON_WIRE: LruHashMap<Tuple, OnWire> = LruHashMap::with_max_entries(16_384, 0);

/// Reads the headers of `skb`, which may be null. All zero if that fails: the verifier of older kernels refuses to copy
/// the empty half of an `Option`.
#[inline(always)]
pub(crate) fn from_skb(skb: u64) -> RawPacket {
    try_from_skb(skb).unwrap_or_default()
}

#[inline(always)]
fn try_from_skb(skb: u64) -> Option<RawPacket> {
    let headers = headers(skb)?;
    let version: u8 = at(headers.network)?;
    // TTL is byte 8 of an IPv4 header (RFC 791), hop limit byte 7 of an IPv6 one (RFC 8200).
    let ttl: u8 = at(headers.network + if version >> 4 == 4 { 8 } else { 7 })?;
    let header: [u8; 24] = at(headers.transport)?;
    Some(parse(&header, ttl))
}

/// Reads a TCP header and the four bytes behind it, which are options only if the header is long enough.
#[inline(always)]
pub(crate) fn parse(header: &[u8; 24], ttl: u8) -> RawPacket {
    let word = |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
    let has_options = header[12] >> 4 >= 8;
    RawPacket {
        seq: word(4),
        ack: word(8),
        window: u16::from_be_bytes([header[14], header[15]]),
        tcp_flags: header[13],
        ttl,
        timestamp: (has_options && word(20) == TIMESTAMP_OPTION) as u8,
        ..RawPacket::default()
    }
}

/// Notes the packet that `tcp_reset` is about to handle.
#[inline(always)]
pub(crate) fn note(socket: u64, packet: RawPacket) {
    let Some(seen) = SEEN.get_ptr_mut(0) else { return };
    // SAFETY: the slot belongs to this CPU; the helper has no arguments.
    unsafe { *seen = Seen { socket, time_ns: bpf_ktime_get_ns(), packet } }
}

/// Notes a SYN-ACK or a reset that the cgroup program saw.
#[inline(always)]
pub(crate) fn note_on_wire(tuple: &Tuple, packet: RawPacket, is_reset: bool) {
    if is_reset {
        // SAFETY: a helper without arguments.
        let reset_ns = unsafe { bpf_ktime_get_ns() };
        let syn_ack_ttl = ON_WIRE.get_ptr(tuple).map_or(0, |known| {
            // SAFETY: the entry was just found; another CPU can only replace it whole.
            unsafe { (*known).packet.syn_ack_ttl }
        });
        _ = ON_WIRE.insert(tuple, OnWire { reset_ns, packet: RawPacket { syn_ack_ttl, ..packet } }, 0);
    } else {
        let packet = RawPacket { syn_ack_ttl: packet.ttl, ..RawPacket::default() };
        _ = ON_WIRE.insert(tuple, OnWire { reset_ns: 0, packet }, 0);
    }
}

/// Fills in the packet behind a reset received, if it was seen.
#[inline(always)]
pub(crate) fn fill(record: &mut RawRecord) {
    if !fill_from_fentry(record) && !fill_from_cgroup(record) {
        return;
    }
    record.flags |= flag::PACKET;
    if record.packet.syn_ack_ttl == 0 {
        record.packet.syn_ack_ttl = owner::syn_ack_ttl(record.socket);
    }
}

#[inline(always)]
fn fill_from_fentry(record: &mut RawRecord) -> bool {
    let Some(seen) = SEEN.get_ptr(0) else { return false };
    // SAFETY: the slot belongs to this CPU and is initialised (the kernel zeroes maps).
    let seen = unsafe { &*seen };
    if seen.socket != record.socket || !is_fresh(seen.time_ns) {
        return false;
    }
    record.packet = seen.packet;
    true
}

#[inline(always)]
fn fill_from_cgroup(record: &mut RawRecord) -> bool {
    if !looks_at_packets() {
        return false;
    }
    let tuple = Tuple { remote: record.remote_addr, local_port: record.local_port, remote_port: record.remote_port };
    let Some(on_wire) = ON_WIRE.get_ptr(tuple) else { return false };
    // SAFETY: the entry was just found; another CPU can only replace it whole.
    let on_wire = unsafe { &*on_wire };
    if !is_fresh(on_wire.reset_ns) {
        return false;
    }
    record.packet = on_wire.packet;
    true
}

#[inline(always)]
fn is_fresh(time_ns: u64) -> bool {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_ktime_get_ns() };
    now - time_ns <= FRESH_NS
}
