//! The states of a TCP connection, as the kernel numbers them.

use serde::{Deserialize, Serialize};

/// State of a TCP connection, numbered as in the kernel ([source]).
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/include/net/tcp_states.h
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(missing_docs, reason = "the states of RFC 9293 under their kernel names")]
pub enum TcpState {
    Established = 1,
    SynSent = 2,
    SynRecv = 3,
    #[serde(rename = "FIN_WAIT1")]
    FinWait1 = 4,
    #[serde(rename = "FIN_WAIT2")]
    FinWait2 = 5,
    TimeWait = 6,
    Close = 7,
    CloseWait = 8,
    LastAck = 9,
    Listen = 10,
    Closing = 11,
    NewSynRecv = 12,
}

impl TcpState {
    /// The state with this number, or `None` for a number that is no state.
    #[must_use]
    pub const fn from_u8(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Established,
            2 => Self::SynSent,
            3 => Self::SynRecv,
            4 => Self::FinWait1,
            5 => Self::FinWait2,
            6 => Self::TimeWait,
            7 => Self::Close,
            8 => Self::CloseWait,
            9 => Self::LastAck,
            10 => Self::Listen,
            11 => Self::Closing,
            12 => Self::NewSynRecv,
            _ => return None,
        })
    }

    /// Whether the peer's FIN had arrived in this state.
    #[must_use]
    pub const fn fin_received(self) -> bool {
        matches!(self, Self::CloseWait | Self::LastAck | Self::Closing)
    }

    /// Whether our own FIN was queued in this state, so that it counts in `write_seq`.
    #[must_use]
    pub const fn fin_sent(self) -> bool {
        matches!(self, Self::FinWait1 | Self::FinWait2 | Self::Closing | Self::LastAck | Self::TimeWait)
    }
}
