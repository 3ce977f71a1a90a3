//! The kernel side's exact counters, summed over all CPUs.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// One reading of the counters. Each only ever grows while the programs are loaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct KernelCounts {
    /// Resets that this host sent, whatever became of the detail.
    pub sent: u64,
    /// Calls of `tcp_receive_reset`.
    pub received: u64,
    /// Those among them with no reset on the wire (data after close).
    pub received_not_on_wire: u64,
    /// Records handed to the ring buffer.
    pub submitted: u64,
    /// Records that found the ring buffer full.
    pub ring_full: u64,
    /// Resets without a socket that were counted and not detailed.
    pub socketless_not_detailed: u64,
    /// Connections whose opener could not be remembered.
    pub owner_not_remembered: u64,
    /// Resets sent on a connection after the first within a second: counted and not detailed.
    pub repeated_not_detailed: u64,
    /// Connections whose opener was remembered.
    pub owners_remembered: u64,
    /// Connections whose opener was forgotten at their end.
    pub owners_forgotten: u64,
    /// FINs right after a response that were counted and not detailed.
    pub ordinary_fins_not_detailed: u64,
    /// Runs of programs that the kernel left out, because the program was running on that processor already. The counts
    /// above lack what these would have counted.
    pub runs_missed: u64,
    /// Connections whose opener was evicted to make room: at least so many, with up to 128 a CPU more.
    pub owners_evicted: u64,
}

/// What one program cost since it was loaded, as far as the kernel kept statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProgramRuns {
    /// Name of the program.
    pub program: String,
    /// How often it ran.
    pub runs: u64,
    /// How long all runs took together.
    pub time: Duration,
}

/// What user space could not use of what the kernel submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DecodeCounts {
    /// Records that were read and understood.
    pub decoded: u64,
    /// Records of a wrong length, version or content.
    pub refused: u64,
}
