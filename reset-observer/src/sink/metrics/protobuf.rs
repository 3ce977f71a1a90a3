//! Metrics as Prometheus's messages: for native histograms, which no text can carry, and for what is made of numbers.

use std::collections::HashMap;

use prometheus_client::{
    encoding::prometheus_protobuf::{
        encode,
        prometheus_data_model::{LabelPair, MetricFamily},
    },
    metrics::{
        family::Family,
        histogram::{Histogram, NativeHistogramConfig},
    },
    registry::Registry,
};
use prost::Message as _;

use super::{ByCause, Metrics, catalogue, register};
use crate::verdict::Cause;

/// All metrics at one time.
pub type Measures = Vec<MetricFamily>;

/// By how much a bucket of a native histogram is wider than the one before it, at most: what Prometheus's own libraries take.
const FACTOR: f64 = 1.1;

/// Buckets of one histogram; beyond that the library makes them wider.
const MAX_BUCKETS: usize = 160;

/// Idle times in native histograms, beside the classic ones. The library has exemplars in those alone, therefore there are
/// two, and they are put together when somebody asks.
pub(super) struct Native {
    registry: Registry,
    idle: Family<ByCause, Histogram, fn() -> Histogram>,
}

impl Native {
    pub(super) fn new() -> Self {
        let idle: Family<_, _, fn() -> Histogram> = Family::new_with_constructor(|| {
            Histogram::new_native(NativeHistogramConfig::new(FACTOR).max_buckets(MAX_BUCKETS))
        });
        Cause::ALL.iter().for_each(|cause| drop(idle.get_or_create(&ByCause::new(*cause))));
        let mut registry = Registry::default();
        register(&mut registry, &catalogue::IDLE_BEFORE_REQUEST, idle.clone());
        Self { registry, idle }
    }

    pub(super) fn observe(&self, cause: Cause, seconds: f64) {
        self.idle.get_or_create(&ByCause::new(cause)).observe(seconds);
    }

    /// Gives the histograms of `families` their native buckets.
    fn put_into(&self, families: &mut [MetricFamily]) {
        let native = families_of(&self.registry).into_iter().flat_map(|family| family.metric);
        let mut native: HashMap<Vec<LabelPair>, _> = native.map(|metric| (metric.label, metric.histogram)).collect();
        let all = families.iter_mut().filter(|family| family.name == catalogue::IDLE_BEFORE_REQUEST.name);
        for metric in all.flat_map(|family| &mut family.metric) {
            let (Some(classic), Some(Some(mut both))) = (&mut metric.histogram, native.remove(&metric.label)) else {
                continue;
            };
            both.exemplars = classic.bucket.iter().filter_map(|bucket| bucket.exemplar.clone()).collect();
            both.bucket = std::mem::take(&mut classic.bucket);
            *classic = both;
        }
    }
}

impl Metrics {
    /// All metrics as messages, histograms with classic buckets.
    #[must_use]
    pub fn families(&self) -> Measures {
        families_of(&self.registry)
    }

    /// All metrics as [`PROTOBUF_CONTENT_TYPE`](super::PROTOBUF_CONTENT_TYPE), histograms with native buckets too.
    #[must_use]
    pub fn encode_protobuf(&self) -> Vec<u8> {
        let mut families = self.families();
        self.native.put_into(&mut families);
        families.iter().flat_map(|family| family.encode_length_delimited_to_vec()).collect()
    }
}

fn families_of(registry: &Registry) -> Measures {
    // It fails only if a metric refuses to encode itself, which none of these does.
    encode(registry).unwrap_or_else(|error| {
        log::error!("cannot encode metrics, please report this: {error}");
        Vec::new()
    })
}

#[cfg(test)]
mod tests;
