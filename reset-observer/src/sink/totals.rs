//! What there was so far, for the line at the bottom of a terminal.

use std::{collections::BTreeMap, time::Duration};

use crate::{
    sink::{summary::Summary, words},
    verdict::{Cause, Impact},
};

/// What there was so far, the most telling first: how long, causes from the most frequent on, what became of requests, what
/// was lost.
#[must_use]
pub fn totals(summary: &Summary, watched: Duration, lost: u64) -> Vec<String> {
    let mut causes: Vec<(Cause, u64)> = summary
        .causes
        .iter()
        .filter(|(cause, _)| **cause != Cause::IdleClose)
        .map(|(cause, impacts)| (*cause, impacts.values().sum()))
        .collect();
    causes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let mut impacts: BTreeMap<Impact, u64> = BTreeMap::new();
    summary.causes.values().flatten().for_each(|(impact, count)| *impacts.entry(*impact).or_default() += count);
    let mut parts = vec![format!("watching for {}", coarse(watched))];
    if causes.is_empty() {
        parts.push("no verdict yet".to_owned());
    }
    parts.extend(causes.iter().map(|(cause, count)| format!("{count} {cause}")));
    let requests = [Impact::RequestFailed, Impact::RequestRetried];
    let requests =
        requests.iter().filter_map(|impact| Some(format!("{} {}", impacts.get(impact)?, words::impact(*impact))));
    parts.extend(requests);
    if lost > 0 {
        parts.push(format!("{lost} not looked at"));
    }
    parts
}

/// Seconds for a minute, then minutes, then hours and minutes: what changes no more often than it tells anything.
fn coarse(time: Duration) -> String {
    match (time.as_secs(), time.as_secs() / 60) {
        (seconds, 0) => format!("{seconds} s"),
        (_, minutes @ 1..60) => format!("{minutes} min"),
        (_, minutes) => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::KernelTime, sink::example, verdict::Verdict};

    fn said(verdicts: &[(Cause, Impact)], seconds: u64, lost: u64) -> String {
        let mut summary = Summary::start(KernelTime(0));
        for (cause, impact) in verdicts {
            summary.add(&Verdict { cause: *cause, impact: *impact, ..example::verdict() });
        }
        totals(&summary, Duration::from_secs(seconds), lost).join(", ")
    }

    #[test]
    fn the_totals_are_how_long_what_what_became_of_it_and_what_was_lost() {
        assert_eq!(said(&[], 7, 0), "watching for 7 s, no verdict yet");
        assert_eq!(said(&[(Cause::IdleClose, Impact::None)], 61, 0), "watching for 1 min, no verdict yet");
        let crash = (Cause::BackendCrash, Impact::RequestFailed);
        let race = (Cause::KeepaliveRace, Impact::RequestRetried);
        assert_eq!(
            said(&[crash, race, race], 3720, 5),
            "watching for 1 h 2 min, 2 keepalive_race, 1 backend_crash, 1 failed, 2 retried, 5 not looked at"
        );
    }
}
