//! What an `error_log` directive names, and what of that can be followed.

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use rustix::io::Errno;

/// A log that cannot be read, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// What nginx's configuration names.
    pub target: String,
    /// Why it cannot be read, and what to do.
    pub why: String,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the error log {} is not read: {}", self.target, self.why)
    }
}

impl Unavailable {
    fn new(target: &Path, why: impl Into<String>) -> Self {
        Self { target: target.display().to_string(), why: why.into() }
    }

    /// It is something else than a file.
    pub(super) fn by_kind(path: &Path, why: &str) -> Self {
        Self::new(path, format!("{why}; {ADVICE}"))
    }

    /// It cannot be opened.
    pub(super) fn by_error(path: &Path, error: &io::Error) -> Self {
        let why = match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT) => "it does not exist; it is followed from when it appears".into(),
            Some(Errno::ACCESS | Errno::PERM) => {
                "it may not be read: run as root, or grant CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE".into()
            }
            Some(Errno::LOOP | Errno::XDEV | Errno::NXIO) => {
                format!("it leads out of its file system, as a link to standard error does; {ADVICE}")
            }
            _ => format!("it cannot be opened: {error}"),
        };
        Self::new(path, why)
    }
}

const ADVICE: &str = "to have requests named, add a second `error_log` directive with a file";

/// What an `error_log` directive names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// A file, relative to nginx's prefix if not absolute.
    File(PathBuf),
    /// Something that cannot be followed.
    Unavailable(Unavailable),
    /// Nothing: `/dev/null`.
    Nowhere,
}

impl Target {
    /// Reads the first parameter of the directive ([source]).
    ///
    /// [source]: https://nginx.org/en/docs/ngx_core_module.html#error_log
    #[must_use]
    pub fn of(parameter: &str) -> Self {
        let why = match parameter {
            "/dev/null" => return Self::Nowhere,
            "stderr" | "/dev/stderr" | "/proc/self/fd/2" => "nginx writes it to its standard error",
            "/dev/stdout" | "/proc/self/fd/1" => "nginx writes it to its standard output",
            syslog if syslog.starts_with("syslog:") => "nginx sends it to syslog",
            memory if memory.starts_with("memory:") => "nginx keeps it in its own memory",
            path => return Self::File(path.into()),
        };
        Self::Unavailable(Unavailable::by_kind(Path::new(parameter), why))
    }
}
