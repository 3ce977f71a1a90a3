use prometheus_client::encoding::prometheus_protobuf::prometheus_data_model::{Histogram, Metric};

use super::*;
use crate::sink::{example, metrics::BuildInfo};

fn metrics() -> Metrics {
    Metrics::new(BuildInfo::of_this_program(), example::CLOCK)
}

/// As Prometheus reads them.
fn decoded(mut bytes: &[u8]) -> Vec<MetricFamily> {
    let mut families = Vec::new();
    while !bytes.is_empty() {
        families.push(MetricFamily::decode_length_delimited(&mut bytes).unwrap());
    }
    families
}

fn histogram(families: &[MetricFamily], cause: &str) -> Histogram {
    let family = families.iter().find(|family| family.name == "reset_observer_idle_before_request_seconds").unwrap();
    let of_cause = |metric: &&Metric| metric.label.iter().any(|label| label.value == cause);
    family.metric.iter().find(of_cause).unwrap().histogram.clone().unwrap()
}

#[test]
fn a_native_histogram_stands_beside_the_classic_one_with_its_exemplar() {
    let mut metrics = metrics();
    let verdict = example::verdict();
    metrics.observe_verdict(&verdict);
    let families = decoded(&metrics.encode_protobuf());
    let idle = histogram(&families, "keepalive_race");
    assert_eq!((idle.sample_count, idle.sample_sum), (1, 3.532));
    let within_five = idle.bucket.iter().find(|bucket| bucket.upper_bound == 5.0).unwrap();
    assert_eq!(within_five.cumulative_count, 1);
    assert_eq!(idle.exemplars[0].label[0].value, verdict.id.to_string());
    assert!(idle.exemplars[0].timestamp.is_some(), "a native histogram's exemplar must have a time");
    // A schema of 3 has 8 buckets for each power of two: 3.532 lies in the 15th above 1.
    assert_eq!((idle.schema, idle.positive_span[0].offset, &idle.positive_delta[..]), (3, 15, &[1][..]));
}

#[test]
fn a_native_histogram_is_known_for_one_before_anything_is_in_it() {
    let families = decoded(&metrics().encode_protobuf());
    for cause in Cause::ALL {
        let idle = histogram(&families, cause.as_str());
        assert!(idle.zero_threshold > 0.0 || !idle.positive_span.is_empty(), "{cause}: {idle:?}");
        assert_eq!(idle.bucket.len(), 17, "{cause}");
    }
}
