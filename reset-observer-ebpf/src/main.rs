//! The programs' entry points and nothing else: each hands its hook's arguments to the file of the same name.
#![no_std]
#![no_main]

use aya_ebpf::{
    macros::{cgroup_skb, fentry, raw_tracepoint},
    programs::{FEntryContext, RawTracePointContext, SkBuffContext},
};

mod accepted;
mod cgroup_ingress;
mod copy;
mod emit;
mod full_socket;
mod global;
mod inet_sk_error_report;
mod inet_sock_set_state;
mod last_change;
mod mark_victim;
mod owner;
mod packet;
mod process;
mod read;
mod repeat;
mod rst_packet;
mod sched_process_exit;
mod socket;
mod tcp_finish_connect;
mod tcp_receive_reset;
mod tcp_reset;
mod tcp_retransmit_skb;
mod tcp_send_reset;
mod tuple;

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

/// `TP_PROTO(const struct sock *sk)` since Linux 5.14.
#[raw_tracepoint(tracepoint = "inet_sk_error_report")]
fn inet_sk_error_report(ctx: RawTracePointContext) -> i32 {
    inet_sk_error_report::handle(&ctx);
    0
}

/// `TP_PROTO(const struct sock *sk, const struct sk_buff *skb, [int err])` since Linux 4.15.
#[raw_tracepoint(tracepoint = "tcp_retransmit_skb")]
fn tcp_retransmit_skb(ctx: RawTracePointContext) -> i32 {
    tcp_retransmit_skb::handle(&ctx);
    0
}

/// `TP_PROTO(struct task_struct *p, [bool group_dead])`.
#[raw_tracepoint(tracepoint = "sched_process_exit")]
fn sched_process_exit(ctx: RawTracePointContext) -> i32 {
    sched_process_exit::handle(&ctx);
    0
}

/// `TP_PROTO(struct task_struct *task, uid_t uid)`, `TP_PROTO(int pid)` before Linux 6.9 and its backports.
#[raw_tracepoint(tracepoint = "mark_victim")]
fn mark_victim(ctx: RawTracePointContext) -> i32 {
    mark_victim::handle(&ctx);
    0
}

/// `void tcp_reset(struct sock *sk, struct sk_buff *skb)` since Linux 5.12; without the packet before.
#[fentry(function = "tcp_reset")]
fn tcp_reset(ctx: FEntryContext) -> i32 {
    tcp_reset::handle(&ctx);
    0
}

/// `void tcp_finish_connect(struct sock *sk, struct sk_buff *skb)`.
#[fentry(function = "tcp_finish_connect")]
fn tcp_finish_connect(ctx: FEntryContext) -> i32 {
    tcp_finish_connect::handle(&ctx);
    0
}

/// Runs for each packet that arrives at a socket, so it is loaded only if asked for. Lets every packet pass.
#[cgroup_skb]
fn cgroup_ingress(ctx: SkBuffContext) -> i32 {
    cgroup_ingress::handle(&ctx);
    1
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
