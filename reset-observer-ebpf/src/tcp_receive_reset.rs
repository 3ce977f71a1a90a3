//! A reset arrived, and the socket is still as it was: this is the first statement of `tcp_reset` ([source]).
//!
//! [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c#L4480

use aya_ebpf::{maps::ring_buf::RingBufEntry, programs::RawTracePointContext};
use aya_log_ebpf::debug;
use reset_observer_ebpf::{
    counter,
    record::{Hook, RawRecord},
};

use crate::{
    accepted,
    emit::{count, reserve, submit},
    global::is_observed,
    last_change, owner, rst_packet, socket,
};

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    count(counter::RECEIVED);
    let sk: u64 = ctx.arg(0);
    let state = socket::state(sk);
    last_change::note_reset_received(sk, state);
    let Some(mut entry) = reserve_for(Hook::ReceiveReset, sk, state) else { return };
    // SAFETY: `reserve_for` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    rst_packet::fill(record);
    accepted::fill(record);
    debug!(ctx, "reset received in state {} on ports {} {}", state, record.local_port, record.remote_port);
    submit(entry);
}

/// A record of a full socket in `state`, with all that the socket knows. `None` if its ports are not observed, or there
/// is no room.
#[inline(always)]
pub(crate) fn reserve_for(hook: Hook, sk: u64, state: u8) -> Option<RingBufEntry<RawRecord>> {
    let (local_port, remote_port) = socket::ports(sk);
    if !is_observed(local_port, remote_port) {
        return None;
    }
    let mut entry = reserve(hook)?;
    // SAFETY: `reserve` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    record.state_before = state;
    record.socket_kind = socket::kind(state) as u8;
    socket::fill_identity(record, sk);
    socket::fill_cgroup(record, sk);
    socket::fill_snapshot(record, sk);
    owner::fill(record, sk);
    Some(entry)
}
