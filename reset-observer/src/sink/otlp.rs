//! Verdicts to an OpenTelemetry collector, as log records by OTLP over HTTP.
//!
//! They wait in a queue of bounded length for a thread that sends them: whatever the collector does, no verdict is late for
//! it. What finds the queue full, or cannot be delivered, is counted and let go.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
        mpsc as std_mpsc,
    },
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result};
use tokio::{runtime::Builder, sync::mpsc};

use crate::{
    sink::clock::WallClock,
    verdict::{Cause, Verdict},
};

mod record;
mod sender;

pub use record::connection_key;
use sender::Sender;

/// How many verdicts wait at most; about 3 MiB.
const WAITING: usize = 2048;

/// How long to wait for the rest to be delivered when the observer ends.
const AT_THE_END: Duration = Duration::from_secs(2);

/// The way to one collector.
#[derive(Debug)]
pub struct Otlp {
    queue: mpsc::Sender<Verdict>,
    counts: Arc<Counts>,
    ended: std_mpsc::Receiver<()>,
}

/// What became of verdicts, in numbers since the start.
#[derive(Debug, Default)]
pub struct Counts {
    sent: AtomicU64,
    dropped: AtomicU64,
}

impl Counts {
    /// Verdicts that the collector took.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Verdicts that found the queue full, or that the collector did not take in time.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl Otlp {
    /// Sends to the collector at `endpoint`, such as `http://127.0.0.1:4318`, as the host `node`. A collector that is not
    /// there is a warning in the log, now and later.
    ///
    /// # Errors
    /// If there is no thread or event loop to be had, or the environment (`OTEL_EXPORTER_OTLP_*`) says what cannot be.
    pub fn start(endpoint: &str, node: &str, clock: WallClock) -> Result<Self> {
        let (queue, waiting) = mpsc::channel(WAITING);
        let counts = Arc::new(Counts::default());
        let runtime =
            Builder::new_current_thread().enable_all().build().context("cannot start the event loop of OTLP")?;
        let sender = Sender::new(endpoint, node, clock, Arc::clone(&counts))?;
        let (tell_end, ended) = std_mpsc::channel();
        thread::Builder::new()
            .name("otlp".into())
            .spawn(move || {
                runtime.block_on(sender.run(waiting));
                // Nobody may be waiting any more.
                _ = tell_end.send(());
            })
            .context("cannot start the thread of OTLP")?;
        Ok(Self { queue, counts, ended })
    }

    /// Hands a verdict over, unless it is harmless. Never waits.
    pub fn take(&self, verdict: &Verdict) {
        if verdict.cause != Cause::IdleClose && self.queue.try_send(verdict.clone()).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// What became of those handed over.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Waits until all is delivered, for two seconds at most.
    pub fn finish(self) {
        drop(self.queue);
        if self.ended.recv_timeout(AT_THE_END).is_err() {
            log::warn!("OTLP: some of the last verdicts may not have been delivered");
        }
    }
}

#[cfg(test)]
mod tests;
