//! The reset packet, just before the kernel acts on it. `tcp_receive_reset` fires inside the same function.

use aya_ebpf::programs::FEntryContext;

use crate::rst_packet;

#[inline(always)]
pub(crate) fn handle(ctx: &FEntryContext) {
    let sk: u64 = ctx.arg(0);
    let skb: u64 = ctx.arg(1);
    let packet = rst_packet::from_skb(skb);
    if packet.ttl != 0 {
        rst_packet::note(sk, packet);
    }
}
