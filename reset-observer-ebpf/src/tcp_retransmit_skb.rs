//! A request is sent again that followed an idle time, and of which nothing was acknowledged: the first sign of a path
//! that forgot the connection in silence. Other retransmissions are everyday business and cost a few reads here.

use aya_ebpf::{helpers::bpf_jiffies64, programs::RawTracePointContext};
use reset_observer_ebpf::{field::Field, record::Hook};

use crate::{
    emit::submit,
    full_socket::reserve_for,
    owner,
    read::read_or_zero,
    socket::{self, TCP_CLOSE_WAIT, TCP_ESTABLISHED},
};

/// Shorter than this, in jiffies (0.1 to 1 s), a pause is no idle time.
const IDLE_JIFFIES: u32 = 100;

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let sk: u64 = ctx.arg(0);
    let state = socket::state(sk);
    if !matches!(state, TCP_ESTABLISHED | TCP_CLOSE_WAIT) {
        return;
    }
    let first_transmit: u64 = read_or_zero(sk, Field::FirstTransmit);
    if first_transmit != read_or_zero::<u64>(sk, Field::Delivered) || first_transmit == 0 || !was_idle(sk) {
        return;
    }
    // Once a flight: later ones say nothing new.
    if !owner::is_news(sk, first_transmit) {
        return;
    }
    if let Some(entry) = reserve_for(Hook::Retransmit, sk, state) {
        submit(entry);
    }
}

#[inline(always)]
fn was_idle(sk: u64) -> bool {
    // SAFETY: a helper without arguments.
    let now = unsafe { bpf_jiffies64() } as u32;
    let last_receive: u32 = read_or_zero(sk, Field::LastReceive);
    now.wrapping_sub(last_receive) >= IDLE_JIFFIES
}
