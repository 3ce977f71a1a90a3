//! The programs' entry points and nothing else: each hands its tracepoint's arguments to the file of the same name.
#![no_std]
#![no_main]

use aya_ebpf::{macros::raw_tracepoint, programs::RawTracePointContext};

mod emit;
mod global;
mod inet_sock_set_state;
mod last_change;
mod owner;
mod packet;
mod process;
mod read;
mod socket;
mod tcp_receive_reset;
mod tcp_send_reset;

/// `TP_PROTO(struct sock *sk)` since Linux 4.16.
#[raw_tracepoint(tracepoint = "tcp_receive_reset")]
fn tcp_receive_reset(ctx: RawTracePointContext) -> i32 {
    tcp_receive_reset::handle(&ctx);
    0
}

/// `TP_PROTO(const struct sock *sk, const struct sk_buff *skb, [const enum sk_rst_reason reason])`; the reason came
/// with Linux 6.10.
#[raw_tracepoint(tracepoint = "tcp_send_reset")]
fn tcp_send_reset(ctx: RawTracePointContext) -> i32 {
    tcp_send_reset::handle(&ctx);
    0
}

/// `TP_PROTO(const struct sock *sk, const int oldstate, const int newstate)` since Linux 4.16.
#[raw_tracepoint(tracepoint = "inet_sock_set_state")]
fn inet_sock_set_state(ctx: RawTracePointContext) -> i32 {
    inet_sock_set_state::handle(&ctx);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // The verifier refuses a program that could get here: it proves each bound.
    loop {}
}

/// aya-ebpf's helpers are GPL-only in the kernel (`bpf_probe_read_kernel`), so the object must say it is compatible.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
