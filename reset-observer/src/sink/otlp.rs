//! Verdicts to an OpenTelemetry collector, as log records by OTLP over HTTP, and metrics, if they are handed over.
//!
//! Verdicts wait in a queue of bounded length for a thread that sends them: whatever the collector does, no verdict is late for
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
use opentelemetry::KeyValue;
use opentelemetry_sdk::Resource;
use tokio::{
    runtime::Builder,
    sync::{mpsc, watch},
};

use crate::{
    sink::{clock::WallClock, metrics::Measures},
    verdict::{Cause, Verdict},
};

mod measures;
mod meter;
mod record;
mod sender;

use meter::Meter;
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
    measures: watch::Sender<Measures>,
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
        let resource = resource(node);
        let sender = Sender::new(endpoint, &resource, clock, Arc::clone(&counts))?;
        let meter = Meter::new(endpoint, &resource)?;
        let (measures, newest) = watch::channel(Measures::new());
        let (tell_end, ended) = std_mpsc::channel();
        thread::Builder::new()
            .name("otlp".into())
            .spawn(move || {
                runtime.block_on(async { tokio::join!(sender.run(waiting), meter.run(newest)) });
                // Nobody may be waiting any more.
                _ = tell_end.send(());
            })
            .context("cannot start the thread of OTLP")?;
        Ok(Self { queue, measures, counts, ended })
    }

    /// Hands a verdict over, unless it is harmless. Never waits.
    pub fn take(&self, verdict: &Verdict) {
        if verdict.cause != Cause::IdleClose && self.queue.try_send(verdict.clone()).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Hands metrics over, in place of those that were not sent yet. Never waits.
    pub fn measure(&self, measures: Measures) {
        self.measures.send_replace(measures);
    }

    /// What became of those handed over.
    #[must_use]
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// Waits until all is delivered, for two seconds at most.
    pub fn finish(self) {
        drop((self.queue, self.measures));
        if self.ended.recv_timeout(AT_THE_END).is_err() {
            log::warn!("OTLP: some of the last verdicts may not have been delivered");
        }
    }
}

fn resource(node: &str) -> Resource {
    let attributes = [
        KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        KeyValue::new("service.instance.id", node.to_owned()),
        KeyValue::new("host.name", node.to_owned()),
    ];
    Resource::builder().with_service_name(env!("CARGO_PKG_NAME")).with_attributes(attributes).build()
}

#[cfg(test)]
mod tests;
