//! One true end of a connection, and what was said of it.

use serde::{Deserialize, Serialize};

use crate::judge;
use crate::observer::Verdict;
use crate::truth::{Expected, Truth};

/// What stands where nothing was said.
pub(super) const NOTHING: &str = "(nothing)";

/// What is true and what was said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Reading {
    /// The true cause.
    pub(super) truth: String,
    /// The cause that was said, or [`NOTHING`].
    pub(super) said: String,
    /// How confidently; empty if nothing was said.
    pub(super) confidence: String,
    /// Whether that is right.
    pub(super) right: bool,
    /// The cause is right, and what it is said to have done to the request is not.
    #[serde(default)]
    pub(super) wrong_impact: bool,
}

impl Reading {
    fn of(truth: &str, verdict: &Verdict, right: bool) -> Self {
        let (said, confidence) = (verdict.cause.clone(), verdict.confidence.clone());
        Self { truth: truth.to_owned(), said, confidence, right, wrong_impact: false }
    }

    fn missing(truth: &str) -> Self {
        let (truth, said) = (truth.to_owned(), NOTHING.to_owned());
        Self { truth, said, confidence: String::new(), right: false, wrong_impact: false }
    }

    pub(super) fn is_missing(&self) -> bool {
        self.said == NOTHING
    }

    pub(super) fn is_unknown(&self) -> bool {
        self.said == "unknown"
    }
}

/// Reads the verdicts of one trial: one reading for each that must be given, and for each further one that is wrong. Of
/// those that are right as well, one of a kind counts: an everyday scenario must not outweigh all others.
pub(super) fn readings(truth: &Truth, verdicts: &[Verdict]) -> Vec<Reading> {
    let mut left: Vec<&Verdict> = verdicts.iter().filter(|verdict| judge::concerns(truth, verdict)).collect();
    let mut readings: Vec<Reading> = truth.expected.iter().map(|expected| claim(expected, truth, &mut left)).collect();
    for verdict in left {
        let right = judge::is_right(truth, verdict);
        let reading = Reading::of(if right { &verdict.cause } else { "idle_close" }, verdict, right);
        // The other end of a connection says the same again.
        if !right || verdict.leg == "upstream" && !readings.contains(&reading) {
            readings.push(reading);
        }
    }
    let closes = judge::idle_closes(truth, verdicts);
    readings.extend((closes..truth.idle_closes).map(|_| Reading::missing("idle_close")));
    readings
}

/// Takes the verdict about this end out of those that are left: the right one if there is one.
fn claim(expected: &Expected, truth: &Truth, left: &mut Vec<&Verdict>) -> Reading {
    let met = |verdict: &&Verdict| {
        judge::is_about(expected, verdict) && expected.is_met_by(&verdict.cause, &verdict.confidence)
    };
    // Of a connection that is not known by its port, only what is wrong in any case can be taken for a verdict on it.
    let wrong = |verdict: &&Verdict| {
        judge::is_about(expected, verdict) && (expected.local_port.is_some() || !judge::is_right(truth, verdict))
    };
    let found = left.iter().position(met).or_else(|| left.iter().position(wrong));
    let Some(verdict) = found.map(|index| left.remove(index)) else { return Reading::missing(expected.cause) };
    let right = met(&verdict);
    let wrong_impact = right && judge::wrong_impact(expected, verdict).is_some();
    Reading { wrong_impact, ..Reading::of(expected.cause, verdict, right) }
}

#[cfg(test)]
mod tests;
