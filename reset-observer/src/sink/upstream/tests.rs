use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    correlate::IdleTimeout,
    nginx::upstream_settings::UpstreamSettings,
    sample::{configured, keeping},
    sink::{Output, example, json::JsonLines, summary::Summary},
};

fn news(change: Change, settings: Option<UpstreamSettings>) -> UpstreamNews {
    let backend = IdleTimeout { value: Duration::from_millis(501), spread: Duration::from_millis(2), samples: 3 };
    let upstream = UpstreamLabel { name: Some("backend".into()), server: "10.99.2.1:3000".into() };
    let sides = Sides { upstream, backend, round_trip: None, expected: None, settings: settings.map(Arc::new) };
    UpstreamNews::new(KernelTime(3_432_611_000), &News { sides, change })
}

fn written(news: &UpstreamNews) -> String {
    let mut out = Vec::new();
    JsonLines::new(&mut out, example::CLOCK).upstream(news).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn a_mismatch_is_written_as_the_contract_says() {
    let expected = concat!(
        r#"{"type":"upstream","schema":1,"time":"2026-11-22T13:45:03.432611Z","change":"mismatch_found","#,
        r#""upstream":{"name":"backend","server":"10.99.2.1:3000"},"#,
        r#""learned_timeout":{"value_ms":501.0,"spread_ms":2.0,"samples":3},"#,
        r#""nginx_timeout":{"value_ms":60000.0,"at":"/etc/nginx/nginx.conf:15","block_at":"/etc/nginx/nginx.conf:12"},"#,
        r#""mismatch":true,"expected_races":null,"#,
        r#""advice":"the backend closes idle connections after about 501ms, and nginx keeps them for 60s: "#,
        r#"set keepalive_timeout 400ms in upstream backend, in place of keepalive_timeout 60s at /etc/nginx/nginx.conf:15, "#,
        r#"or raise the backend's idle timeout well above 60s"}"#,
        "\n"
    );
    assert_eq!(written(&news(Change::MismatchFound, Some(keeping(Duration::from_secs(60))))), expected);
}

#[test]
fn what_is_not_known_of_nginx_is_null() {
    let line = written(&news(Change::Learned, None));
    assert!(line.contains(r#""nginx_timeout":null,"mismatch":null,"expected_races":null,"advice":null}"#), "{line}");
    let by_default = written(&news(Change::MismatchFound, Some(configured())));
    assert!(by_default.contains(r#""nginx_timeout":{"value_ms":60000.0,"at":null,"#), "{by_default}");
}

#[test]
fn people_are_told_of_a_mismatch_and_of_its_end_and_of_nothing_else() {
    let found = news(Change::MismatchFound, Some(configured())).sentence().unwrap();
    assert!(
        found.starts_with("A race waits to happen at server 10.99.2.1:3000 of upstream backend: the backend closes"),
        "{found}"
    );
    let ended = news(Change::MismatchEnded, Some(keeping(Duration::from_millis(400)))).sentence();
    let over = "No race waits to happen at server 10.99.2.1:3000 of upstream backend any more.";
    assert_eq!(ended.as_deref(), Some(over));
    assert_eq!(news(Change::Learned, None).sentence(), None);
    assert_eq!(news(Change::Changed, Some(keeping(Duration::from_millis(300)))).sentence(), None);
}

#[test]
fn the_summary_has_a_line_for_each_mismatched_server() {
    let backend = IdleTimeout { value: Duration::from_millis(501), spread: Duration::ZERO, samples: 4 };
    let sides = |server: &str, settings| Sides {
        upstream: UpstreamLabel { name: Some("backend".into()), server: server.into() },
        backend,
        round_trip: None,
        expected: None,
        settings: Some(Arc::new(settings)),
    };
    let mut summary = Summary::start(KernelTime(0));
    summary.set_upstreams(&[
        sides("10.0.0.2:3000", configured()),
        sides("10.0.0.3:3000", keeping(Duration::from_millis(400))),
    ]);
    let text = summary.to_string();
    assert!(text.contains("  10.0.0.3:3000   501 ms (closes seen: 4)\n"), "{text}");
    assert_eq!(text.matches("A race waits to happen").count(), 1, "{text}");
    assert!(text.contains("A race waits to happen at server 10.0.0.2:3000 of upstream backend: "), "{text}");
    assert_eq!(serde_json::to_value(&summary).unwrap()["mismatches"].as_array().unwrap().len(), 1);
}

#[test]
fn how_often_is_said_in_orders_of_magnitude() {
    let said = |per_hour| expected(&Expected { per_hour, over_s: 300.0 });
    assert_eq!(said(3.2), " (about 3 an hour at the traffic of the last 5.0 min)");
    assert_eq!(said(1840.0), " (about 2000 an hour at the traffic of the last 5.0 min)");
    assert_eq!(said(0.5), " (about 10 a day at the traffic of the last 5.0 min)");
    assert_eq!(said(0.001), " (less than one a day at the traffic of the last 5.0 min)");
}
