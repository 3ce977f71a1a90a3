//! Recording a session: from the pipeline's tape to the file.

use std::time::Duration;

use anyhow::Result;

use super::session::now;
use crate::{
    cli::RecordArgs,
    pipeline::Pipeline,
    recording::{
        Header, Redactor,
        file::{RecordingFile, Room},
        tape::Tape,
    },
    sink::clock::WallClock,
};

/// The file of a session that is recorded.
pub(super) struct Recorder {
    file: RecordingFile,
    clock: WallClock,
    count: Option<u64>,
    redact: bool,
}

impl Recorder {
    /// Makes the file, if one is asked for, so that a place that cannot be written to is told of at once. Times are shown
    /// by `clock`, and the session ends after `count` verdicts.
    pub(super) fn open(args: &RecordArgs, clock: WallClock, count: Option<u64>) -> Result<Option<Self>> {
        let Some(path) = &args.record else { return Ok(None) };
        let file = RecordingFile::create(path, args.record_max_size, args.record_overwrite)?;
        Ok(Some(Self { file, clock, count, redact: args.redact }))
    }

    /// Writes the first line, and lets the pipeline write down what decides.
    pub(super) fn begin(
        &mut self,
        pipeline: &mut Pipeline,
        settle: Duration,
        reset_reasons: &[(String, u32)],
    ) -> Result<()> {
        let header = Header::new(now(), self.clock, settle, reset_reasons);
        self.file.begin(&Header { count: self.count, redacted: self.redact, ..header })?;
        pipeline.record_on(Tape::new(self.redact.then(Redactor::default)));
        Ok(())
    }

    /// Writes what is on the tape: all of it, or only if it fills a block. Where that cannot be, the session goes on
    /// without a recording.
    pub(super) fn save(&mut self, pipeline: &mut Pipeline, only_if_full: bool) {
        let Some(tape) = pipeline.tape().filter(|tape| tape.is_full() || !only_if_full) else { return };
        match self.file.add(&tape.take()) {
            Ok(Room::Left) => {}
            Ok(Room::None) => {
                log::warn!(
                    "{} is as long as --record-max-size allows: no more is recorded, and verdicts go on",
                    self.file.path().display()
                );
                pipeline.stop_recording();
            }
            Err(error) => {
                log::error!("no more is recorded, and verdicts go on: {error:#}");
                pipeline.stop_recording();
            }
        }
    }
}
