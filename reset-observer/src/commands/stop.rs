//! Being asked to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// SIGINT and SIGTERM, caught from the moment this exists: before it, they end the process without a word.
#[derive(Debug)]
pub(super) struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    /// To be called before anyone is told that the program is ready, because whoever waits for that may ask at once.
    pub(super) fn catch() -> io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Returns when one of them came, also when that was before the call. May be dropped and called again.
    pub(super) async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{self, Signal};

    #[tokio::test]
    async fn a_signal_that_comes_before_anyone_waits_is_not_lost() {
        let mut stop = Stop::catch().expect("signals can be caught");
        process::kill_process(process::getpid(), Signal::TERM).expect("one may signal oneself");
        stop.asked().await;
    }
}
