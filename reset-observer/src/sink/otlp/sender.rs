//! The thread that sends: takes what waits, in batches, and tries each for a while.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use opentelemetry::{
    InstrumentationScope,
    logs::{Logger as _, LoggerProvider as _},
};
use opentelemetry_otlp::{LogExporter, WithExportConfig as _};
use opentelemetry_sdk::{
    Resource,
    logs::{LogBatch, LogExporter as _, SdkLogRecord, SdkLogger, SdkLoggerProvider},
};
use tokio::{
    sync::mpsc::Receiver,
    time::{sleep, timeout},
};

use super::{Counts, record};
use crate::{sink::clock::WallClock, verdict::Verdict};

/// The most that one request carries.
const BATCH: usize = 256;

/// How long the first of a batch waits for more.
const GATHER: Duration = Duration::from_millis(200);

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// How long a batch is tried, and how long to wait between, at first and at most.
const TRY_FOR: Duration = Duration::from_secs(60);
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

pub(super) struct Sender {
    exporter: LogExporter,
    logger: SdkLogger,
    scope: InstrumentationScope,
    clock: WallClock,
    counts: Arc<Counts>,
    /// Whether the last request failed, so that an outage is told once.
    failing: bool,
    endpoint: String,
}

impl Sender {
    pub(super) fn new(endpoint: &str, resource: &Resource, clock: WallClock, counts: Arc<Counts>) -> Result<Self> {
        let url = format!("{}/v1/logs", endpoint.trim_end_matches('/'));
        let exporter = LogExporter::builder().with_http().with_endpoint(&url).with_timeout(REQUEST).build();
        let mut exporter = exporter.with_context(|| format!("--otlp-endpoint: cannot send to {url}"))?;
        exporter.set_resource(resource);
        let name = env!("CARGO_PKG_NAME");
        let scope = InstrumentationScope::builder(name).with_version(env!("CARGO_PKG_VERSION")).build();
        // Of the provider only empty records are wanted: it has no processor that would queue and drop without telling.
        let logger = SdkLoggerProvider::builder().build().logger(name);
        Ok(Self { exporter, logger, scope, clock, counts, failing: false, endpoint: url })
    }

    /// Until the queue is closed and empty.
    pub(super) async fn run(mut self, mut queue: Receiver<Verdict>) {
        let mut batch = Vec::new();
        while queue.recv_many(&mut batch, BATCH).await > 0 {
            let more = async {
                while batch.len() < BATCH {
                    let room = BATCH - batch.len();
                    if queue.recv_many(&mut batch, room).await == 0 {
                        break;
                    }
                }
            };
            // That the time is over is the usual case.
            _ = timeout(GATHER, more).await;
            self.deliver(&batch, &queue).await;
            batch.clear();
        }
    }

    /// Tries until the collector has it, a minute is over, or the observer ends.
    async fn deliver(&mut self, batch: &[Verdict], queue: &Receiver<Verdict>) {
        let records: Vec<SdkLogRecord> = batch.iter().map(|verdict| self.record(verdict)).collect();
        let number = u64::try_from(records.len()).unwrap_or(u64::MAX);
        let (begun, mut wait) = (Instant::now(), FIRST_WAIT);
        while !self.send(&records).await {
            if queue.is_closed() || begun.elapsed() > TRY_FOR {
                self.counts.dropped.fetch_add(number, Ordering::Relaxed);
                return;
            }
            sleep(wait).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
        self.counts.sent.fetch_add(number, Ordering::Relaxed);
    }

    async fn send(&mut self, records: &[SdkLogRecord]) -> bool {
        let with_scope: Vec<_> = records.iter().map(|record| (record, &self.scope)).collect();
        let sent = self.exporter.export(LogBatch::new(&with_scope)).await;
        match &sent {
            Ok(()) if self.failing => log::info!("OTLP: {} takes verdicts again", self.endpoint),
            Err(error) if !self.failing => {
                log::warn!("OTLP: {} does not take verdicts, which wait or are dropped: {error}", self.endpoint);
            }
            Ok(()) | Err(_) => {}
        }
        self.failing = sent.is_err();
        sent.is_ok()
    }

    fn record(&self, verdict: &Verdict) -> SdkLogRecord {
        let mut record = self.logger.create_log_record();
        record::fill(&mut record, verdict, self.clock);
        record
    }
}
