//! Where records get lost on the way from the kernel, or are left out by design, and how many.

use crate::counts::{DecodeCounts, KernelCounts};

/// A place where records can get lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stage {
    /// The kernel left a run of a program out, because the program was running on that processor already.
    Program,
    /// A connection ended right after a response while the rate for such was used up: counted, not detailed.
    FinRate,
    /// The ring buffer was full.
    Ring,
    /// A reset without a socket came while the rate for those was used up: counted, not detailed.
    SocketlessRate,
    /// The opener of a connection could not be remembered, so that its records have no owner.
    Owner,
    /// The opener of a connection was evicted, because too many were open at once.
    OwnerEvicted,
    /// A reset was sent on a connection that had sent one within the second before: counted, not detailed.
    Repeated,
    /// User space could not read the record.
    Decode,
}

impl Stage {
    /// Every stage, in the order of the way.
    pub const ALL: [Self; 8] = [
        Self::Program,
        Self::Owner,
        Self::OwnerEvicted,
        Self::SocketlessRate,
        Self::Repeated,
        Self::FinRate,
        Self::Ring,
        Self::Decode,
    ];

    /// The name in metrics and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Program => "program",
            Self::FinRate => "fin_rate",
            Self::Ring => "ring",
            Self::SocketlessRate => "socketless_rate",
            Self::Owner => "owner",
            Self::OwnerEvicted => "owner_evicted",
            Self::Repeated => "repeated",
            Self::Decode => "decode",
        }
    }

    /// What was lost, for people.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Program => "events came while the program for them was busy on that processor, and were not counted",
            Self::FinRate => "connections ended right after a response, too many to look at each",
            Self::Ring => "records found the ring buffer full",
            Self::SocketlessRate => "resets without a socket were counted but not looked at",
            Self::Owner => "connections have no known opener",
            Self::OwnerEvicted => "connections have lost their known opener: too many were open at once",
            Self::Repeated => "resets followed another one on the same connection, and were counted only",
            Self::Decode => "records could not be read",
        }
    }

    /// Whether what is left out here says nothing, or nothing new, in the usual case, so that nobody needs to be told as it
    /// happens.
    #[must_use]
    pub const fn is_redundant(self) -> bool {
        matches!(self, Self::Repeated | Self::FinRate)
    }

    /// How many were lost here since the start.
    #[must_use]
    pub const fn total(self, kernel: &KernelCounts, decode: &DecodeCounts) -> u64 {
        match self {
            Self::Program => kernel.runs_missed,
            Self::FinRate => kernel.ordinary_fins_not_detailed,
            Self::Ring => kernel.ring_full,
            Self::SocketlessRate => kernel.socketless_not_detailed,
            Self::Owner => kernel.owner_not_remembered,
            Self::OwnerEvicted => kernel.owners_evicted,
            Self::Repeated => kernel.repeated_not_detailed,
            Self::Decode => decode.refused,
        }
    }
}
