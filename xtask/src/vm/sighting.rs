//! What one kernel showed.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::matrix::Kernel;

/// How many lines of either end of a story are shown.
const END_LINES: usize = 20;

/// Everything that is written down of one kernel.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sighting {
    /// The version in the matrix.
    pub(super) version: String,
    /// What was booted: the version of the first package.
    pub(super) package: String,
    pub(super) suite: String,
    /// What the kernel calls itself.
    pub(super) release: String,
    pub(super) programs: Vec<String>,
    pub(super) features: BTreeMap<String, bool>,
    pub(super) checks: Vec<Check>,
}

/// One check.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Check {
    pub(super) name: String,
    pub(super) claim: String,
    pub(super) outcome: Outcome,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// Recorded as it happened.
    Recorded,
    /// The kernel does not tell of it, and nothing was made up.
    NotTold,
    /// Not as it must be.
    Wrong,
}

impl Sighting {
    /// Nothing seen yet of this kernel.
    pub(super) fn of(pinned: &Kernel) -> Self {
        let package = pinned.packages.first().map(|package| package.version.clone()).unwrap_or_default();
        Self {
            version: pinned.version.clone(),
            package,
            suite: pinned.suite.clone(),
            release: String::new(),
            programs: Vec::new(),
            features: BTreeMap::new(),
            checks: Vec::new(),
        }
    }

    /// Takes one line of the lab's, and shows it.
    pub(super) fn take(&mut self, line: Value) {
        match line["type"].as_str() {
            Some("kernel") => self.release = line["release"].as_str().unwrap_or_default().to_owned(),
            Some("ready") => {
                self.programs = serde_json::from_value(line["programs"].clone()).unwrap_or_default();
                self.features = serde_json::from_value(line["features"].clone()).unwrap_or_default();
            }
            Some("check") => self.take_check(&line),
            _ => {}
        }
    }

    /// Whether everything is as it must be.
    pub(super) fn is_right(&self) -> bool {
        !self.checks.is_empty() && self.count(Outcome::Wrong) == 0
    }

    /// How many checks went which way.
    pub(super) fn summary(&self) -> String {
        let [recorded, not_told, wrong] =
            [Outcome::Recorded, Outcome::NotTold, Outcome::Wrong].map(|outcome| self.count(outcome));
        format!("{recorded} recorded, {not_told} not told by this kernel, {wrong} wrong")
    }

    fn take_check(&mut self, line: &Value) {
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        // An outcome that is none of ours must not pass.
        let outcome = serde_json::from_value(line["outcome"].clone()).unwrap_or(Outcome::Wrong);
        let seconds = line["seconds"].as_f64().unwrap_or_default();
        println!("{:<9} {:<8} {:<20} {seconds:>5.1} s", word(outcome), self.version, text("name"));
        if outcome == Outcome::Wrong {
            println!("  {}\n  {}", text("claim"), in_short(&text("why")).replace('\n', "\n  "));
        }
        self.checks.push(Check { name: text("name"), claim: text("claim"), outcome });
    }

    fn count(&self, outcome: Outcome) -> usize {
        self.checks.iter().filter(|check| check.outcome == outcome).count()
    }
}

/// Both ends of a long story: what went wrong stands at its start, and a verifier's reason at its end.
fn in_short(story: &str) -> String {
    let lines: Vec<&str> = story.lines().collect();
    if lines.len() <= 2 * END_LINES {
        return story.to_owned();
    }
    let (start, end) = (&lines[..END_LINES], &lines[lines.len() - END_LINES..]);
    format!("{}\n...\n{}", start.join("\n"), end.join("\n"))
}

/// How an outcome is shown.
pub(super) fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Recorded => "yes",
        Outcome::NotTold => "not told",
        Outcome::Wrong => "WRONG",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn one_wrong_check_spoils_the_kernel_and_no_check_at_all_does_too() {
        let kernel = Kernel { version: "6.1".into(), suite: "bookworm".into(), packages: Vec::new() };
        let mut sighting = Sighting::of(&kernel);
        assert!(!sighting.is_right());
        sighting.take(json!({ "type": "check", "name": "a", "outcome": "recorded" }));
        assert!(sighting.is_right());
        sighting.take(json!({ "type": "check", "name": "b", "outcome": "of a lab to come" }));
        assert!(!sighting.is_right());
    }
}
