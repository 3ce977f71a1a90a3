//! The SYN-ACK of a connection that this host opened: its TTL is what that of a reset is compared with.

use aya_ebpf::programs::FEntryContext;

use crate::{owner, rst_packet};

/// The packet is null while a connection is restored from a checkpoint (TCP_REPAIR).
#[inline(always)]
pub(crate) fn handle(ctx: &FEntryContext) {
    let sk: u64 = ctx.arg(0);
    let skb: u64 = ctx.arg(1);
    let packet = rst_packet::from_skb(skb);
    if packet.ttl != 0 {
        owner::note_syn_ack(sk, packet.ttl);
    }
}
