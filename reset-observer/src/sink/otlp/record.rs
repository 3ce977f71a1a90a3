//! A verdict as a log record: the whole of it as JSON in the body, what one searches and joins by as attributes.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime},
};

use opentelemetry::logs::{AnyValue, LogRecord, Severity};

use crate::{
    sink::{clock::WallClock, json::Lines},
    verdict::{Endpoint, Impact, Verdict},
};

/// Fills a record. Names of addresses are those of OpenTelemetry's conventions.
pub(super) fn fill(record: &mut impl LogRecord, verdict: &Verdict, clock: WallClock) {
    record.set_event_name("reset_observer.verdict");
    record.set_timestamp(SystemTime::from(clock.timestamp(verdict.at)));
    record.set_observed_timestamp(SystemTime::now());
    let (severity, text) = match verdict.impact {
        Impact::RequestFailed => (Severity::Warn, "WARN"),
        Impact::RequestRetried | Impact::None | Impact::Unknown => (Severity::Info, "INFO"),
    };
    record.set_severity_number(severity);
    record.set_severity_text(text);
    let mut body = Vec::new();
    Lines::new(clock).verdict(verdict, &mut body);
    record.set_body(String::from_utf8(body).unwrap_or_default().into());
    let Endpoint { addr: local, port: local_port } = verdict.local;
    let Endpoint { addr: remote, port: remote_port } = verdict.remote;
    record.add_attribute("network.transport", "tcp");
    record.add_attribute("network.local.address", local.to_string());
    record.add_attribute("network.local.port", i64::from(local_port));
    record.add_attribute("network.peer.address", remote.to_string());
    record.add_attribute("network.peer.port", i64::from(remote_port));
    record.add_attribute("reset_observer.connection", connection_key(verdict.local, verdict.remote));
    record.add_attribute("reset_observer.verdict_id", verdict.id.to_string());
    record.add_attribute("reset_observer.cause", verdict.cause.as_str());
    record.add_attribute("reset_observer.confidence", verdict.confidence.as_str());
    record.add_attribute("reset_observer.impact", verdict.impact.as_str());
    record.add_attribute("reset_observer.signal", verdict.signal.as_str());
    record.add_attribute("reset_observer.leg", verdict.leg.as_str());
    let evidence = verdict.evidence.iter().map(|evidence| AnyValue::from(evidence.as_str()));
    record.add_attribute("reset_observer.evidence", evidence.collect::<AnyValue>());
    if let Some(upstream) = &verdict.upstream {
        record.add_attribute("reset_observer.server", upstream.server.clone());
        if let Some(name) = &upstream.name {
            record.add_attribute("reset_observer.upstream", name.clone());
        }
    }
    if let Some(age) = verdict.timing.connection_age_ms.and_then(|age| Duration::try_from_secs_f64(age / 1e3).ok()) {
        record.add_attribute("reset_observer.connection_age", age.as_secs_f64());
    }
}

/// A name for a connection that both hosts give it: its two ends, the lesser one first, as `10.0.0.1:50452-10.0.0.7:3000`.
/// It is the same as long as no address is translated on the way; ports are used again, so that a join also needs the time.
#[must_use]
pub fn connection_key(local: Endpoint, remote: Endpoint) -> String {
    let [lesser, greater] = {
        let mut ends = [local, remote].map(|end| SocketAddr::new(end.addr.to_canonical(), end.port));
        ends.sort_unstable();
        ends
    };
    format!("{lesser}-{greater}")
}
