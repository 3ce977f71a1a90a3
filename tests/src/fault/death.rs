//! The ways in which the fault backend's process ends.

use std::net::SocketAddr;
use std::process;
use std::thread;

use rustix::process::Signal;
use serde_json::json;

use super::report;

/// How the process ends itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// By SIGKILL.
    Kill,
    /// By SIGSEGV.
    Segv,
    /// By SIGABRT.
    Abort,
    /// By taking memory until the kernel kills it.
    OutOfMemory,
    /// With exit code 1.
    ExitOne,
    /// With exit code 0: in good order.
    ExitZero,
}

impl Death {
    /// The one of this name; SIGKILL for any other.
    pub(super) fn named(name: &str) -> Self {
        match name {
            "segv" => Self::Segv,
            "abort" => Self::Abort,
            "oom" => Self::OutOfMemory,
            "exit1" => Self::ExitOne,
            "exit0" => Self::ExitZero,
            _ => Self::Kill,
        }
    }

    /// Ends the process.
    pub(super) fn die(self, peer: Option<SocketAddr>) -> ! {
        report("dying", peer, &json!({ "how": format!("{self:?}") }));
        match self {
            Self::ExitZero => process::exit(0),
            Self::ExitOne => process::exit(1),
            Self::Abort => process::abort(),
            Self::OutOfMemory => take_memory(),
            Self::Kill => strike(Signal::KILL),
            Self::Segv => strike(Signal::SEGV),
        }
    }
}

/// Sends this process a deadly signal until it is dead.
fn strike(signal: Signal) -> ! {
    loop {
        // The first SIGSEGV only makes Rust's stack-overflow handler step aside; the second one kills.
        let _ = rustix::process::kill_process(rustix::process::getpid(), signal);
        thread::yield_now();
    }
}

/// How much memory it takes at most: no machine is to be harmed where the limit is missing.
const MOST_MEMORY: usize = 256 << 20;

/// Takes memory, and uses it, until the kernel ends this process.
fn take_memory() -> ! {
    const PIECE: usize = 1 << 20;
    let mut taken = Vec::new();
    while taken.len() * PIECE < MOST_MEMORY {
        taken.push(vec![1_u8; PIECE]);
    }
    report("survived", None, &json!({ "pieces": taken.len() }));
    process::exit(3)
}
