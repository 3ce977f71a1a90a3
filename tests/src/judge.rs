//! Truth against verdicts: was each connection named, rightly, once, and nothing else said?

use crate::observer::Verdict;
use crate::truth::{Expected, Truth};

/// What the observer got wrong about one scenario; empty if nothing.
pub fn faults(truth: &Truth, verdicts: &[Verdict]) -> Vec<String> {
    let about: Vec<&Verdict> = verdicts.iter().filter(|verdict| concerns(truth, verdict)).collect();
    let missing = truth.expected.iter().filter_map(|expected| fault_of(expected, truth, &about));
    let surplus = about.iter().filter(|verdict| !is_right(truth, verdict)).map(|said| describe_surplus(said));
    let closes = idle_closes(truth, verdicts);
    let blind = (closes < truth.idle_closes)
        .then(|| format!("idle_close was said {closes} times of at least {}", truth.idle_closes));
    missing.chain(surplus).chain(blind).collect()
}

/// What the observer said with high confidence that is wrong: that must not happen even where the evidence does not
/// decide.
pub fn false_certainties(truth: &Truth, verdicts: &[Verdict]) -> Vec<String> {
    let certain = verdicts.iter().filter(|verdict| concerns(truth, verdict) && verdict.confidence == "high");
    certain.filter(|verdict| !is_right(truth, verdict)).map(describe_surplus).collect()
}

/// Whether the verdicts so far hold every one that must be given.
pub fn is_complete(truth: &Truth, verdicts: &[Verdict]) -> bool {
    let given = |expected: &Expected| verdicts.iter().any(|said| concerns(truth, said) && names(expected, said));
    truth.expected.iter().all(given) && idle_closes(truth, verdicts) >= truth.idle_closes
}

/// How often a harmless close was said of the scenario's server.
pub(crate) fn idle_closes(truth: &Truth, verdicts: &[Verdict]) -> usize {
    verdicts.iter().filter(|verdict| concerns(truth, verdict) && verdict.cause == "idle_close").count()
}

/// Whether a verdict is about the scenario's server, seen from either end.
pub fn concerns(truth: &Truth, verdict: &Verdict) -> bool {
    let server = |end: &crate::observer::Endpoint| end.addr == truth.server.ip() && end.port == truth.server.port();
    server(&verdict.remote) || server(&verdict.local)
}

/// Whether a verdict on the proxy's end is about this connection, whatever it says.
pub(crate) fn is_about(expected: &Expected, verdict: &Verdict) -> bool {
    verdict.leg == "upstream" && expected.local_port.is_none_or(|port| verdict.local.port == port)
}

fn names(expected: &Expected, verdict: &Verdict) -> bool {
    is_about(expected, verdict) && expected.is_met_by(&verdict.cause, &verdict.confidence)
}

fn fault_of(expected: &Expected, truth: &Truth, about: &[&Verdict]) -> Option<String> {
    let cause = expected.cause;
    let right: Vec<_> = about.iter().filter(|verdict| names(expected, verdict)).collect();
    // Connections that the scenario cannot tell apart are counted together.
    let alike = truth.expected.iter().filter(|other| *other == expected).count();
    let Some(verdict) = right.first().filter(|_| right.len() == alike) else {
        let times = right.len();
        return Some(format!("{cause} on port {:?} was said {times} times, not {alike}", expected.local_port));
    };
    wrong_impact(expected, verdict).map(|(expected, said)| format!("{cause} has impact {said}, not {expected}"))
}

/// What it did to the request and what it is said to have done, if that is wrong. `unknown` is honest; and where it is as
/// right to call the end harmless, so is to say that it hurt nobody.
pub(crate) fn wrong_impact<'a>(expected: &Expected, verdict: &'a Verdict) -> Option<(&'static str, &'a str)> {
    let harmless = verdict.cause == "idle_close" && expected.or.contains(&"idle_close");
    let said = verdict.impact.as_deref().filter(|said| *said != "unknown" && !(harmless && *said == "none"));
    expected.impact.zip(said).filter(|(expected, said)| expected != said)
}

/// Whether a verdict may be said beside those that must be.
pub(crate) fn is_right(truth: &Truth, verdict: &Verdict) -> bool {
    let cause = verdict.cause.as_str();
    let expected = |expected: &Expected| match verdict.leg.as_str() {
        "upstream" => names(expected, verdict),
        // The same deed may be seen at the other end too.
        _ => expected.cause == cause || expected.or.contains(&cause),
    };
    // A connection that has its cause must not be called harmless as well.
    let has_own = verdict.leg == "upstream"
        && truth.expected.iter().any(|expected| expected.local_port == Some(verdict.local.port));
    truth.expected.iter().any(expected) || (!has_own && (cause == "idle_close" || truth.also_right.contains(&cause)))
}

fn describe_surplus(verdict: &Verdict) -> String {
    let Verdict { cause, confidence, leg, local, evidence, .. } = verdict;
    format!("{cause} ({confidence}) on the {leg} leg, port {}, is wrong; it rests on {evidence:?}", local.port)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::cell::View;
    use crate::observer::Endpoint;

    fn truth() -> Truth {
        let server: SocketAddr = "10.0.0.2:3000".parse().unwrap();
        let connection = "10.0.0.1:4000".parse().unwrap();
        Truth::of(server).expect("keepalive_race", Some(connection), Some("request_retried"))
    }

    fn verdict(cause: &str, port: u16) -> Verdict {
        Verdict {
            cause: cause.to_owned(),
            confidence: "high".to_owned(),
            impact: Some("unknown".to_owned()),
            leg: "upstream".to_owned(),
            netns: None,
            local: Endpoint { addr: "10.0.0.1".parse().unwrap(), port },
            remote: Endpoint { addr: "10.0.0.2".parse().unwrap(), port: 3000 },
            evidence: Vec::new(),
            backend: serde_json::Value::Null,
        }
    }

    #[test]
    fn the_right_cause_once_and_a_harmless_close_elsewhere_is_no_fault() {
        assert!(faults(&truth(), &[verdict("keepalive_race", 4000), verdict("idle_close", 4001)]).is_empty());
    }

    #[test]
    fn a_negative_control_that_is_not_seen_is_a_fault() {
        let truth = Truth { idle_closes: 1, ..Truth::of("10.0.0.2:3000".parse().unwrap()) };
        assert_eq!(faults(&truth, &[]).len(), 1);
        assert!(faults(&truth, &[verdict("idle_close", 4000)]).is_empty());
    }

    #[test]
    fn silence_is_a_fault() {
        assert_eq!(faults(&truth(), &[]).len(), 1);
    }

    #[test]
    fn the_same_connection_named_twice_is_a_fault() {
        assert_eq!(faults(&truth(), &[verdict("keepalive_race", 4000), verdict("idle_close", 4000)]).len(), 1);
        assert_eq!(faults(&truth(), &[verdict("keepalive_race", 4000), verdict("keepalive_race", 4000)]).len(), 1);
    }

    #[test]
    fn a_wrong_cause_on_another_connection_is_a_fault() {
        assert_eq!(faults(&truth(), &[verdict("keepalive_race", 4000), verdict("unknown", 4001)]).len(), 1);
    }

    #[test]
    fn a_wrong_cause_is_a_false_certainty_only_at_high_confidence() {
        let mut wrong = verdict("backend_crash", 4000);
        assert_eq!(false_certainties(&truth(), std::slice::from_ref(&wrong)).len(), 1);
        wrong.confidence = "medium".to_owned();
        assert!(false_certainties(&truth(), &[wrong, verdict("keepalive_race", 4000)]).is_empty());
    }

    #[test]
    fn who_may_call_an_end_harmless_may_say_that_it_hurt_nobody() {
        let said =
            Verdict { impact: Some("none".to_owned()), confidence: "medium".to_owned(), ..verdict("idle_close", 4000) };
        assert_eq!(faults(&truth().unless_seen(View::Proxy, &["idle_close"]), std::slice::from_ref(&said)), [""; 0]);
        let retried = Verdict { impact: Some("request_failed".to_owned()), ..said };
        assert_eq!(faults(&truth().unless_seen(View::Proxy, &["idle_close"]), &[retried]).len(), 1);
    }

    #[test]
    fn another_impact_than_the_true_one_is_a_fault() {
        let mut said = verdict("keepalive_race", 4000);
        said.impact = Some("request_failed".to_owned());
        assert_eq!(faults(&truth(), &[said]).len(), 1);
    }
}
