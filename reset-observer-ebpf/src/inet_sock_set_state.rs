//! State changes: who opened a connection, the peer's FIN, and a dying process that closes its connections.

use aya_ebpf::programs::RawTracePointContext;
use aya_log_ebpf::debug;
use reset_observer_ebpf::{ORDINARY_FIN_DETAIL, counter, record::Hook};

use crate::{
    accepted,
    copy::Copied,
    emit::{Rated, is_allowed, submit},
    full_socket::reserve_for,
    global::is_observed,
    last_change, owner, process,
    socket::{self, TCP_CLOSE, TCP_CLOSE_WAIT, TCP_ESTABLISHED, TCP_LISTEN, TCP_SYN_RECV, TCP_SYN_SENT},
    tuple::Tuple,
};

const TCP_FIN_WAIT1: u8 = 4;
const TCP_LAST_ACK: u8 = 9;
const TCP_CLOSING: u8 = 11;

#[inline(always)]
pub(crate) fn handle(ctx: &RawTracePointContext) {
    let sk: u64 = ctx.arg(0);
    let old: u32 = ctx.arg(1);
    let new: u32 = ctx.arg(2);
    match (old as u8, new as u8) {
        (TCP_CLOSE, TCP_SYN_SENT) => opened(sk),
        // A connection that was asked for may get the address of a socket whose end was not seen.
        (TCP_LISTEN, TCP_SYN_RECV) => owner::forget(sk),
        (TCP_SYN_RECV, TCP_ESTABLISHED) => was_accepted(sk),
        (old @ TCP_ESTABLISHED, new @ TCP_CLOSE_WAIT) => fin_received(ctx, sk, old, new),
        (old @ TCP_ESTABLISHED, new @ TCP_FIN_WAIT1) | (old @ TCP_CLOSE_WAIT, new @ TCP_LAST_ACK) => {
            own_close(ctx, sk, old, new);
        }
        (old @ TCP_LISTEN, new @ TCP_CLOSE) => {
            if process::exiting_task().is_some() {
                emit(ctx, sk, Hook::ListenerExit, old, new);
            }
        }
        (old, TCP_CLOSE) => {
            if old == TCP_SYN_SENT && last_change::reset_received_in(sk) == 0 && owner::is_current(sk) {
                emit(ctx, sk, Hook::CloseUnacked, old, TCP_CLOSE);
            }
            closed(sk, old);
        }
        _ => {}
    }
}

#[inline(always)]
fn fin_received(ctx: &RawTracePointContext, sk: u64, old: u8, new: u8) {
    let allowed = || is_allowed(Rated::OrdinaryFin, ORDINARY_FIN_DETAIL, counter::ORDINARY_FIN_NOT_DETAILED);
    if !socket::response_just_came(sk) || allowed() {
        emit(ctx, sk, Hook::FinReceived, old, new);
    }
}

/// These changes happen only in close(2) or shutdown(2), in the context of the process.
#[inline(always)]
fn own_close(ctx: &RawTracePointContext, sk: u64, old: u8, new: u8) {
    if process::exiting_task().is_some() {
        emit(ctx, sk, Hook::ExitClose, old, new);
    } else if (socket::flight_never_acked(sk) || (old == TCP_ESTABLISHED && socket::is_unanswered(sk)))
        && owner::is_known(sk)
    {
        emit(ctx, sk, Hook::CloseUnacked, old, new);
    }
}

#[inline(always)]
fn opened(sk: u64) {
    let (local_port, remote_port) = socket::ports(sk);
    if is_observed(local_port, remote_port) && socket::is_tcp(sk) {
        owner::remember(sk);
    }
}

#[inline(always)]
fn was_accepted(sk: u64) {
    let Some(copy) = Copied::of(sk) else { return };
    let (local_port, remote_port) = socket::copied_ports(sk, &copy);
    if is_observed(local_port, remote_port) {
        accepted::note(&Tuple { remote: socket::remote_addr(&copy), local_port, remote_port });
    }
    copy.give_back();
}

/// An active reset is sent after this change, and since Linux 6.11 an error is reported after it: both ask who opened the
/// connection, and forget it then. A reset received was told of before. A connect(2) that the process gave up fires
/// nothing more: its entry is left to be evicted or replaced. That it did give up, and no interrupt ended it, is known by
/// the process; an interrupt that borrowed just that process is told of as an error too.
#[inline(always)]
fn closed(sk: u64, old: u8) {
    let may_be_asked_for = match old {
        // Both ends have closed: nothing more is sent.
        TCP_LAST_ACK | TCP_CLOSING => false,
        _ => last_change::reset_received_in(sk) == 0,
    };
    if may_be_asked_for {
        last_change::note_closed(sk, old);
    }
    if !may_be_asked_for || !matches!(old, TCP_ESTABLISHED | TCP_CLOSE_WAIT | TCP_SYN_SENT) {
        owner::forget(sk);
    }
}

#[inline(always)]
fn emit(ctx: &RawTracePointContext, sk: u64, hook: Hook, old: u8, new: u8) {
    if !socket::is_tcp(sk) {
        return;
    }
    let Some(mut entry) = reserve_for(hook, sk, old) else { return };
    // SAFETY: `reserve_for` initialised the record.
    let record = unsafe { entry.assume_init_mut() };
    record.state_after = new;
    debug!(ctx, "state {} to {} on ports {} {}", old, new, record.local_port, record.remote_port);
    if !matches!(hook, Hook::FinReceived) {
        process::fill(record);
    }
    submit(entry);
}
