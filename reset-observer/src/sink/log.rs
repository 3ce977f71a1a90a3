//! Messages on standard error, one line each: `warn: cannot read ...: grant CAP_SYS_PTRACE`, or the same as a JSON object.
//! The kernel programs' own messages come this way too, through aya-log.

use std::io::{self, Write};

use jiff::Timestamp;
use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};
use serde_json::json;

use super::footer;

/// How a message is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// The level and a sentence, for people.
    Text,
    /// A JSON object with time, level and message.
    Json,
}

struct StandardError(Format);

static TEXT: StandardError = StandardError(Format::Text);
static JSON: StandardError = StandardError(Format::Json);

/// Sends messages of this level and more urgent ones to standard error, in this format.
///
/// # Errors
/// If a logger is installed already.
pub fn install(level: LevelFilter, format: Format) -> Result<(), SetLoggerError> {
    log::set_logger(match format {
        Format::Text => &TEXT,
        Format::Json => &JSON,
    })?;
    log::set_max_level(level);
    Ok(())
}

impl Log for StandardError {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_ours(metadata.target()) || metadata.level() <= Level::Warn
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            // Nowhere is left to say that standard error is closed.
            let line = match self.0 {
                Format::Text => text(record),
                Format::Json => object(record, Timestamp::now()),
            };
            _ = write_line(&mut io::stderr().lock(), footer::make_way(), &line);
        }
    }

    fn flush(&self) {}
}

/// Libraries below explain themselves at length; of them only warnings matter to a user.
fn is_ours(target: &str) -> bool {
    target.starts_with("reset_observer")
}

/// One message is one line and one write: lines of threads do not mix.
fn write_line(out: &mut impl Write, before: &str, line: &str) -> io::Result<()> {
    out.write_all(format!("{before}{line}\n").as_bytes())
}

/// Line breaks inside become spaces.
fn text(record: &Record<'_>) -> String {
    let sentence: String = record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    format!("{}: {sentence}", name(record.level()))
}

fn object(record: &Record<'_>, time: Timestamp) -> String {
    json!({ "time": time.to_string(), "level": name(record.level()), "message": record.args().to_string() }).to_string()
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, sentence: &str) -> String {
        let mut out = Vec::new();
        let line = text(&Record::builder().level(level).args(format_args!("{sentence}")).build());
        write_line(&mut out, "", &line).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_message_is_its_level_and_a_sentence() {
        assert_eq!(line(Level::Warn, "no nginx is running"), "warn: no nginx is running\n");
    }

    #[test]
    fn a_message_cannot_forge_a_second_line_or_move_the_cursor() {
        assert_eq!(line(Level::Info, "a\nerror: b\x1b[2J"), "info: a error: b [2J\n");
    }

    #[test]
    fn a_pipeline_of_logs_gets_an_object_with_its_time_and_all_that_was_said() {
        let line = object(
            &Record::builder().level(Level::Error).args(format_args!("no \"key\":\n\x1b[2J")).build(),
            Timestamp::UNIX_EPOCH,
        );
        let read: serde_json::Value = serde_json::from_str(&line).unwrap();
        let said = json!({ "time": "1970-01-01T00:00:00Z", "level": "error", "message": "no \"key\":\n\u{1b}[2J" });
        assert_eq!((read, line.lines().count()), (said, 1));
    }

    #[test]
    fn libraries_are_heard_from_warnings_on() {
        let says = |target, level| TEXT.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(says("reset_observer::pipeline", Level::Trace));
        assert!(says("reset_observer_ebpf::emit", Level::Debug));
        assert!(says("aya::maps", Level::Warn));
        assert!(!says("aya::maps", Level::Info));
    }
}
