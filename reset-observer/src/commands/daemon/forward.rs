//! Verdicts on their way to where `--otlp-endpoint` says, in a program that was built with that; else to nowhere.

use std::sync::Mutex;

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
    /// How many arrived and how many did not.
    fn counts(&self) -> (u64, u64);
    /// Waits a little for what is still on its way.
    fn finish(self: Box<Self>);
}

/// The way there, if there is one.
pub(super) struct Forward(Mutex<Option<Box<dyn Way>>>);

impl Forward {
    pub(super) fn start(args: &DaemonArgs, node: &str, clock: WallClock) -> Result<Self> {
        Ok(Self(Mutex::new(way(args, node, clock)?)))
    }

    pub(super) fn take(&self, verdicts: &[Verdict]) {
        if let Some(way) = &*lock(&self.0) {
            verdicts.iter().for_each(|verdict| way.take(verdict));
        }
    }

    /// Brings the metrics up to date.
    pub(super) fn count(&self, metrics: &mut Metrics) {
        let (sent, dropped) = lock(&self.0).as_ref().map(|way| way.counts()).unwrap_or_default();
        metrics.set_otlp(sent, dropped);
    }

    pub(super) fn finish(&self) {
        let way = lock(&self.0).take();
        if let Some(way) = way {
            way.finish();
        }
    }
}

#[cfg(feature = "otlp")]
fn way(args: &DaemonArgs, node: &str, clock: WallClock) -> Result<Option<Box<dyn Way>>> {
    let Some(endpoint) = &args.otlp_endpoint else { return Ok(None) };
    log::info!("verdicts go to {endpoint} by OTLP");
    Ok(Some(Box::new(Otlp::start(endpoint, node, clock)?)))
}

#[cfg(not(feature = "otlp"))]
fn way(_: &DaemonArgs, _: &str, _: WallClock) -> Result<Option<Box<dyn Way>>> {
    Ok(None)
}

#[cfg(feature = "otlp")]
use crate::sink::otlp::Otlp;

#[cfg(feature = "otlp")]
impl Way for Otlp {
    fn take(&self, verdict: &Verdict) {
        self.take(verdict);
    }

    fn counts(&self) -> (u64, u64) {
        (self.counts().sent(), self.counts().dropped())
    }

    fn finish(self: Box<Self>) {
        (*self).finish();
    }
}
