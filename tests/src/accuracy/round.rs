//! One round: trials side by side, each on a stage of its own, under one observer.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::draw::Draw;
use super::ledger::{Entry, Ledger};
use super::neighbour::Neighbour;
use super::reading::readings;
use crate::cell::Load;
use crate::interrupt;
use crate::observer::Observer;
use crate::stage::FRONT_PORT;
use crate::trial::{self, Outcome};

/// How often a deed that did not happen as meant is tried.
const TRIES: usize = 3;

/// Trials under one observer: the lab has addresses for a hundred stages before it uses one again.
const TRIALS: usize = 60;

/// How to hold a round.
#[derive(Debug, Clone, Copy)]
pub(super) struct Round<'a> {
    /// How many trials at a time.
    pub(super) jobs: usize,
    /// No trial begins after it.
    pub(super) deadline: Option<Instant>,
    /// Where the observer keeps recordings.
    pub(super) recordings: Option<&'a Path>,
}

/// What came of one trial, until it is judged for good.
struct Held {
    draw: Draw,
    took: Duration,
    outcome: Result<Outcome>,
}

impl Round<'_> {
    /// Holds the trials, the idle ones first.
    pub(super) fn hold(&self, drawn: Vec<Draw>, ledger: &mut Ledger) -> Result<()> {
        let (idle, busy): (Vec<_>, Vec<_>) = drawn.into_iter().partition(|draw| draw.cell.load == Load::Idle);
        for (trials, is_busy) in [(idle, false), (busy, true)] {
            for batch in trials.chunks(TRIALS) {
                self.hold_batch(batch, is_busy, ledger)?;
            }
        }
        Ok(())
    }

    fn hold_batch(&self, batch: &[Draw], is_busy: bool, ledger: &mut Ledger) -> Result<()> {
        let number = ledger.entries().len();
        let mut observer = self.observer(number)?;
        let neighbour = is_busy.then(Neighbour::move_in).transpose()?;
        let held = self.hold_side_by_side(batch, &observer);
        drop(neighbour);
        let (status, summary) = observer.finish()?;
        interrupt::check()?;
        if !status.success() || summary.is_none() {
            bail!("the observer ended by {status}: {:#?}", observer.complaints());
        }
        held.into_iter().try_for_each(|held| ledger.add(held.conclude(&observer)))
    }

    fn observer(&self, number: usize) -> Result<Observer> {
        let front = FRONT_PORT.to_string();
        let mut args = vec!["--port".to_owned(), front];
        if let Some(dir) = self.recordings {
            std::fs::create_dir_all(dir)?;
            args.extend(["--record".to_owned(), dir.join(format!("{number}.rec")).display().to_string()]);
        }
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        Observer::observe_with(&args).context("cannot start the observer under test")
    }

    fn hold_side_by_side(&self, batch: &[Draw], observer: &Observer) -> Vec<Held> {
        let waiting = Mutex::new(batch.iter().copied().collect::<VecDeque<_>>());
        let held = Mutex::new(Vec::new());
        let next = || {
            let over = self.deadline.is_some_and(|deadline| Instant::now() > deadline) || interrupt::requested();
            if over { None } else { waiting.lock().unwrap_or_else(PoisonError::into_inner).pop_front() }
        };
        thread::scope(|scope| {
            for _ in 0..self.jobs {
                scope.spawn(|| {
                    while let Some(draw) = next() {
                        let one = hold_one(draw, observer);
                        held.lock().unwrap_or_else(PoisonError::into_inner).push(one);
                    }
                });
            }
        });
        held.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}

fn hold_one(draw: Draw, observer: &Observer) -> Held {
    let start = Instant::now();
    let mut outcome = trial::hold_in(&draw.scenario, draw.cell, observer);
    for _ in 1..TRIES {
        if outcome.is_ok() || interrupt::requested() {
            break;
        }
        outcome = trial::hold_in(&draw.scenario, draw.cell, observer);
    }
    let word = outcome.as_ref().map_or("spoiled", Outcome::word);
    eprintln!("{word:<8} {:<24} {} ({} ms)", draw.scenario.name, draw.cell, start.elapsed().as_millis());
    Held { draw, took: start.elapsed(), outcome }
}

impl Held {
    /// Judges once more what was said until the observer had ended.
    fn conclude(self, observer: &Observer) -> Entry {
        let mut entry = Entry {
            scenario: self.draw.scenario.name.to_owned(),
            cell: self.draw.cell.to_string(),
            round: self.draw.round,
            ms: self.took.as_millis(),
            readings: Vec::new(),
            faults: Vec::new(),
            story: Vec::new(),
            spoiled: None,
        };
        match self.outcome {
            Ok(mut outcome) => {
                outcome.judge_aftermath(observer);
                entry.readings = readings(&outcome.truth, &outcome.verdicts);
                if !outcome.faults.is_empty() {
                    entry.story.push(serde_json::to_string(&outcome.truth).unwrap_or_default());
                    entry.story.extend(outcome.lines(observer));
                }
                entry.faults = outcome.faults;
            }
            Err(error) => entry.spoiled = Some(format!("{error:#}")),
        }
        entry
    }
}
