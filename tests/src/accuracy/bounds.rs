//! What the project promises of its verdicts, and whether it holds.

use std::fmt;

use serde::Serialize;

use super::ledger::Entry;
use super::reading::Reading;

/// At least this share of the verdicts that decide is right.
const RIGHT: f64 = 0.99;

/// At most this share of all is `unknown`.
const UNKNOWN: f64 = 0.03;

/// Everything counted.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Tally {
    /// Trials that were judged.
    pub(super) trials: usize,
    /// Of these, those in which nothing was wrong.
    pub(super) clean: usize,
    /// Trials whose deed did not happen as meant.
    pub(super) spoiled: usize,
    /// Ends of connections on which a verdict was given or due.
    pub(super) readings: usize,
    /// Of these, those whose cause and impact were said rightly.
    pub(super) right: usize,
    /// Of these, those with the right cause and a wrong impact.
    pub(super) wrong_impact: usize,
    /// Of these, those that were said to be unknown.
    pub(super) unknown: usize,
    /// Of these, those of which nothing was said.
    pub(super) missing: usize,
    /// Wrong with high confidence.
    pub(super) wrong_at_high: usize,
    /// Share of the verdicts that decide which is right.
    pub(super) share: f64,
    /// The interval in which that share lies with a probability of 95 % (Wilson).
    pub(super) interval: (f64, f64),
    /// Whether every bound holds.
    pub(super) holds: bool,
}

/// The same with all trials: the machine's form of the result.
#[derive(Debug, Serialize)]
pub(super) struct Full<'a> {
    tally: Tally,
    trials: &'a [Entry],
}

impl Tally {
    /// Counts.
    pub(super) fn of(entries: &[Entry]) -> Self {
        let judged = entries.iter().filter(|entry| entry.spoiled.is_none());
        let readings: Vec<&Reading> = entries.iter().flat_map(|entry| &entry.readings).collect();
        let count = |what: fn(&Reading) -> bool| readings.iter().filter(|reading| what(reading)).count();
        let right = count(|reading| reading.right && !reading.wrong_impact);
        let wrong_impact = count(|reading| reading.wrong_impact);
        let unknown = count(Reading::is_unknown);
        let missing = count(Reading::is_missing);
        let wrong_at_high = count(|reading| !reading.right && reading.confidence == "high");
        let decided = readings.len() - unknown;
        let share = ratio(right, decided);
        let unknown_share = ratio(unknown, readings.len());
        let held = share >= RIGHT && wrong_at_high == 0 && missing == 0 && unknown_share <= UNKNOWN;
        Self {
            trials: judged.clone().count(),
            clean: judged.filter(|entry| entry.faults.is_empty()).count(),
            spoiled: entries.iter().filter(|entry| entry.spoiled.is_some()).count(),
            readings: readings.len(),
            right,
            wrong_impact,
            unknown,
            missing,
            wrong_at_high,
            share,
            interval: wilson(right, decided),
            holds: held && !readings.is_empty(),
        }
    }

    pub(super) fn holds(&self) -> bool {
        self.holds
    }

    /// With all trials.
    pub(super) fn with<'a>(&self, trials: &'a [Entry]) -> Full<'a> {
        Full { tally: *self, trials }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            trials,
            clean,
            spoiled,
            readings,
            right,
            wrong_impact,
            unknown,
            missing,
            wrong_at_high,
            share,
            interval,
            ..
        } = self;
        writeln!(f, "\n{trials} trials, {clean} of them without a fault; {spoiled} more did not happen as meant.")?;
        writeln!(
            f,
            "{readings} ends of connections: {right} said rightly, {wrong_impact} with the right cause and a wrong \
             impact, {unknown} unknown, {missing} missing, {wrong_at_high} wrong at high confidence."
        )?;
        let (low, high) = interval;
        writeln!(
            f,
            "Of what was decided, {:.2} % is right (95 %: {:.2} to {:.2}).",
            share * 1e2,
            low * 1e2,
            high * 1e2
        )?;
        let unknown_share = ratio(*unknown, *readings);
        for (name, holds, value) in [
            ("at least 99 % right", *share >= RIGHT, format!("{:.2} %", share * 1e2)),
            ("high is never wrong", *wrong_at_high == 0, wrong_at_high.to_string()),
            ("none is missing", *missing == 0, missing.to_string()),
            ("at most 3 % unknown", unknown_share <= UNKNOWN, format!("{:.2} %", unknown_share * 1e2)),
        ] {
            writeln!(f, "  {:<6} {name} ({value})", if holds { "holds" } else { "BROKEN" })?;
        }
        Ok(())
    }
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// Wilson's interval at 95 %: unlike the usual one it says something at a share of 100 %.
fn wilson(part: usize, whole: usize) -> (f64, f64) {
    const Z: f64 = 1.96;
    if whole == 0 {
        return (0.0, 1.0);
    }
    let (n, p) = (whole as f64, ratio(part, whole));
    let middle = p + Z * Z / (2.0 * n);
    let spread = Z * (p * (1.0 - p) / n + Z * Z / (4.0 * n * n)).sqrt();
    let scale = 1.0 + Z * Z / n;
    (((middle - spread) / scale).max(0.0), ((middle + spread) / scale).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(readings: Vec<Reading>) -> Entry {
        Entry {
            scenario: "abort_close".to_owned(),
            cell: String::new(),
            round: 0,
            ms: 1,
            readings,
            faults: Vec::new(),
            story: Vec::new(),
            spoiled: None,
        }
    }

    fn reading(said: &str, confidence: &str, right: bool) -> Reading {
        let [truth, said, confidence] = ["backend_abort", said, confidence].map(str::to_owned);
        Reading { truth, said, confidence, right, wrong_impact: false }
    }

    #[test]
    fn nothing_measured_holds_no_bound() {
        assert!(!Tally::of(&[]).holds());
    }

    #[test]
    fn one_wrong_in_two_hundred_holds_unless_it_was_certain_or_silent() {
        let right = vec![reading("backend_abort", "high", true); 199];
        let with = |odd: Reading| Tally::of(&[entry([right.clone(), vec![odd]].concat())]).holds();
        assert!(with(reading("backend_crash", "medium", false)));
        assert!(!with(reading("backend_crash", "high", false)));
        assert!(!with(reading(super::super::reading::NOTHING, "", false)));
        assert!(with(reading("unknown", "low", false)));
    }

    #[test]
    fn the_interval_narrows_with_the_number_of_trials_and_holds_the_share() {
        let (low, high) = wilson(99, 100);
        assert!(low > 0.94 && low < 0.99 && high > 0.99 && high < 1.0);
        assert!(wilson(9_900, 10_000).0 > low);
    }
}
