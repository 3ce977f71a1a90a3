//! Sends metrics as they are handed over. What does not arrive is not tried again: the next have all of it, and more.

use std::{
    env,
    time::{Duration, SystemTime},
};

use anyhow::{Context as _, Result, ensure};
use opentelemetry_http::{Bytes, HttpClient as _, Request, hyper::HyperClient};
use opentelemetry_proto::tonic::{
    collector::metrics::v1::ExportMetricsServiceResponse, resource::v1::Resource as ProtoResource,
};
use opentelemetry_proto::transform::common::tonic::ResourceAttributesWithSchema;
use opentelemetry_sdk::Resource;
use percent_encoding::percent_decode_str;
use prost::Message as _;
use tokio::sync::watch::Receiver;

use super::measures::{Period, request};
use crate::sink::metrics::Measures;

/// How long one request may take.
const REQUEST: Duration = Duration::from_secs(5);

/// Where OpenTelemetry's libraries look for headers, the one for metrics first.
/// <https://opentelemetry.io/docs/specs/otel/protocol/exporter/#specifying-headers-via-environment-variables>
const HEADERS: [&str; 2] = ["OTEL_EXPORTER_OTLP_METRICS_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS"];

pub(super) struct Meter {
    client: HyperClient,
    url: String,
    headers: Vec<(String, String)>,
    resource: ProtoResource,
    started: SystemTime,
    /// Whether the last request failed, so that an outage is told once.
    failing: bool,
}

impl Meter {
    pub(super) fn new(endpoint: &str, resource: &Resource) -> Result<Self> {
        let attributes = ResourceAttributesWithSchema::from(resource).attributes.0;
        let meter = Self {
            client: HyperClient::with_default_connector(REQUEST, None),
            url: format!("{}/v1/metrics", endpoint.trim_end_matches('/')),
            headers: headers(|name| env::var(name).ok()),
            resource: ProtoResource { attributes, ..ProtoResource::default() },
            started: SystemTime::now(),
            failing: false,
        };
        meter.post(Vec::new()).with_context(|| format!("--otlp-metrics-interval: cannot send to {}", meter.url))?;
        Ok(meter)
    }

    /// Until nobody can hand over more, and the last were sent.
    pub(super) async fn run(mut self, mut newest: Receiver<Measures>) {
        while newest.changed().await.is_ok() {
            let measures = newest.borrow_and_update().clone();
            let sent = self.send(&measures).await;
            match &sent {
                Ok(()) if self.failing => log::info!("OTLP: {} takes metrics again", self.url),
                Err(error) if !self.failing => log::warn!("OTLP: {} does not take metrics: {error:#}", self.url),
                Ok(()) | Err(_) => {}
            }
            self.failing = sent.is_err();
        }
    }

    async fn send(&self, measures: &Measures) -> Result<()> {
        let body = request(measures, self.resource.clone(), Period::until_now(self.started)).encode_to_vec();
        let answer = self.client.send_bytes(self.post(body)?).await.map_err(anyhow::Error::from_boxed)?;
        ensure!(answer.status().is_success(), "it answers {}", answer.status());
        // An answer that is none says nothing of what was refused.
        let refused = ExportMetricsServiceResponse::decode(answer.into_body()).unwrap_or_default().partial_success;
        let refused = refused.filter(|refused| refused.rejected_data_points > 0);
        refused.map_or(Ok(()), |refused| {
            Err(anyhow::anyhow!("it refuses {} values: {}", refused.rejected_data_points, refused.error_message))
        })
    }

    fn post(&self, body: Vec<u8>) -> Result<Request<Bytes>> {
        let post = Request::post(&self.url).header("content-type", "application/x-protobuf");
        let with_headers = self.headers.iter().fold(post, |post, (name, value)| post.header(name, value));
        Ok(with_headers.body(Bytes::from(body))?)
    }
}

/// `name=value,name=value`, values percent-encoded.
fn headers(variable: impl Fn(&str) -> Option<String>) -> Vec<(String, String)> {
    let text = HEADERS.iter().find_map(|name| variable(name)).unwrap_or_default();
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), decoded(value.trim()))).collect()
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_taken_from_the_environment_as_opentelemetry_writes_them() {
        let general =
            |name: &str| (name == HEADERS[1]).then(|| "Authorization=Bearer%20a%3Db, x-tenant = seven,".into());
        let expected = [("Authorization", "Bearer a=b"), ("x-tenant", "seven")];
        assert_eq!(headers(general), expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let both = |name: &str| Some(if name == HEADERS[0] { "a=1".to_owned() } else { "b=2".to_owned() });
        assert_eq!(headers(both), [("a".to_owned(), "1".to_owned())]);
        assert!(headers(|_| None).is_empty());
    }
}
