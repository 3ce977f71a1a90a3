//! Which format of metrics a client wants.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

/// A format of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// OpenMetrics text 1.0.0.
    OpenMetrics,
    /// Text format 0.0.4.
    PlainText,
    /// Prometheus's messages, each after its length.
    Protobuf,
}

/// OpenMetrics for whoever likes it no less than plain text; plain text for everyone else, also for those who ask for
/// nothing that there is: a scraper that asks oddly is better served than refused. Protobuf, where it is offered, for whoever
/// likes it no less than OpenMetrics.
pub(super) fn wanted(headers: &HeaderMap, offers_protobuf: bool) -> Format {
    let (mut open, mut plain, mut protobuf) = (0, 0, 0);
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    for range in values.flat_map(|value| value.split(',')) {
        let (kind, parameters) = range.split_once(';').unwrap_or((range, ""));
        let quality = parameters.split(';').find_map(|parameter| parameter.trim().strip_prefix("q="));
        let quality = quality.map_or(1000, thousandths);
        match kind.trim().to_ascii_lowercase().as_str() {
            "application/openmetrics-text" => open = open.max(quality),
            "text/plain" | "text/*" => plain = plain.max(quality),
            "application/vnd.google.protobuf" if offers_protobuf && is_delimited(parameters) => {
                protobuf = protobuf.max(quality);
            }
            _ => {}
        }
    }
    if protobuf > 0 && protobuf >= open.max(plain) {
        return Format::Protobuf;
    }
    if open > 0 && open >= plain { Format::OpenMetrics } else { Format::PlainText }
}

/// Of what protobuf can be, this is what there is.
fn is_delimited(parameters: &str) -> bool {
    let has = |wanted| parameters.split(';').any(|parameter| parameter.trim().eq_ignore_ascii_case(wanted));
    has("proto=io.prometheus.client.MetricFamily") && has("encoding=delimited")
}

/// A quality value; what is none counts as the best, as if it were not there.
fn thousandths(quality: &str) -> u32 {
    let (whole, fraction) = quality.split_once('.').unwrap_or((quality, ""));
    let digits = format!("{fraction:0<3}");
    match (whole, digits.get(..3).and_then(|digits| digits.parse::<u32>().ok())) {
        ("0", Some(thousandths)) => thousandths,
        _ => 1000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted_by(accept: &str) -> Format {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, accept.parse().unwrap());
        wanted(&headers, false)
    }

    #[test]
    fn prometheus_of_any_age_gets_openmetrics() {
        for accept in [
            "application/openmetrics-text; version=1.0.0; charset=utf-8; q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
            "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6,application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
            "Application/OpenMetrics-Text",
        ] {
            assert_eq!(wanted_by(accept), Format::OpenMetrics, "{accept}");
        }
    }

    #[test]
    fn protobuf_is_for_whom_it_is_offered_and_who_prefers_it() {
        let asks = |accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, accept.parse().unwrap());
            wanted(&headers, true)
        };
        let messages = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
        let open = "application/openmetrics-text;version=1.0.0";
        assert_eq!(asks(&format!("{messages};q=0.6,{open};q=0.5,text/plain;version=0.0.4;q=0.4")), Format::Protobuf);
        assert_eq!(asks(&format!("{messages};q=0.4,{open};q=0.5")), Format::OpenMetrics);
        assert_eq!(asks(&format!("{messages};q=0.4,text/plain;q=0.5")), Format::PlainText);
        assert_eq!(asks("application/vnd.google.protobuf;encoding=text"), Format::PlainText);
        assert_eq!(asks(open), Format::OpenMetrics);
        assert_eq!(wanted_by(&format!("{messages},{open};q=0.5")), Format::OpenMetrics, "it is not offered");
    }

    #[test]
    fn everyone_else_gets_plain_text() {
        assert_eq!(wanted(&HeaderMap::new(), false), Format::PlainText);
        for accept in [
            "*/*",
            "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8",
            "text/plain",
            "application/json",
            "",
            "application/openmetrics-text;q=0",
            "application/openmetrics-text;q=0.4,text/plain;q=0.5",
            ";;,,=q;q=",
        ] {
            assert_eq!(wanted_by(accept), Format::PlainText, "{accept}");
        }
    }
}
