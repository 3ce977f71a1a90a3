//! A reset arrived, and the socket is still as it was: this is the first statement of `tcp_reset` ([source]).
//!
//! [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c#L4480

use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use reset_observer_ebpf::{counter, record::Hook};

use crate::{
    accepted,
    emit::{count, submit},
    full_socket::reserve_for,
    last_change, rst_packet, socket,
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
