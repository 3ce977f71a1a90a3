//! The demo: one case after another before the observer's eyes, told as it happens.

use std::process::ExitCode;

use anyhow::{Context, Result};

use crate::interrupt;
use crate::lock::MachineLock;
use crate::observer::Observer;
use crate::programs;
use crate::scenario;
use crate::stage::BACKEND_PORT;
use crate::topology::Family;
use crate::trial::{self, Outcome};

/// The cases, in the order of the telling, around the race that is foretold.
const BEFORE: &[&str] = &["crash_with_reset", "crash_then_refused"];
const AFTER: &[&str] = &["race_held", "middlebox_reset", "control"];

/// Runs the demo; succeeds only if every case was named rightly.
pub fn run() -> Result<ExitCode> {
    programs::require_root()?;
    interrupt::install()?;
    let _machine = MachineLock::take()?;
    let mut judge = Observer::observe().context("cannot start the observer that the demo judges by")?;
    println!("$ reset-observer observe --port {BACKEND_PORT}");
    let mut live = Observer::observe_live(|line| println!("  {line}"))?;
    // The one for people says on which footing it watches before anything else.
    live.wait_for_any_line()?;
    let mut outcomes = play(&judge)?;
    println!("\nCtrl-C to the observer; its summary:");
    live.finish()?;
    judge.finish()?;
    for outcome in trial::judge_aftermath(&mut outcomes, &judge) {
        println!("  lab: WRONG about {} when its stage was taken down: {}", outcome.name, outcome.told());
    }
    let races = outcomes.iter().find(|outcome| outcome.name == scenario::foretold().name);
    let foretold = races.is_some_and(|outcome| is_foretold(outcome, &judge));
    println!("\n  lab: the mismatch was told {} the first race", if foretold { "before" } else { "NOT before" });
    Ok(if foretold { conclude(&outcomes) } else { ExitCode::FAILURE })
}

/// Plays all cases.
fn play(judge: &Observer) -> Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    let named = |names: &[&str]| names.iter().map(|name| scenario::named(name)).collect::<Result<Vec<_>>>();
    let cases = [named(BEFORE)?, vec![scenario::foretold()], named(AFTER)?].concat();
    for (index, case) in cases.iter().enumerate() {
        println!("\n{} of {}: {}", index + 1, cases.len(), case.deed);
        let outcome = trial::hold(case, Family::V4, judge)?;
        let truth = outcome.truth.expected.first().map_or("no verdict but idle_close", |expected| expected.cause);
        println!("  lab: nginx answered {}", statuses(&outcome.truth.statuses));
        for line in &outcome.truth.error_log {
            println!("  lab: nginx logged {:?}", message(line));
        }
        println!("  lab: {}", outcome.truth.proof.join("; "));
        println!("  lab: {}; the truth: {truth}; said: {}", outcome.word().to_uppercase(), outcome.told());
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Whether the observer told that the backend closes before nginx does, and only then of a race.
fn is_foretold(outcome: &Outcome, judge: &Observer) -> bool {
    let lines = outcome.lines(judge);
    let first = |what: &str| lines.iter().position(|line| line.contains(what));
    let (told, raced) = (first("\"mismatch_found\""), first("\"keepalive_race\""));
    told.zip(raced).is_some_and(|(told, raced)| told < raced)
}

fn conclude(outcomes: &[Outcome]) -> ExitCode {
    let wrong: Vec<&str> =
        outcomes.iter().filter(|outcome| !outcome.faults.is_empty()).map(|outcome| outcome.name).collect();
    println!("\n{} of {} cases were named rightly.", outcomes.len() - wrong.len(), outcomes.len());
    if wrong.is_empty() {
        return ExitCode::SUCCESS;
    }
    println!("Not so: {}", wrong.join(", "));
    ExitCode::FAILURE
}

/// What nginx says in a log line, without when, who and for whom.
fn message(line: &str) -> &str {
    let text = line.split_once(": *").and_then(|(_, rest)| rest.split_once(' ')).map_or(line, |(_, text)| text);
    text.split(", client:").next().unwrap_or(text)
}

/// Status codes in short: `200 (60 times)`.
fn statuses(codes: &[u16]) -> String {
    let runs: Vec<String> = codes
        .chunk_by(|left, right| left == right)
        .map(|run| if run.len() > 1 { format!("{} ({} times)", run[0], run.len()) } else { run[0].to_string() })
        .collect();
    runs.join(", then ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_line_is_reduced_to_what_it_says() {
        let line = "2026/11/22 21:52:20 [error] 27056#27056: *1 recv() failed (104: Connection reset by peer) while \
                    reading response header from upstream, client: ::1, server: ";
        assert!(message(line).starts_with("recv() failed"));
        assert!(message(line).ends_with("from upstream"));
    }

    #[test]
    fn status_codes_are_told_in_runs() {
        assert_eq!(statuses(&[200, 200, 502]), "200 (2 times), then 502");
    }
}
