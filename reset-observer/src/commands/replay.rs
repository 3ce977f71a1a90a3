//! `replay`: the verdicts of a recorded session, on any machine.

use std::path::Path;

use anyhow::{Context as _, Result};

use super::{
    Failure,
    progress::{self, Progress},
    report_file::ReportFile,
    showing::{Showing, outcome},
};
use crate::{
    cli::ReplayArgs,
    recording::{
        Header, Redactor,
        entry::Entry,
        file::{self, DEFAULT_MAX_BYTES, RecordingFile, Room},
        player::{Player, Step},
        reader::Ending,
        tape::Tape,
    },
    sink::report::Report,
};

mod compare;

/// Replays one recording, or copies it, or compares two.
pub(super) fn run(args: &ReplayArgs) -> Result<(), Failure> {
    // Before the whole recording is read.
    let report = ReportFile::open(&args.report).map_err(Failure::Prerequisite)?;
    match (&args.files[..], &args.redacted_copy) {
        ([path], Some(copy)) => redact(path, copy).map_err(Failure::Running),
        ([path], None) => outcome(show(args, path, report.as_ref())),
        ([before, after], _) => outcome(compare::compare(args, before, after)),
        // The command line takes one or two.
        (_, _) => Ok(()),
    }
}

fn show(args: &ReplayArgs, path: &Path, report: Option<&ReportFile>) -> Result<()> {
    let mut reader = file::open(path)?;
    let mut header = reader.header().clone();
    if let Some(settle) = args.settle {
        header.settle_ms = u64::try_from(settle.as_millis())?;
    }
    let mut player = Player::new(&header);
    let mut showing = Showing::new(args.output, header.clock(), args.all, header.count);
    if report.is_some() {
        showing.report_on(Report::new(header.clock()));
    }
    if header.redacted {
        showing.caveat("Addresses, names, paths and hosts were replaced in the recording that this is made of.");
    }
    let (mut last, mut ended) = (header.started_ns, false);
    showing.keep_footer(progress::footer());
    let mut progress = Progress::of(path);
    while let Some(entry) = reader.next_entry().with_context(|| format!("cannot replay all of {}", path.display()))? {
        if let Entry::Due(at) = entry {
            last = at;
        }
        let step = player.play(entry).with_context(|| format!("cannot replay all of {}", path.display()))?;
        ended |= present(step, &mut showing, &mut player)?;
        progress.at(reader.bytes()).into_iter().for_each(|told| showing.draw_progress(told));
    }
    tell_ending(reader.ending(), path);
    if !ended {
        showing.caveat("The recording ends before its session did: what was not decided by then is left out.");
        showing.end(player.pipeline(), None, last)?;
    }
    showing.write_report(report)
}

/// Shows a step, and says whether it was the last.
fn present(step: Step, showing: &mut Showing, player: &mut Player) -> Result<bool> {
    match step {
        Step::Nothing => {}
        Step::Ready(ready) => showing.ready(&ready)?,
        Step::Verdicts(verdicts) => {
            showing.verdicts(&verdicts)?;
            showing.episodes(&player.pipeline().take_episodes())?;
        }
        Step::News(news) => showing.news(&news)?,
        Step::Counts(at, kernel) => {
            let decode = player.pipeline().counts();
            showing.losses(&kernel, &decode, at)?;
        }
        Step::Mark(at, kernel, by) => showing.mark(player.pipeline(), &kernel, at, by)?,
        Step::End(at, kernel) => {
            showing.end(player.pipeline(), Some(&kernel), at)?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn tell_ending(ending: Ending, path: &Path) {
    let path = path.display();
    match ending {
        Ending::Whole => {}
        Ending::Full => log::warn!(
            "{path} ends before its session did, because it had become as long as --record-max-size allowed: what was not \
             decided by then is left out"
        ),
        Ending::CutShort => log::warn!(
            "{path} ends before its session did: the program was killed, or the copy is not complete; what was not decided \
             by then is left out"
        ),
    }
}

/// Writes a copy with names and addresses replaced.
fn redact(from: &Path, to: &Path) -> Result<()> {
    let mut reader = file::open(from)?;
    // A substitute may be longer than what it stands for, but not by so much.
    let longest = std::fs::metadata(from)?.len().saturating_mul(2).max(DEFAULT_MAX_BYTES);
    let mut copy = RecordingFile::create(to, longest, false)?;
    copy.begin(&Header { redacted: true, ..reader.header().clone() })?;
    let mut tape = Tape::new(Some(Redactor::default()));
    while let Some(entry) = reader.next_entry().with_context(|| format!("cannot copy all of {}", from.display()))? {
        tape.put(entry);
        if tape.is_full() && copy.add(&tape.take())? == Room::None {
            break;
        }
    }
    copy.add(&tape.take())?;
    tell_ending(reader.ending(), from);
    Ok(())
}
