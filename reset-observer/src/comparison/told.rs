//! A comparison in words.

use std::fmt::{Display, Formatter, Result};

use super::{CauseCompared, Comparison, Conclusion, Stretch};
use crate::sink::words;

impl Display for Comparison {
    fn fmt(&self, f: &mut Formatter<'_>) -> Result {
        writeln!(f, "{:<24}{:>14}{:>14}", "", "before", "after")?;
        let (before, after) = (&self.before, &self.after);
        let duration = |stretch: &Stretch| words::milliseconds(stretch.duration_s * 1e3);
        writeln!(f, "{:<24}{:>14}{:>14}", "watched for", duration(before), duration(after))?;
        for (name, measure) in MEASURES {
            writeln!(f, "{name:<24}{:>14}{:>14}", measure(before), measure(after))?;
        }
        for cause in &self.causes {
            writeln!(f, "{:<24}{:>14}{:>14}", cause.cause.as_str(), cause.before, cause.after)?;
        }
        writeln!(f)?;
        if self.causes.is_empty() {
            writeln!(f, "Nothing failed, neither before nor after: there is nothing to compare.")?;
        }
        for cause in &self.causes {
            writeln!(f, "{}", cause.sentence())?;
        }
        if !self.traffic_alike {
            writeln!(f, "The traffic was not the same, by connections opened or closed: rates say little, repeat it.")?;
        }
        Ok(())
    }
}

type Measure = (&'static str, fn(&Stretch) -> u64);

const MEASURES: [Measure; 4] = [
    ("connections opened", |stretch| stretch.connections),
    ("idle closes", |stretch| stretch.idle_closes),
    ("records", |stretch| stretch.records),
    ("requests hurt", |stretch| stretch.requests_hurt),
];

impl CauseCompared {
    /// Whether the change helped against this cause.
    #[must_use]
    pub fn sentence(&self) -> String {
        let Self { cause, before, after, .. } = self;
        let share = self.ratio_at_most.map_or_else(String::new, |ratio| {
            format!(", so that it is at most {} of what it was (95 % confidence)", percent(ratio))
        });
        let numbers = format!("{before} before and {after} after, by time {}", self.rates());
        match self.conclusion {
            Conclusion::Gone => format!("{cause}: the fix holds: {before} before and none after{share}."),
            Conclusion::Fewer => format!("{cause}: it helped, and did not end it: {numbers}{share}."),
            Conclusion::More => format!("{cause}: it is worse: {numbers}."),
            Conclusion::Unchanged => format!("{cause}: no difference that chance does not explain: {numbers}."),
            Conclusion::TooFew => match self.enough_after_s {
                Some(enough) => format!(
                    "{cause}: too few to say: {numbers}; none in {} after the change would say that it helped.",
                    words::milliseconds(enough * 1e3)
                ),
                None => format!("{cause}: too few to say: {numbers}."),
            },
        }
    }

    fn rates(&self) -> String {
        format!("{:.1} and {:.1} an hour", self.before_per_hour, self.after_per_hour)
    }
}

fn percent(ratio: f64) -> String {
    if ratio < 0.1 { format!("{:.1} %", ratio * 100.0) } else { format!("{:.0} %", ratio * 100.0) }
}
