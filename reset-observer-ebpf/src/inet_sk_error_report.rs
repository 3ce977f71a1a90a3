//! A socket learns of an error: a connection that timed out, or an ICMP error. Resets fire it too and are left out.
//!
//! Since Linux 6.11 the connection is in CLOSE by then ([`tcp_done_with_error`]), before that it is as it was.
//!
//! [`tcp_done_with_error`]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c

use aya_ebpf::programs::RawTracePointContext;
use reset_observer_ebpf::{field::Field, record::Hook};

use crate::{
    emit::submit,
    full_socket::reserve_for,
    last_change, owner,
    read::read_or_zero,
    socket::{self, TCP_CLOSE, TCP_LISTEN},
};

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let sk: u64 = ctx.arg(0);
    let by_reset = last_change::reset_received_in(sk) != 0;
    let error: i32 = read_or_zero(sk, Field::Error);
    let is_closed = socket::state(sk) == TCP_CLOSE;
    let state = if is_closed { last_change::closed_from(sk) } else { socket::state(sk) };
    if by_reset || error == 0 || state == TCP_LISTEN || !socket::is_tcp(sk) {
        return;
    }
    let Some(entry) = reserve_for(Hook::SocketError, sk, state) else { return };
    if is_closed {
        owner::forget(sk);
    }
    submit(entry);
}
