//! What the kernel side and the user side of reset-observer agree on: record layouts, the table of kernel fields,
//! counters and the names of globals and maps. No policy, no aya: user space depends on this library alone.
//!
//! Both sides are built from this one source, and `RECORD_VERSION` is written into each record, so that a program and
//! a recording of different versions are told apart rather than misread.
#![no_std]

pub mod counter;
pub mod field;
pub mod record;

/// Names under which user space finds the maps and read-only globals of the object.
pub mod symbol {
    /// Ring buffer of [`crate::record::RawRecord`].
    pub const RECORDS: &str = "RECORDS";
    /// Per-CPU array of one element: all counters, as `u64`s indexed by [`crate::counter`].
    pub const COUNTERS: &str = "COUNTERS";
    /// Least-recently-used hash: socket address to the process that opened it.
    pub const OWNERS: &str = "OWNERS";
    /// Read-only global: one byte offset per [`crate::field::Field`].
    pub const OFFSETS: &str = "OFFSETS";
    /// Read-only global: where in a `tcp_sock` the fields of a snapshot are, as first byte and length.
    pub const SNAPSHOT_WINDOW: &str = "SNAPSHOT_WINDOW";
    /// Read-only global: the ports to observe, zero-filled up to [`crate::MAX_PORTS`].
    pub const PORTS: &str = "PORTS";
    /// Read-only global: whether `mark_victim` hands over the task (1) or its process id (0).
    pub const VICTIM_IS_TASK: &str = "VICTIM_IS_TASK";
    /// Read-only global: whether the cgroup program is loaded (1) or not (0).
    pub const LOOKS_AT_PACKETS: &str = "LOOKS_AT_PACKETS";
    /// Read-only global: whether the kernel hands `tcp_send_reset` a reason (1) or not (0).
    pub const HAS_REASON: &str = "HAS_REASON";
}

/// How many bytes of a socket's beginning are copied at once: all fields that sockets of every kind share are there, and
/// the smallest kind is longer.
pub const COMMON_LEN: usize = 128;

/// How many bytes of a `tcp_sock` are copied at once at most. Fields of a snapshot that lie elsewhere are read one by one.
pub const SNAPSHOT_MAX_LEN: usize = 1024;

/// Connections whose opener is remembered at a time. Beyond it the least recently used is evicted; 5 MiB of kernel memory.
pub const MAX_OWNERS: u32 = 65_536;

/// How many ports `--port` can name. The kernel side compares each one, so the list is short by design.
pub const MAX_PORTS: usize = 16;

/// Size of the ring buffer unless user space sets another, in bytes: about 7,200 records, and so more than a burst of
/// [`ORDINARY_FIN_DETAIL`], or a reader that does not run for a tenth of a second of the worst storm.
pub const DEFAULT_RING_BYTES: u32 = 2 << 20;

/// How often one CPU may detail events of one kind.
#[derive(Clone, Copy, Debug)]
pub struct Rate {
    /// How many at once, after a quiet time.
    pub burst: u64,
    /// How many of those come back each second.
    pub per_second: u64,
}

/// Detailed records of resets without a socket; the rest is only counted, so that a port scan cannot push out the records
/// that matter.
pub const SOCKETLESS_DETAIL: Rate = Rate { burst: 64, per_second: 64 };

/// How long after waking the reader of the ring a CPU submits records without waking it again. The reader must look again
/// by itself at least this long after it found any.
pub const WAKE_INTERVAL_NS: u64 = 10_000_000;

/// Detailed FINs that follow a response at once. Where upstream connections are not kept, every request ends with one, and
/// only nginx's error log tells which of them cut a response: the burst is for a server that cuts many at once, and 1.1 MiB
/// of records.
pub const ORDINARY_FIN_DETAIL: Rate = Rate { burst: 4096, per_second: 256 };
