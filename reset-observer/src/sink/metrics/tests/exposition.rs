//! What the text looks like, in both formats.

use super::*;

#[test]
fn the_exposition_is_well_formed() {
    let mut metrics = metrics();
    metrics.observe_verdict(&example::verdict());
    metrics.set_feature("reset_reason", true);
    let text = metrics.encode();
    assert!(text.ends_with("# EOF\n"));
    let described: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")).collect();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let owner = described.iter().find(|kind| line.starts_with(kind.split(' ').next().unwrap()));
        let ours = line.starts_with("reset_observer_") || line.starts_with("process_");
        assert!(ours && owner.is_some(), "{line}");
    }
    let names: Vec<&str> = described.iter().map(|kind| kind.split(' ').next().unwrap()).collect();
    for name in &names {
        assert_eq!(names.iter().filter(|other| other == &name).count(), 1, "{name} is described twice");
    }
    assert!(text.contains("reset_observer_build_info{version="), "{text}");
}

#[test]
fn labels_cannot_break_out_of_their_quotes() {
    let mut metrics = metrics();
    let upstream = Some(Arc::new(UpstreamLabel { name: Some("a\"} 1\n#".into()), server: "b\\".into() }));
    metrics.observe_verdict(&Verdict { upstream, ..example::verdict() });
    let text = plain_text::plain_text(&metrics.encode());
    assert!(text.contains("upstream=\"a\\\"} 1\\n#\",server=\"b\\\\\"} 1\n"), "{text}");
}

/// Metrics of which each has a sample.
fn complete() -> Metrics {
    let mut metrics = metrics();
    metrics.observe_verdict(&example::verdict());
    metrics.observe_episode(&example::episode());
    metrics.set_sent_by_reason("tcp_abort_on_close", 4);
    let named = UpstreamLabel { name: Some("backend".into()), server: "10.0.0.2:3000".into() };
    metrics.set_upstreams(&[Sides { upstream: Arc::new(named), ..sides("10.0.0.2:3000", Some(configured())) }]);
    metrics.set_feature("reset_reason", true);
    metrics.set_attached("tcp_send_reset");
    metrics.set_reload(ConfigFile::Web, true);
    metrics.set_sandbox(&Sandbox { measures: Vec::new() });
    let time = Duration::from_nanos(2_500);
    metrics.set_program_runs(&ProgramRuns { program: "tcp_send_reset".into(), runs: 3, time });
    metrics.set_process(&OwnProcess { cpu: Duration::from_millis(1500), open_fds: 7, ..OwnProcess::default() });
    metrics
}

/// Names of labels of a series, in order, without `le`.
fn label_names(series: &str) -> Vec<&str> {
    let Some((_, labels)) = series.split_once('{') else { return Vec::new() };
    labels
        .split("\",")
        .filter_map(|label| label.split_once('='))
        .map(|(name, _)| name)
        .filter(|name| *name != "le")
        .collect()
}

#[test]
fn what_is_exposed_is_what_the_catalogue_says() {
    let text = complete().encode();
    let samples = samples(&text);
    for what in catalogue::ALL {
        let (name, family) = (what.name, what.family());
        assert!(text.contains(&format!("# HELP {family} {}.\n", what.help)), "{name}");
        assert!(text.contains(&format!("# TYPE {family} {}\n", what.kind.as_str())), "{name}");
        let sampled = if what.kind == catalogue::Kind::Histogram { format!("{name}_bucket") } else { name.to_owned() };
        let series: Vec<&String> = samples.keys().filter(|key| key.split('{').next() == Some(&sampled)).collect();
        assert!(!series.is_empty(), "{name} has no sample");
        for series in series {
            assert_eq!(label_names(series), what.labels, "{series}");
        }
    }
    let families = text.lines().filter(|line| line.starts_with("# TYPE ")).count();
    assert_eq!(families, catalogue::ALL.len(), "a metric is not in the catalogue");
}

#[test]
fn a_verdict_is_the_exemplar_of_its_series_and_of_its_bucket() {
    let mut metrics = metrics();
    let verdict = example::verdict();
    metrics.observe_verdict(&verdict);
    let exemplar = |value| format!(" # {{verdict_id=\"{}\"}} {value} 1795355103.432611", verdict.id);
    let text = metrics.encode();
    let with_exemplar: Vec<&str> = text.lines().filter(|line| line.contains(" # {")).collect();
    let [counter, bucket] = with_exemplar[..] else { panic!("{with_exemplar:#?}") };
    assert!(counter.starts_with("reset_observer_verdicts_total{") && counter.ends_with(&exemplar("1.0")), "{counter}");
    assert!(bucket.contains("_bucket{le=\"5.0\",") && bucket.ends_with(&exemplar("3.532")), "{bucket}");
}

#[test]
fn both_formats_hold_the_same_samples() {
    let text = complete().encode();
    let plain = plain_text::plain_text(&text);
    assert_eq!(samples(&text), samples(&plain));
    assert!(!plain.contains(" # {") && !plain.contains("# EOF"));
    assert!(plain.contains("# TYPE reset_observer_verdicts_total counter\n"));
    assert!(plain.contains("# TYPE reset_observer_build_info gauge\n"));
}
