//! This host sends a reset. `sk` may be null, a time-wait, a request or a listening socket, and `skb` is null if the
//! socket's owner or a timer sends it rather than an answer to a packet.

use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use reset_observer_ebpf::{
    SOCKETLESS_DETAIL, counter,
    record::{Hook, RawRecord, SocketKind, flag},
};

use crate::{
    copy::Copied,
    emit::{Rated, count, is_allowed, reserve, submit},
    global::{has_reason, is_observed},
    last_change, owner,
    packet::{self, Packet},
    process, repeat, socket,
};

/// What the arguments say.
struct Sent {
    sk: u64,
    kind: SocketKind,
    state: u8,
    reason: u32,
    /// There is none if the socket's owner or a timer sends the reset.
    active: bool,
    packet: Packet,
    /// The state in which the kernel told of a reset received that was none; 0 if it did not.
    data_came_in: u8,
}

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let reason: u32 = if has_reason() { ctx.arg(2) } else { u32::MAX };
    count(counter::sent(if has_reason() { reason } else { 0 }));
    let sk: u64 = ctx.arg(0);
    let skb: u64 = ctx.arg(1);
    let state = if sk == 0 { 0 } else { socket::state(sk) };
    let kind = if sk == 0 { SocketKind::None } else { socket::kind(state) };
    // Before the branches below: the verifier walks the log once for each way that leads to it.
    debug!(ctx, "reset sent in state {} for reason {}", state, reason);
    let is_full = matches!(kind, SocketKind::Full);
    let data_came_in = if is_full && skb != 0 { last_change::reset_received_in(sk) } else { 0 };
    if data_came_in != 0 {
        count(counter::RECEIVED_NOT_ON_WIRE);
    }
    let packet = packet::read_packet(skb);
    let (local_port, remote_port) = if packet.is_there() && is_anonymous(kind) {
        (packet.local_port, packet.remote_port)
    } else {
        socket::ports(sk)
    };
    if !is_observed(local_port, remote_port) {
        return;
    }
    if sk == 0 && !is_allowed(Rated::Socketless, SOCKETLESS_DETAIL, counter::SOCKETLESS_NOT_DETAILED) {
        return;
    }
    let Some(mut entry) = reserve(Hook::SendReset) else { return };
    // SAFETY: `reserve` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    fill(record, &Sent { sk, kind, state, reason, active: skb == 0, packet, data_came_in });
    if skb == 0 && state == socket::TCP_CLOSE {
        owner::forget(sk);
    }
    if skb != 0 && repeat::is_repeated(record) {
        entry.discard(0);
        return;
    }
    submit(entry);
}

/// Whether the tuple is in the packet alone.
#[inline(always)]
fn is_anonymous(kind: SocketKind) -> bool {
    matches!(kind, SocketKind::None | SocketKind::Listener)
}

#[inline(always)]
fn fill(record: &mut RawRecord, sent: &Sent) {
    record.reason = sent.reason;
    record.socket_kind = sent.kind as u8;
    record.state_before = sent.state;
    if sent.state == socket::TCP_CLOSE {
        record.state_before = last_change::closed_from(sent.sk);
    }
    if sent.data_came_in != 0 {
        record.state_before = sent.data_came_in;
        record.flags |= flag::DATA_AFTER_CLOSE;
    }
    if sent.sk != 0
        && let Some(copy) = Copied::of(sent.sk)
    {
        fill_socket(record, sent, &copy);
        copy.give_back();
    }
    if sent.packet.is_there() && is_anonymous(sent.kind) {
        packet::fill(record, &sent.packet);
    }
    if sent.active {
        fill_active(record, sent);
    }
}

#[inline(always)]
fn fill_socket(record: &mut RawRecord, sent: &Sent, copy: &Copied) {
    socket::fill_identity(record, sent.sk, copy);
    if let SocketKind::Full = sent.kind {
        socket::fill_cgroup(record, sent.sk);
        socket::fill_snapshot(record, copy);
        owner::fill(record, sent.sk);
    }
}

/// An active reset of a socket that is in CLOSE already comes from close(2), disconnect or exit, in the context of the
/// process; from any other state it comes from a timer or from `ss --kill` ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp.c#L3011-L3020
#[inline(always)]
fn fill_active(record: &mut RawRecord, sent: &Sent) {
    record.flags |= flag::ACTIVE;
    if sent.state == socket::TCP_CLOSE {
        process::fill(record);
    }
}
