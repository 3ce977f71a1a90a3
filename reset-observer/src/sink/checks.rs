//! What `doctor` found, for people and for programs.

use std::fmt;

use serde::Serialize;

use super::table::Look;

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Public name, unique within one run.
    pub name: String,
    /// Whether nothing works without it.
    pub kind: Kind,
    /// Whether it is there.
    pub state: State,
    /// What was found, in a sentence.
    pub found: String,
    /// What to do about it; `None` if there is nothing to do.
    pub remedy: Option<String>,
}

/// Whether nothing works without it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Without it the observer does not start.
    Required,
    /// Without it the observer knows less.
    Optional,
}

/// Whether something is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// It is.
    Ok,
    /// It is not.
    Missing,
    /// It could not be looked at.
    Unknown,
}

impl Check {
    /// Nothing works without what `name` stands for.
    #[must_use]
    pub fn required(name: impl Into<String>, verdict: Finding) -> Self {
        Self::new(name.into(), Kind::Required, verdict)
    }

    /// Less is known without what `name` stands for.
    #[must_use]
    pub fn optional(name: impl Into<String>, verdict: Finding) -> Self {
        Self::new(name.into(), Kind::Optional, verdict)
    }

    fn new(name: String, kind: Kind, finding: Finding) -> Self {
        let Finding { state, found, remedy } = finding;
        Self { name, kind, state, found, remedy }
    }

    /// Whether this keeps the observer from starting.
    #[must_use]
    pub fn is_in_the_way(&self) -> bool {
        self.kind == Kind::Required && self.state != State::Ok
    }
}

/// What a look at something gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    state: State,
    found: String,
    remedy: Option<String>,
}

impl Finding {
    /// It is there.
    #[must_use]
    pub fn ok(found: impl Into<String>) -> Self {
        Self { state: State::Ok, found: found.into(), remedy: None }
    }

    /// It is not there, and this brings it.
    #[must_use]
    pub fn missing(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Missing, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// It could not be looked at, and this makes it possible.
    #[must_use]
    pub fn unknown(found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { state: State::Unknown, found: found.into(), remedy: Some(remedy.into()) }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Missing => "missing",
            Self::Unknown => "unknown",
        })
    }
}

/// All checks as lines for people: requirements first, each with its remedy below.
#[must_use]
pub fn table(checks: &[Check], look: Look) -> String {
    let width = checks.iter().map(|check| check.name.chars().count()).max().unwrap_or_default();
    let mut out = String::new();
    for (kind, title) in [(Kind::Required, "Required"), (Kind::Optional, "Optional")] {
        out.push_str(&format!("{}\n", look.dim(title)));
        for check in checks.iter().filter(|check| check.kind == kind) {
            out.push_str(&row(check, width, look));
        }
    }
    out
}

fn row(check: &Check, width: usize, look: Look) -> String {
    let state = look.state(check, &format!("{:<7}", check.state));
    let before = format!("  {state}  {:<width$}  ", check.name);
    let indent = 2 + 7 + 2 + width + 2;
    let mut row = look.hang(&before, &check.found, indent);
    if let Some(remedy) = &check.remedy {
        row.push_str(&look.hang(&format!("{:indent$}{}", "", look.dim("do: ")), remedy, indent + "do: ".len()));
    }
    row
}

#[cfg(test)]
mod tests;
