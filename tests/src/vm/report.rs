//! What goes out of the machine: one JSON object per line on standard output, told apart by `type`.

use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

/// What a check found that holds.
#[derive(Debug)]
pub enum Finding {
    /// The observer recorded it as it happened.
    Recorded,
    /// This kernel does not tell of it: shown without the observer's help, and the observer makes nothing up.
    NotTold,
}

/// Says which kernel this is.
pub fn kernel(release: &str) -> Result<()> {
    say(&json!({ "type": "kernel", "release": release }))
}

/// Says what the observer found on it.
pub fn ready(ready: &Value) -> Result<()> {
    say(&json!({ "type": "ready", "programs": ready["programs"], "features": ready["features"] }))
}

/// Says what came of one check.
pub fn check(name: &str, claim: &str, outcome: &Result<Finding>, took: Duration) -> Result<()> {
    let (outcome, why) = match outcome {
        Ok(Finding::Recorded) => ("recorded", None),
        Ok(Finding::NotTold) => ("not_told", None),
        Err(error) => ("wrong", Some(format!("{error:#}"))),
    };
    say(&json!({
        "type": "check", "name": name, "claim": claim, "outcome": outcome, "why": why, "seconds": took.as_secs_f64(),
    }))
}

/// Hands out the recording of a trial, and what the observer said live.
pub fn recording(name: &str, recording: &[u8], live: &str) -> Result<()> {
    let bytes = BASE64_STANDARD.encode(recording);
    say(&json!({ "type": "recording", "name": name, "bytes": bytes, "live": live }))
}

/// Says that everything was done: without this line, the machine died.
pub fn end() -> Result<()> {
    say(&json!({ "type": "end" }))
}

fn say(line: &Value) -> Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{line}").and_then(|()| stdout.flush()).context("cannot report")
}
