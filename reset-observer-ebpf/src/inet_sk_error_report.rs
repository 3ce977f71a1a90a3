//! A socket learns of an error: a connection that timed out, or an ICMP error. Resets fire it too and are left out.

use aya_ebpf::programs::RawTracePointContext;
use reset_observer_ebpf::{
    field::Field,
    record::{Hook, SocketKind},
};

use crate::{
    emit::submit,
    last_change,
    read::read_or_zero,
    socket::{self, TCP_CLOSE, TCP_LISTEN},
    tcp_receive_reset::reserve_for,
};

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let sk: u64 = ctx.arg(0);
    let by_reset = last_change::reset_received_in(sk) != 0;
    let error: i32 = read_or_zero(sk, Field::Error);
    let mut state = socket::state(sk);
    // Newer kernels close the socket before they tell of its error (`tcp_done_with_error`, seen on 6.18).
    if state == TCP_CLOSE {
        state = last_change::closed_from(sk);
    }
    if by_reset || error == 0 || state == TCP_LISTEN || !socket::is_tcp(sk) {
        return;
    }
    let Some(mut entry) = reserve_for(Hook::SocketError, sk, state) else { return };
    // SAFETY: `reserve_for` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    record.socket_kind = SocketKind::Full as u8;
    submit(entry);
}
