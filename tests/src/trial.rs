//! A trial: one scenario under the observer's eyes, and whether its verdicts are the truth.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cell::Cell;
use crate::interrupt;
use crate::judge;
use crate::lock::MachineLock;
use crate::observer::{Observer, Verdict};
use crate::programs;
use crate::recording::Recording;
use crate::scenario::{self, Scenario};
use crate::stage::Stage;
use crate::topology::Family;
use crate::truth::Truth;

/// How long a verdict may take after the deed: the settle window and room for a busy machine.
const PATIENCE: Duration = Duration::from_secs(4);

/// How long to listen for verdicts that should not come: the settle window twice.
const AFTERMATH: Duration = Duration::from_millis(600);

/// How often a deed is tried that does not come about: on a machine that is busy with something else, the lab may be late.
const TRIES: usize = 4;

/// How many trials a test holds at a time: mostly they wait.
const SIDE_BY_SIDE: usize = 4;

/// For the observer: watch clients' connections too.
const CLIENTS_TOO: [&str; 2] = ["--port", "8080"];

/// What came of one trial.
#[derive(Debug)]
pub struct Outcome {
    /// The scenario's name.
    pub name: &'static str,
    /// What the scenario did.
    pub truth: Truth,
    /// What the observer said about its server.
    pub verdicts: Vec<Verdict>,
    /// What of it is wrong; empty if nothing.
    pub faults: Vec<String>,
    /// From the end of the deed to the last verdict that had to be given, if all were.
    pub verdict_after: Option<Duration>,
    /// Everything that helps to see why, for a miss.
    seen: String,
    /// Where the observer's lines about it begin.
    since: usize,
}

impl Outcome {
    /// Whether the truth was said, in a word.
    pub fn word(&self) -> &'static str {
        if self.faults.is_empty() { "right" } else { "MISS" }
    }

    /// What was said if it is right; else what was expected beside what was seen.
    pub fn told(&self) -> String {
        if self.faults.is_empty() { self.said() } else { format!("{}\n{}", self.faults.join("\n"), self.seen) }
    }

    /// All lines that a running or ended observer wrote about the scenario's server.
    pub fn lines(&self, observer: &Observer) -> Vec<String> {
        lines_about(&self.truth, observer, self.since)
    }

    /// Judges once more when the stage is gone and the observer has ended: the end of nginx and of the backend must not
    /// have been taken for a failure. Gives itself if it was.
    pub(crate) fn judge_aftermath(&mut self, observer: &Observer) -> Option<&Self> {
        let verdicts = observer.verdicts(self.since).into_iter();
        self.verdicts = verdicts.filter(|verdict| judge::concerns(&self.truth, verdict)).collect();
        self.faults = judge::faults(&self.truth, &self.verdicts);
        let lines = self.lines(observer);
        self.seen += &format!("all that was ever seen of that server:\n  {}\n", lines.join("\n  "));
        (!self.faults.is_empty()).then_some(self)
    }

    fn said(&self) -> String {
        let name = |verdict: &Verdict| format!("{} ({})", verdict.cause, verdict.confidence);
        let mut said: Vec<String> = self.verdicts.iter().map(name).collect();
        said.dedup();
        let after = self.verdict_after.map(|after| format!(", {} ms after the deed", after.as_millis()));
        said.join(", ") + &after.unwrap_or_default()
    }
}

/// Acts a scenario under a running observer and judges what it says.
pub fn hold(scenario: &Scenario, family: Family, observer: &Observer) -> Result<Outcome> {
    hold_in(scenario, scenario.cells.simplest(family), observer)
}

/// The same under the circumstances of a cell.
pub fn hold_in(scenario: &Scenario, cell: Cell, observer: &Observer) -> Result<Outcome> {
    let since = observer.bookmark();
    let plan = (scenario.plan)(cell.family);
    let mut stage = Stage::set_up_in(&plan, cell).context("the lab itself: cannot set the stage up")?;
    let truth = (scenario.act)(&mut stage)?;
    let verdict_after = wait_until_complete(observer, since, &truth)?;
    // What must not come cannot be awaited: only time shows that it did not.
    thread::sleep(AFTERMATH);
    interrupt::check()?;
    let verdicts = observer.verdicts(since);
    let faults = judge::faults(&truth, &verdicts);
    let seen = describe(&truth, &stage, observer, since)?;
    let verdicts = verdicts.into_iter().filter(|verdict| judge::concerns(&truth, verdict)).collect();
    Ok(Outcome { name: scenario.name, truth, verdicts, faults, verdict_after, seen, since })
}

/// The same until the deed came about, or often enough that something else than a busy machine is in its way. What is said
/// of a deed is judged once; only what never happened is tried again.
fn hold_until_done(scenario: &Scenario, family: Family, observer: &Observer) -> Result<Outcome> {
    for attempt in 1..TRIES {
        match hold(scenario, family, observer) {
            Err(error) => println!("{}: attempt {attempt} of {TRIES}: {error:#}", scenario.name),
            outcome => return outcome,
        }
        interrupt::check()?;
    }
    hold(scenario, family, observer)
}

/// For a test: acts the scenario under an observer of its own, and panics with the whole story if it is misnamed.
///
/// Without root there is no lab, and the test says so.
#[expect(clippy::panic, reason = "this is a test's assertion")]
pub fn assert_named(name: &str, family: Family) {
    if let Err(reason) = programs::require_root() {
        println!("left out: {name}: {reason}");
        return;
    }
    match try_alone(name, family) {
        Ok(outcome) => {
            let faults = &outcome.faults;
            println!("{}: {} {}", outcome.word(), name, outcome.told());
            assert!(faults.is_empty(), "{name} on {family:?}: {faults:#?}");
        }
        Err(error) => panic!("{name} on {family:?}: {error:#}"),
    }
}

/// For a test: acts scenarios side by side under one observer, and panics with the whole story of those misnamed. What
/// the observer recorded replays to what it said.
#[expect(clippy::panic, reason = "this is a test's assertion")]
pub fn assert_all_named(names: &[&str], family: Family) {
    if let Err(reason) = programs::require_root() {
        println!("left out: {names:?}: {reason}");
        return;
    }
    match try_together(names, family) {
        Ok(wrong) => assert!(wrong.is_empty(), "on {family:?}:\n{}", wrong.join("\n")),
        Err(error) => panic!("{names:?} on {family:?}: {error:#}"),
    }
}

/// The stories of the scenarios that were misnamed, or did not happen as meant.
fn try_together(names: &[&str], family: Family) -> Result<Vec<String>> {
    let _machine = MachineLock::take()?;
    let scenarios = names.iter().map(|name| scenario::named(name)).collect::<Result<Vec<_>>>()?;
    let more = names.len() - 1;
    let recording = Recording::of(&format!("{}-and-{more}-more-{}", names[0], word(family)))?;
    let mut observer = Observer::observe_with(&[&recording.arguments()?, &CLIENTS_TOO[..]].concat())?;
    let mut wrong = Vec::new();
    let mut outcomes = Vec::new();
    for group in scenarios.chunks(SIDE_BY_SIDE) {
        let held = thread::scope(|scope| {
            let observer = &observer;
            let one = |scenario: &Scenario| {
                let scenario = *scenario;
                (scope.spawn(move || hold_until_done(&scenario, family, observer)), scenario.name)
            };
            let running: Vec<_> = group.iter().map(one).collect();
            running.into_iter().map(|(trial, name)| (trial.join(), name)).collect::<Vec<_>>()
        });
        for (outcome, name) in held {
            match outcome {
                Ok(Ok(outcome)) => outcomes.push(outcome),
                Ok(Err(error)) => wrong.push(format!("{name}: {error:#}")),
                Err(_) => wrong.push(format!("{name}: its thread panicked")),
            }
        }
    }
    observer.finish()?;
    for outcome in &mut outcomes {
        outcome.judge_aftermath(&observer);
        println!("{}: {} {}", outcome.word(), outcome.name, outcome.told());
    }
    wrong.extend(
        outcomes.iter().filter(|one| !one.faults.is_empty()).map(|one| format!("{}: {}", one.name, one.told())),
    );
    recording.check(&observer.lines(0))?;
    if wrong.is_empty() {
        recording.keep(&observer.lines(0))?;
    }
    Ok(wrong)
}

/// What the recording of a scenario that acted alone is called.
pub fn recording_of(name: &str, family: Family) -> String {
    format!("{name}-{}", word(family))
}

const fn word(family: Family) -> &'static str {
    match family {
        Family::V4 => "ipv4",
        Family::V6 => "ipv6",
    }
}

/// Acts a scenario under an observer of its own, and judges it once more when both are gone. What the observer recorded
/// replays to what it said.
pub(crate) fn try_alone(name: &str, family: Family) -> Result<Outcome> {
    let _machine = MachineLock::take()?;
    let scenario = scenario::named(name)?;
    let recording = Recording::of(&recording_of(name, family))?;
    let mut observer = Observer::observe_with(&recording.arguments()?)?;
    let mut outcome = hold_until_done(&scenario, family, &observer)?;
    let (status, summary) = observer.finish()?;
    outcome.judge_aftermath(&observer);
    if !status.success() || summary.is_none() {
        bail!("the observer ended by {status} with summary {summary:?}: {:#?}", observer.complaints());
    }
    let lines = observer.lines(0);
    recording.check(&lines)?;
    if outcome.faults.is_empty() {
        recording.keep(&lines)?;
    }
    Ok(outcome)
}

/// Runs trials one after another under one observer and prints a line for each.
pub fn run(names: &[String], family: Family) -> Result<ExitCode> {
    programs::require_root()?;
    interrupt::install()?;
    let _machine = MachineLock::take()?;
    let mut observer = Observer::observe()?;
    let mut outcomes = Vec::new();
    let mut errors = 0;
    for scenario in scenario::chosen(names)? {
        let outcome = hold(&scenario, family, &observer);
        interrupt::check()?;
        match outcome {
            Ok(outcome) => {
                println!("{:<6} {:<24} {}", outcome.word(), scenario.name, outcome.told());
                outcomes.push(outcome);
            }
            Err(error) => {
                errors += 1;
                println!("ERROR  {:<24} {error:#}", scenario.name);
            }
        }
    }
    observer.finish()?;
    for outcome in judge_aftermath(&mut outcomes, &observer) {
        println!("MISS   {:<24} when the stage was taken down: {}", outcome.name, outcome.told());
    }
    let all_right = errors == 0 && outcomes.iter().all(|outcome| outcome.faults.is_empty());
    Ok(if all_right { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Judges once more when all stages are long gone and the observer has ended; gives the outcomes that were right until
/// then.
pub fn judge_aftermath<'a>(outcomes: &'a mut [Outcome], observer: &Observer) -> Vec<&'a Outcome> {
    let right = outcomes.iter_mut().filter(|outcome| outcome.faults.is_empty());
    right.filter_map(|outcome| outcome.judge_aftermath(observer)).collect()
}

fn wait_until_complete(observer: &Observer, since: usize, truth: &Truth) -> Result<Option<Duration>> {
    let start = Instant::now();
    loop {
        let seen = observer.bookmark();
        if judge::is_complete(truth, &observer.verdicts(since)) {
            return Ok(Some(start.elapsed()));
        }
        let left = PATIENCE.saturating_sub(start.elapsed());
        if observer.wait_for_verdict(seen, left, |_| true).is_err() {
            interrupt::check()?;
            return Ok(None);
        }
    }
}

fn lines_about(truth: &Truth, observer: &Observer, since: usize) -> Vec<String> {
    let address = truth.server.ip().to_string();
    let about = |line: &String| line.contains(&address) && !line.starts_with(r#"{"type":"summary""#);
    observer.lines(since).into_iter().filter(about).collect()
}

fn describe(truth: &Truth, stage: &Stage, observer: &Observer, since: usize) -> Result<String> {
    let mut story = String::new();
    writeln!(story, "expected: {}", serde_json::to_string(truth)?)?;
    let seen = lines_about(truth, observer, since);
    writeln!(story, "seen by the observer since the stage was set:\n  {}", seen.join("\n  "))?;
    writeln!(story, "on its standard error:\n  {}", observer.complaints().join("\n  "))?;
    if let Ok(backend) = stage.backend() {
        writeln!(story, "told by the backend:\n  {}", backend.lines().join("\n  "))?;
    }
    Ok(story)
}
