//! Where nginx writes its errors.

use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
};

use super::directive::{Directive, Place};

/// Where an error log goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LogTarget {
    /// A file, by its absolute path as nginx sees it.
    File(PathBuf),
    /// Standard error.
    Stderr,
    /// A syslog server, with its parameters.
    Syslog(String),
    /// A buffer in nginx's memory.
    Memory,
}

/// An `error_log` directive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorLog {
    /// Where it goes.
    pub target: LogTarget,
    /// The least level that it takes: `error` unless set.
    pub level: String,
    /// Where the directive is.
    pub place: Place,
    /// The block it is in: `main`, `http`, `server`, `location`, `stream`, `mail`.
    pub block: String,
}

impl ErrorLog {
    pub(super) fn read(directive: &Directive, block: &str, prefix: &Path) -> Option<Self> {
        let [target, levels @ ..] = directive.arguments() else { return None };
        let level = levels.first().map_or_else(|| "error".into(), |level| String::from_utf8_lossy(level).into_owned());
        let (target, place) = (LogTarget::read(target, prefix), directive.place.clone());
        Some(Self { target, level, place, block: block.to_owned() })
    }

    /// Whether it takes messages of level `error`, by which a failed request is known.
    #[must_use]
    pub fn takes_errors(&self) -> bool {
        !matches!(self.level.as_str(), "crit" | "alert" | "emerg")
    }
}

impl LogTarget {
    /// Reads the target as `error_log`, or the option `-e`, or `--error-log-path` of `configure` names it; a relative
    /// path lies below nginx's prefix.
    #[must_use]
    pub fn read(text: &[u8], prefix: &Path) -> Self {
        match text {
            b"" | b"stderr" => Self::Stderr,
            [b's', b'y', b's', b'l', b'o', b'g', b':', server @ ..] => {
                Self::Syslog(String::from_utf8_lossy(server).into_owned())
            }
            [b'm', b'e', b'm', b'o', b'r', b'y', b':', ..] => Self::Memory,
            path => Self::File(prefix.join(OsStr::from_bytes(path))),
        }
    }
}
