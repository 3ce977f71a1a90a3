//! `doctor`: what this host lacks, and what to do about it. Each check is a small function that says what it found;
//! what cannot be looked at is unknown, with the reason.

use std::io::{self, Write as _};

use anyhow::anyhow;

use self::surroundings::Surroundings;
use super::{Failure, session::now};
use crate::{
    cli::{DoctorArgs, OutputFormat},
    kernel::{self, btf::Btf, privilege},
    sink::{
        OutputError,
        checks::{self, Check, Kind},
        clock::WallClock,
        json::JsonLines,
        table::Look,
    },
};

mod nginx;
mod programs;
mod rights;
mod surroundings;
mod types;

/// Looks at everything and shows it.
pub(super) fn run(args: &DoctorArgs) -> Result<(), Failure> {
    let checks = examine();
    match show(&checks, args.output) {
        Ok(()) | Err(OutputError::ReaderGone) => conclude(&checks),
        Err(error @ OutputError::Write(_)) => Err(Failure::Running(error.into())),
    }
}

/// Every check, in the order in which one depends on the other.
fn examine() -> Vec<Check> {
    let btf = Btf::load(kernel::btf_path());
    let effective = privilege::effective();
    let mut checks = types::required(&btf);
    checks.push(rights::required(&effective));
    checks.push(programs::built_in());
    let (loaded, features) = programs::load(btf.as_ref().ok(), effective.as_ref().ok().copied());
    let surroundings = Surroundings::read(types::maps_are_locked_memory(&btf));
    if loaded.is_refusal() {
        checks.extend(surroundings.explain_refusal(effective.as_ref().ok().copied()));
    }
    checks.push(loaded.check());
    checks.extend(types::optional(&btf, features));
    checks.extend(rights::optional(&effective));
    checks.push(rights::given_up());
    let nginx = nginx::found();
    if nginx.state != checks::State::Ok {
        checks.extend(surroundings.explain_no_nginx());
    }
    checks.push(nginx);
    checks
}

fn show(checks: &[Check], format: OutputFormat) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    match format {
        OutputFormat::Table => out.write_all(checks::table(checks, Look::of_stdout()).as_bytes())?,
        OutputFormat::Json => {
            let mut lines = JsonLines::new(&mut out, WallClock::read());
            let at = now();
            checks.iter().try_for_each(|check| lines.check(check, at))?;
        }
    }
    Ok(out.flush()?)
}

/// A requirement that is not known to be there counts as missing: only what was seen to work is promised.
fn conclude(checks: &[Check]) -> Result<(), Failure> {
    let required = checks.iter().filter(|check| check.kind == Kind::Required).count();
    let missing: Vec<&str> =
        checks.iter().filter(|check| check.is_in_the_way()).map(|check| check.name.as_str()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::Prerequisite(anyhow!(
        "this host cannot be observed yet, {} of {required} requirements are missing or unknown: {}",
        missing.len(),
        missing.join(", ")
    )))
}

#[cfg(test)]
mod tests;
