//! Indices into the per-CPU counter array. Counters are raised before anything else happens, filters included, so they
//! are exact whatever becomes of the detail.

/// Reset reasons get a slot each up to this number; larger values share the last slot.
/// Linux 6.18 has 25 values of `sk_rst_reason` ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.18/include/net/rstreason.h
pub const REASON_SLOTS: u32 = 64;

/// First slot of the resets that this host sent, by `sk_rst_reason` (slot 0 on kernels without reasons).
pub const SENT: u32 = 0;

/// Every call of `tcp_receive_reset`, also those with no RST on the wire (see [`RECEIVED_NOT_ON_WIRE`]).
pub const RECEIVED: u32 = SENT + REASON_SLOTS;

/// Calls of `tcp_receive_reset` that data after close caused: to be taken off [`RECEIVED`].
/// In FIN_WAIT1 and FIN_WAIT2, `tcp_rcv_state_process` calls `tcp_reset` and then answers the segment with a reset of
/// our own ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c#L6907-L6930
pub const RECEIVED_NOT_ON_WIRE: u32 = RECEIVED + 1;

/// Records handed to the ring buffer.
pub const SUBMITTED: u32 = RECEIVED_NOT_ON_WIRE + 1;

/// Records that the ring buffer had no room for.
pub const RING_FULL: u32 = SUBMITTED + 1;

/// Resets without a socket that were counted but not detailed, by the rate limit.
pub const SOCKETLESS_NOT_DETAILED: u32 = RING_FULL + 1;

/// Owners that could not be remembered (the map refused the insertion).
pub const OWNER_NOT_REMEMBERED: u32 = SOCKETLESS_NOT_DETAILED + 1;

/// Resets of one connection after the first within a second: counted, not detailed.
pub const REPEATED_NOT_DETAILED: u32 = OWNER_NOT_REMEMBERED + 1;

/// Owners that were remembered.
pub const OWNER_REMEMBERED: u32 = REPEATED_NOT_DETAILED + 1;

/// Owners that were forgotten because their connection ended. What was remembered and neither forgotten nor is in the
/// map was evicted.
pub const OWNER_FORGOTTEN: u32 = OWNER_REMEMBERED + 1;

/// FINs right after a response that were not detailed, by the rate limit.
pub const ORDINARY_FIN_NOT_DETAILED: u32 = OWNER_FORGOTTEN + 1;

/// Number of slots in the array.
pub const SLOTS: u32 = ORDINARY_FIN_NOT_DETAILED + 1;

/// The slot that counts a reset sent for `reason`.
#[inline(always)]
#[must_use]
pub const fn sent(reason: u32) -> u32 {
    SENT + if reason < REASON_SLOTS { reason } else { REASON_SLOTS - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_has_a_slot_and_none_runs_into_the_next_counter() {
        assert_eq!(sent(0), SENT);
        assert_eq!(sent(REASON_SLOTS - 1), RECEIVED - 1);
        assert_eq!(sent(u32::MAX), RECEIVED - 1);
    }
}
