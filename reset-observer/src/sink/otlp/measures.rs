//! Metrics as OTLP has them: under the names of `/metrics`, each since the start.

use std::time::SystemTime;

use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceRequest,
    common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value},
    metrics::v1::{
        AggregationTemporality, Exemplar, Gauge, Histogram, HistogramDataPoint, Metric, NumberDataPoint,
        ResourceMetrics, ScopeMetrics, Sum, exemplar, metric::Data, number_data_point,
    },
    resource::v1::Resource,
};
use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model as prometheus;

use crate::sink::metrics::Measures;

const CUMULATIVE: i32 = AggregationTemporality::Cumulative as i32;

/// From when to when something was counted, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug)]
pub(super) struct Period {
    pub(super) start: u64,
    pub(super) end: u64,
}

impl Period {
    pub(super) fn until_now(start: SystemTime) -> Self {
        Self { start: nanoseconds(start), end: nanoseconds(SystemTime::now()) }
    }
}

/// One request with all of them.
pub(super) fn request(measures: &Measures, resource: Resource, period: Period) -> ExportMetricsServiceRequest {
    let scope = InstrumentationScope {
        name: env!("CARGO_PKG_NAME").into(),
        version: env!("CARGO_PKG_VERSION").into(),
        ..InstrumentationScope::default()
    };
    let metrics = measures.iter().map(|family| metric(family, period)).collect();
    let scopes = vec![ScopeMetrics { scope: Some(scope), metrics, ..ScopeMetrics::default() }];
    let all = ResourceMetrics { resource: Some(resource), scope_metrics: scopes, ..ResourceMetrics::default() };
    ExportMetricsServiceRequest { resource_metrics: vec![all] }
}

fn metric(family: &prometheus::MetricFamily, period: Period) -> Metric {
    let (name, description) = (family.name.clone(), family.help.clone());
    Metric { name, description, data: Some(data(family, period)), ..Metric::default() }
}

fn data(family: &prometheus::MetricFamily, period: Period) -> Data {
    let points = |of: fn(&prometheus::Metric, Period) -> Option<NumberDataPoint>| {
        family.metric.iter().filter_map(|metric| of(metric, period)).collect()
    };
    match family.r#type() {
        prometheus::MetricType::Counter => {
            Data::Sum(Sum { data_points: points(count), aggregation_temporality: CUMULATIVE, is_monotonic: true })
        }
        prometheus::MetricType::Histogram | prometheus::MetricType::GaugeHistogram => {
            let data_points = family.metric.iter().filter_map(|metric| histogram(metric, period)).collect();
            Data::Histogram(Histogram { data_points, aggregation_temporality: CUMULATIVE })
        }
        prometheus::MetricType::Gauge | prometheus::MetricType::Summary | prometheus::MetricType::Untyped => {
            Data::Gauge(Gauge { data_points: points(gauge) })
        }
    }
}

fn count(metric: &prometheus::Metric, period: Period) -> Option<NumberDataPoint> {
    let counter = metric.counter.as_ref()?;
    let exemplars = counter.exemplar.iter().map(exemplar).collect();
    Some(NumberDataPoint { start_time_unix_nano: period.start, exemplars, ..point(metric, counter.value, period) })
}

fn gauge(metric: &prometheus::Metric, period: Period) -> Option<NumberDataPoint> {
    Some(point(metric, metric.gauge.as_ref()?.value, period))
}

fn point(metric: &prometheus::Metric, value: f64, period: Period) -> NumberDataPoint {
    NumberDataPoint {
        attributes: attributes(&metric.label),
        time_unix_nano: period.end,
        value: Some(number_data_point::Value::AsDouble(value)),
        ..NumberDataPoint::default()
    }
}

/// Prometheus counts what is up to a bound, OTLP what is between two.
fn histogram(metric: &prometheus::Metric, period: Period) -> Option<HistogramDataPoint> {
    let histogram = metric.histogram.as_ref()?;
    let bounds = histogram.bucket.iter().map(|bucket| bucket.upper_bound).filter(|bound| bound.is_finite());
    let before = std::iter::once(0).chain(histogram.bucket.iter().map(|bucket| bucket.cumulative_count));
    let up_to = histogram.bucket.iter().map(|bucket| bucket.cumulative_count);
    Some(HistogramDataPoint {
        attributes: attributes(&metric.label),
        start_time_unix_nano: period.start,
        time_unix_nano: period.end,
        count: histogram.sample_count,
        sum: Some(histogram.sample_sum),
        explicit_bounds: bounds.collect(),
        bucket_counts: up_to.zip(before).map(|(up_to, before)| up_to.saturating_sub(before)).collect(),
        exemplars: histogram.bucket.iter().filter_map(|bucket| bucket.exemplar.as_ref()).map(exemplar).collect(),
        ..HistogramDataPoint::default()
    })
}

fn exemplar(one: &prometheus::Exemplar) -> Exemplar {
    let at = one.timestamp.as_ref().and_then(|at| {
        let seconds = u64::try_from(at.seconds).ok()?.checked_mul(1_000_000_000)?;
        seconds.checked_add(u64::try_from(at.nanos).ok()?)
    });
    Exemplar {
        filtered_attributes: attributes(&one.label),
        time_unix_nano: at.unwrap_or_default(),
        value: Some(exemplar::Value::AsDouble(one.value)),
        ..Exemplar::default()
    }
}

fn attributes(labels: &[prometheus::LabelPair]) -> Vec<KeyValue> {
    let value = |text: &str| AnyValue { value: Some(any_value::Value::StringValue(text.to_owned())) };
    let attribute = |label: &prometheus::LabelPair| KeyValue {
        key: label.name.clone(),
        value: Some(value(&label.value)),
        ..KeyValue::default()
    };
    labels.iter().map(attribute).collect()
}

fn nanoseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
