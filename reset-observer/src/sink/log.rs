//! Messages on standard error, one line each: `warn: cannot read ...: grant CAP_SYS_PTRACE`. The kernel programs'
//! own messages come this way too, through aya-log.

use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record, SetLoggerError};

use super::footer;

struct StandardError;

/// Sends messages of this level and more urgent ones to standard error.
///
/// # Errors
/// If a logger is installed already.
pub fn install(level: LevelFilter) -> Result<(), SetLoggerError> {
    log::set_logger(&StandardError)?;
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
            _ = write_line(&mut io::stderr().lock(), footer::make_way(), record);
        }
    }

    fn flush(&self) {}
}

/// Libraries below explain themselves at length; of them only warnings matter to a user.
fn is_ours(target: &str) -> bool {
    target.starts_with("reset_observer")
}

/// One message is one line and one write: line breaks inside become spaces, and lines of threads do not mix.
fn write_line(out: &mut impl Write, before: &str, record: &Record<'_>) -> io::Result<()> {
    let level = match record.level() {
        Level::Error => "error",
        Level::Warn => "warn",
        Level::Info => "info",
        Level::Debug => "debug",
        Level::Trace => "trace",
    };
    let sentence: String = record.args().to_string().chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    out.write_all(format!("{before}{level}: {sentence}\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, sentence: &str) -> String {
        let mut out = Vec::new();
        write_line(&mut out, "", &Record::builder().level(level).args(format_args!("{sentence}")).build()).unwrap();
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
    fn libraries_are_heard_from_warnings_on() {
        let says = |target, level| StandardError.enabled(&Metadata::builder().target(target).level(level).build());
        assert!(says("reset_observer::pipeline", Level::Trace));
        assert!(says("reset_observer_ebpf::emit", Level::Debug));
        assert!(says("aya::maps", Level::Warn));
        assert!(!says("aya::maps", Level::Info));
    }
}
