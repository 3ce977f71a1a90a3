use std::{collections::BTreeMap, sync::Arc, time::Duration};

use super::*;
use crate::{
    correlate::IdleTimeout,
    counts::{DecodeCounts, KernelCounts, ProgramRuns},
    mismatch::Sides,
    nginx::{
        error_log::{join::JoinCounts, line::Kind},
        upstream_settings::UpstreamSettings,
    },
    own_process::OwnProcess,
    sample::{configured, keeping, keeping_nothing},
    sandbox::Sandbox,
    sink::example,
    verdict::Impact,
};

mod exposition;

/// Of a backend that closes after 5.001 s.
fn sides(server: &str, settings: Option<UpstreamSettings>) -> Sides {
    let backend = IdleTimeout { value: Duration::from_millis(5001), spread: Duration::from_millis(3), samples: 3 };
    let upstream = UpstreamLabel { name: None, server: server.into() };
    Sides { upstream, backend, round_trip: None, expected: None, settings: settings.map(Arc::new) }
}

fn metrics() -> Metrics {
    Metrics::new(BuildInfo::of_this_program(), example::CLOCK)
}

/// The samples of an exposition, by name and labels as written.
fn samples(text: &str) -> BTreeMap<String, f64> {
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| {
            let line = line.split_once(" # {").map_or(line, |(sample, _)| sample);
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series.to_owned(), value.parse().unwrap())
        })
        .collect()
}

fn value(metrics: &Metrics, series: &str) -> f64 {
    let samples = samples(&metrics.encode());
    *samples.get(series).unwrap_or_else(|| panic!("{series} is missing in {samples:#?}"))
}

#[test]
fn series_of_fixed_label_sets_exist_at_zero() {
    let metrics = metrics();
    for direction in ["sent", "received"] {
        for leg in Leg::ALL {
            let series = format!("reset_observer_resets_total{{direction=\"{direction}\",leg=\"{leg}\"}}");
            assert_eq!(value(&metrics, &series), 0.0);
        }
    }
    for stage in ["ring", "socketless_rate", "owner", "decode"] {
        assert_eq!(value(&metrics, &format!("reset_observer_records_lost_total{{stage=\"{stage}\"}}")), 0.0);
    }
    for cause in Cause::ALL {
        let series = format!("reset_observer_idle_before_request_seconds_count{{cause=\"{cause}\"}}");
        assert_eq!(value(&metrics, &series), 0.0);
    }
    assert_eq!(value(&metrics, "reset_observer_upstream_servers_max"), 200.0);
}

#[test]
fn a_verdict_is_counted_with_its_server_and_its_worker() {
    let mut metrics = metrics();
    metrics.observe_verdict(&example::verdict());
    let verdicts = "reset_observer_verdicts_total{cause=\"keepalive_race\",impact=\"request_retried\",leg=\"upstream\",\
                    upstream=\"backend\",server=\"10.99.2.1:3000\"}";
    assert_eq!(value(&metrics, verdicts), 1.0);
    let worker = "reset_observer_worker_verdicts_total{worker=\"1\",cause=\"keepalive_race\"}";
    assert_eq!(value(&metrics, worker), 1.0);
    let idle =
        |bound| format!("reset_observer_idle_before_request_seconds_bucket{{le=\"{bound}\",cause=\"keepalive_race\"}}");
    assert_eq!(value(&metrics, &idle("2.0")), 0.0);
    assert_eq!(value(&metrics, &idle("5.0")), 1.0);
}

#[test]
fn a_verdict_about_nobody_has_empty_labels() {
    let mut metrics = metrics();
    metrics.observe_verdict(&example::bare_verdict());
    let series =
        "reset_observer_verdicts_total{cause=\"idle_close\",impact=\"none\",leg=\"other\",upstream=\"\",server=\"\"}";
    assert_eq!(value(&metrics, series), 1.0);
    assert!(!metrics.encode().contains("worker_verdicts_total{"));
}

#[test]
fn servers_beyond_the_bound_share_one_series() {
    let mut metrics = metrics();
    for server in 0..MAX_SERVERS + 50 {
        let upstream = Some(Arc::new(UpstreamLabel { name: None, server: format!("server-{server}:80") }));
        metrics.observe_verdict(&Verdict { upstream, impact: Impact::RequestFailed, ..example::verdict() });
    }
    let other = "reset_observer_verdicts_total{cause=\"keepalive_race\",impact=\"request_failed\",leg=\"upstream\",\
                 upstream=\"other\",server=\"other\"}";
    assert_eq!(value(&metrics, other), 50.0);
    assert_eq!(value(&metrics, "reset_observer_upstream_servers"), 200.0);
    metrics.set_upstreams(&[sides("one-more:80", None)]);
    assert!(!metrics.encode().contains("upstream_idle_timeout_seconds{"));
}

#[test]
fn exact_counts_are_taken_over_and_never_go_back() {
    let mut metrics = metrics();
    let mut totals = ResetTotals::default();
    totals.on_leg(Direction::Sent, Leg::Upstream);
    totals.read(&KernelCounts { sent: 7, ..KernelCounts::default() }, &DecodeCounts::default());
    metrics.set_resets(&totals);
    metrics.set_resets(&ResetTotals::default());
    assert_eq!(value(&metrics, "reset_observer_resets_total{direction=\"sent\",leg=\"upstream\"}"), 1.0);
    assert_eq!(value(&metrics, "reset_observer_resets_total{direction=\"sent\",leg=\"other\"}"), 6.0);

    metrics.set_sent_by_reason("tcp_abort_on_close", 4);
    metrics.set_sent_by_reason("tcp_abort_on_close", 2);
    assert_eq!(value(&metrics, "reset_observer_resets_sent_by_reason_total{reason=\"tcp_abort_on_close\"}"), 4.0);

    metrics.set_lost(Stage::Ring, 9);
    metrics.set_lost(Stage::Ring, 3);
    assert_eq!(value(&metrics, "reset_observer_records_lost_total{stage=\"ring\"}"), 9.0);
}

#[test]
fn what_was_joined_of_the_error_log_shows_from_zero_on() {
    let mut metrics = metrics();
    let joins = |metrics: &Metrics, result| {
        value(metrics, &format!("reset_observer_error_log_joins_total{{result=\"{result}\"}}"))
    };
    let left = |metrics: &Metrics, reason| {
        value(metrics, &format!("reset_observer_error_log_lines_left_total{{reason=\"{reason}\"}}"))
    };
    assert_eq!(["joined", "shared", "ambiguous", "without_line"].map(|result| joins(&metrics, result)), [0.0; 4]);
    assert_eq!(["without_connection", "contested", "overflow"].map(|reason| left(&metrics, reason)), [0.0; 3]);
    let lines_left = [(Kind::TimedOut, 2), (Kind::PrematurelyClosed, 3)].into();
    let counts = JoinCounts { own: 7, shared: 1, ambiguous: 4, lines_left, contested: 6, ..JoinCounts::default() };
    metrics.set_joins(&counts);
    assert_eq!(["joined", "shared", "ambiguous"].map(|result| joins(&metrics, result)), [7.0, 1.0, 4.0]);
    assert_eq!(["without_connection", "contested"].map(|reason| left(&metrics, reason)), [5.0, 6.0]);
}

#[test]
fn features_timeouts_and_workers_show() {
    let mut metrics = metrics();
    metrics.set_feature("reset_reason", true);
    metrics.set_feature("exit_code", false);
    metrics.set_upstreams(&[sides("10.0.0.2:3000", None)]);
    metrics.expect_workers(2);
    assert_eq!(value(&metrics, "reset_observer_kernel_feature{feature=\"reset_reason\"}"), 1.0);
    assert_eq!(value(&metrics, "reset_observer_kernel_feature{feature=\"exit_code\"}"), 0.0);
    let timeout =
        "reset_observer_upstream_idle_timeout_seconds{upstream=\"\",server=\"10.0.0.2:3000\",side=\"backend\"}";
    assert_eq!(value(&metrics, timeout), 5.001);
    assert_eq!(value(&metrics, "reset_observer_worker_verdicts_total{worker=\"1\",cause=\"backend_crash\"}"), 0.0);
}

#[test]
fn both_sides_of_a_server_show_under_the_name_it_has_now_and_no_other() {
    let mut metrics = metrics();
    let server = "10.0.0.2:3000";
    metrics.set_upstreams(&[sides(server, None)]);
    assert!(!metrics.encode().contains("keepalive_mismatch{"), "nginx's side is not known");
    let named = |settings| Sides {
        upstream: UpstreamLabel { name: Some("backend".into()), server: server.into() },
        ..sides(server, Some(settings))
    };
    metrics.set_upstreams(&[named(configured())]);
    let labels = "upstream=\"backend\",server=\"10.0.0.2:3000\"";
    let timeout = |side| format!("reset_observer_upstream_idle_timeout_seconds{{{labels},side=\"{side}\"}}");
    let mismatch = format!("reset_observer_keepalive_mismatch{{{labels}}}");
    assert_eq!(value(&metrics, &timeout("nginx")), 60.0);
    assert_eq!(value(&metrics, &timeout("backend")), 5.001);
    assert_eq!(value(&metrics, &mismatch), 1.0);
    assert!(!metrics.encode().contains("upstream=\"\",server=\"10"), "{}", metrics.encode());
    metrics.set_upstreams(&[named(keeping(Duration::from_secs(4)))]);
    assert_eq!((value(&metrics, &timeout("nginx")), value(&metrics, &mismatch)), (4.0, 0.0));
    metrics.set_upstreams(&[named(keeping_nothing())]);
    assert_eq!(value(&metrics, &mismatch), 0.0);
    assert!(!metrics.encode().contains("side=\"nginx\""), "it keeps none");
    metrics.set_upstreams(&[]);
    assert!(!metrics.encode().contains("server=\"10.0.0.2:3000\""), "nothing is known any more");
}

#[test]
fn the_programs_cost_shows_once_the_kernel_tells_and_never_goes_back() {
    let mut metrics = metrics();
    assert!(!metrics.encode().contains("program_runs_total{"));
    let cost = |runs, nanoseconds| ProgramRuns {
        program: "tcp_send_reset".into(),
        runs,
        time: Duration::from_nanos(nanoseconds),
    };
    metrics.set_program_runs(&cost(3, 2_500));
    metrics.set_program_runs(&cost(2, 1_000));
    assert_eq!(value(&metrics, "reset_observer_program_runs_total{program=\"tcp_send_reset\"}"), 3.0);
    assert_eq!(value(&metrics, "reset_observer_program_run_seconds_total{program=\"tcp_send_reset\"}"), 2.5e-6);
}

#[test]
fn each_cause_is_at_zero_on_each_leg_before_anything_happens() {
    let metrics = metrics();
    let samples = samples(&metrics.encode());
    for (cause, impact) in [("keepalive_race", "request_failed"), ("idle_close", "none"), ("unknown", "unknown")] {
        for leg in Leg::ALL {
            let labels = format!("cause=\"{cause}\",impact=\"{impact}\",leg=\"{leg}\",upstream=\"\",server=\"\"");
            assert_eq!(samples.get(&format!("reset_observer_verdicts_total{{{labels}}}")), Some(&0.0));
        }
    }
    assert!(samples.len() < 700, "{} series", samples.len());
}
