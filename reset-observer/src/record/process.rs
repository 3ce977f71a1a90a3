//! Processes, and how they end.

use std::fmt;

use serde::{Deserialize, Serialize};
use smol_str::SmolStr;

use super::KernelTime;

/// A process as the kernel named it: thread group in the initial pid namespace, and command name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Process {
    /// Thread group id, which is what `/proc` calls a process.
    pub tgid: u32,
    /// Command name, at most 15 bytes.
    pub comm: SmolStr,
}

/// How a process ended, in the form of wait(2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// By its own exit with this status.
    Status(u8),
    /// By this signal.
    Signal(u8),
}

impl Exit {
    /// Reads the kernel's `task_struct.exit_code`: the signal in the low seven bits, else the status in bits 8 to 15.
    #[must_use]
    pub fn from_wait_code(code: i32) -> Self {
        let [low, status, ..] = code.to_le_bytes();
        match low & 0x7f {
            0 => Self::Status(status),
            signal => Self::Signal(signal),
        }
    }

    /// Whether the process ended in good order: status 0, or SIGINT (2), SIGQUIT (3) or SIGTERM (15), by which
    /// supervisors stop a service.
    #[must_use]
    pub const fn in_good_order(self) -> bool {
        matches!(self, Self::Status(0) | Self::Signal(2 | 3 | 15))
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "exit status {status}"),
            Self::Signal(4) => f.write_str("SIGILL"),
            Self::Signal(6) => f.write_str("SIGABRT"),
            Self::Signal(7) => f.write_str("SIGBUS"),
            Self::Signal(8) => f.write_str("SIGFPE"),
            Self::Signal(9) => f.write_str("SIGKILL"),
            Self::Signal(11) => f.write_str("SIGSEGV"),
            Self::Signal(15) => f.write_str("SIGTERM"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// What happened to a process, apart from any connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessEvent {
    /// When.
    pub at: KernelTime,
    /// To which process.
    pub process: Process,
    /// What.
    pub fate: Fate,
}

/// What happened to a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// It ended.
    Ended(Exit),
    /// The out-of-memory killer chose it.
    OomVictim,
}
