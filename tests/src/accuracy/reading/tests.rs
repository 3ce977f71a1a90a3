use super::*;
use crate::cell::View;
use crate::observer::Endpoint;

fn truth() -> Truth {
    let connection = "10.0.0.1:4000".parse().unwrap();
    Truth::of("10.0.0.2:3000".parse().unwrap()).expect("backend_crash", Some(connection), None)
}

fn said(cause: &str, confidence: &str, port: u16) -> Verdict {
    Verdict {
        cause: cause.to_owned(),
        confidence: confidence.to_owned(),
        impact: None,
        leg: "upstream".to_owned(),
        netns: None,
        local: Endpoint { addr: "10.0.0.1".parse().unwrap(), port },
        remote: Endpoint { addr: "10.0.0.2".parse().unwrap(), port: 3000 },
        evidence: Vec::new(),
        backend: serde_json::Value::Null,
    }
}

#[test]
fn the_right_verdict_is_one_right_reading() {
    let readings = readings(&truth(), &[said("backend_crash", "high", 4000)]);
    assert!(matches!(readings.as_slice(), [reading] if reading.right));
}

#[test]
fn silence_is_a_missing_reading() {
    assert!(readings(&truth(), &[])[0].is_missing());
}

#[test]
fn a_wrong_verdict_on_the_connection_is_read_against_its_truth_and_not_as_missing() {
    let readings = readings(&truth(), &[said("keepalive_race", "high", 4000)]);
    let [reading] = readings.as_slice() else { panic!("{readings:?}") };
    assert_eq!((&*reading.truth, &*reading.said, reading.right), ("backend_crash", "keepalive_race", false));
}

#[test]
fn a_false_alarm_beside_the_right_verdict_is_a_wrong_reading_of_its_own() {
    let readings = readings(&truth(), &[said("backend_crash", "high", 4000), said("backend_abort", "low", 4001)]);
    assert_eq!(readings.iter().filter(|reading| reading.right).count(), 1);
    assert_eq!((readings.len(), &*readings[1].truth), (2, "idle_close"));
}

#[test]
fn many_harmless_closes_of_a_trial_are_read_once() {
    let closes: Vec<Verdict> = (1..9).map(|port| said("idle_close", "high", port)).collect();
    assert_eq!(readings(&Truth::of("10.0.0.2:3000".parse().unwrap()), &closes).len(), 1);
}

#[test]
fn what_cannot_be_told_apart_is_right_either_way_but_never_with_certainty() {
    let truth = truth().unless_seen(View::Proxy, &["backend_restart"]);
    assert!(readings(&truth, &[said("backend_restart", "medium", 4000)])[0].right);
    assert!(!readings(&truth, &[said("backend_crash", "high", 4000)])[0].right);
}
