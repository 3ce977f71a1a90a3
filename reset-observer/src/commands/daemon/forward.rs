//! Verdicts and metrics on their way to where `--otlp-endpoint` says, in a program that was built with that; else to nowhere.

use std::{sync::Mutex, time::Duration};

use anyhow::Result;

use crate::{
    cli::DaemonArgs,
    commands::session::lock,
    sink::{clock::WallClock, metrics::Metrics},
    verdict::Verdict,
};

/// A way to a log system.
trait Way: Send {
    /// Hands a verdict over; never waits for anything outside of this process.
    fn take(&self, verdict: &Verdict);
    /// Hands the metrics over, in place of those that are still there; never waits either.
    fn measure(&self, metrics: &Metrics);
    /// How many verdicts arrived and how many did not.
    fn counts(&self) -> (u64, u64);
    /// Waits a little for what is still on its way.
    fn finish(self: Box<Self>);
}

/// The way there, if there is one.
pub(super) struct Forward {
    way: Mutex<Option<Box<dyn Way>>>,
    /// How often metrics are to be handed over, if at all.
    pub(super) metrics_every: Option<Duration>,
}

impl Forward {
    pub(super) fn start(args: &DaemonArgs, node: &str, clock: WallClock) -> Result<Self> {
        Ok(Self { way: Mutex::new(way(args, node, clock)?), metrics_every: metrics_every(args) })
    }

    pub(super) fn take(&self, verdicts: &[Verdict]) {
        if let Some(way) = &*lock(&self.way) {
            verdicts.iter().for_each(|verdict| way.take(verdict));
        }
    }

    pub(super) fn measure(&self, metrics: &Metrics) {
        if let Some(way) = &*lock(&self.way) {
            way.measure(metrics);
        }
    }

    /// Brings the metrics up to date.
    pub(super) fn count(&self, metrics: &mut Metrics) {
        let (sent, dropped) = lock(&self.way).as_ref().map(|way| way.counts()).unwrap_or_default();
        metrics.set_otlp(sent, dropped);
    }

    pub(super) fn finish(&self) {
        let way = lock(&self.way).take();
        if let Some(way) = way {
            way.finish();
        }
    }
}

#[cfg(feature = "otlp")]
fn way(args: &DaemonArgs, node: &str, clock: WallClock) -> Result<Option<Box<dyn Way>>> {
    let Some(endpoint) = &args.otlp_endpoint else {
        let nowhere = "--otlp-metrics-interval says how often, and nothing says where to: add --otlp-endpoint";
        anyhow::ensure!(args.otlp_metrics_interval.is_none(), nowhere);
        return Ok(None);
    };
    let what = if args.otlp_metrics_interval.is_some() { "verdicts and metrics" } else { "verdicts" };
    log::info!("{what} go to {endpoint} by OTLP");
    Ok(Some(Box::new(Otlp::start(endpoint, node, clock)?)))
}

#[cfg(not(feature = "otlp"))]
fn way(_: &DaemonArgs, _: &str, _: WallClock) -> Result<Option<Box<dyn Way>>> {
    Ok(None)
}

#[cfg(feature = "otlp")]
fn metrics_every(args: &DaemonArgs) -> Option<Duration> {
    args.otlp_metrics_interval
}

#[cfg(not(feature = "otlp"))]
fn metrics_every(_: &DaemonArgs) -> Option<Duration> {
    None
}

#[cfg(feature = "otlp")]
use crate::sink::otlp::Otlp;

#[cfg(feature = "otlp")]
impl Way for Otlp {
    fn take(&self, verdict: &Verdict) {
        self.take(verdict);
    }

    fn measure(&self, metrics: &Metrics) {
        self.measure(metrics.families());
    }

    fn counts(&self) -> (u64, u64) {
        (self.counts().sent(), self.counts().dropped())
    }

    fn finish(self: Box<Self>) {
        (*self).finish();
    }
}
