//! Where verdicts go: a terminal, JSON lines, metrics, a summary at the end.

use std::{collections::BTreeMap, error, fmt, io};

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    comparison::Comparison,
    episode::Episode,
    record::KernelTime,
    sink::{summary::Summary, upstream::UpstreamNews},
    verdict::Verdict,
};

pub mod checks;
pub mod clock;
mod episode;
#[cfg(test)]
pub(crate) mod example;
pub mod footer;
pub mod history;
pub mod html;
pub mod json;
pub mod log;
pub mod losses;
pub mod metrics;
#[cfg(feature = "otlp")]
pub mod otlp;
pub mod overview;
pub mod page;
pub mod report;
pub mod servers;
pub mod summary;
pub mod table;
pub mod totals;
pub mod upstream;
pub(crate) mod words;

/// Something that shows what the observer finds, as it finds it.
pub trait Output {
    /// The programs are attached: from here on, nothing is missed.
    ///
    /// # Errors
    /// See [`OutputError`]; the same holds for the other methods.
    fn ready(&mut self, ready: &Ready) -> Result<(), OutputError>;
    /// A verdict fell.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn verdict(&mut self, verdict: &Verdict) -> Result<(), OutputError>;
    /// A crash or restart of a server is over, or the session is.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn episode(&mut self, episode: &Episode) -> Result<(), OutputError>;
    /// Something is new about both sides of the idle connections to a server.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn upstream(&mut self, news: &UpstreamNews) -> Result<(), OutputError>;
    /// Records were lost.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn lost(&mut self, lost: &Lost) -> Result<(), OutputError>;
    /// Something was changed: the point is marked.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn mark(&mut self, mark: &Mark) -> Result<(), OutputError>;
    /// What was said before a change beside what was said after it.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn comparison(&mut self, comparison: &Comparison, at: KernelTime) -> Result<(), OutputError>;
    /// The observer ends.
    ///
    /// # Errors
    /// See [`OutputError`].
    fn summary(&mut self, summary: &Summary) -> Result<(), OutputError>;
}

/// The observer is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Since when.
    #[serde(skip)]
    pub at: KernelTime,
    /// Version of the program.
    pub version: String,
    /// The kernel programs that are attached.
    pub programs: Vec<String>,
    /// Optional features of the kernel, and whether this one has them.
    pub features: BTreeMap<String, bool>,
    /// The ports watched; empty means all.
    pub ports: Vec<u16>,
    /// nginx on this host.
    pub nginx: NginxFound,
    /// Name of this node of a cluster, else of this host.
    pub node: String,
}

/// How much of nginx runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NginxFound {
    /// Number of masters.
    pub masters: usize,
    /// Number of workers of all masters.
    pub workers: usize,
    /// Number of addresses listened on.
    pub listening: usize,
}

/// Records were lost: what is shown is not all there was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Lost {
    /// When it was noticed.
    #[serde(skip)]
    pub at: KernelTime,
    /// Where on the way.
    pub stage: losses::Stage,
    /// How many since the last such message.
    pub records: u64,
    /// How many since the start.
    pub total: u64,
}

/// What marked the point of a change.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkedBy {
    /// Whoever watches, by SIGUSR1.
    #[default]
    Signal,
    /// A reload of nginx that the observer saw.
    Reload,
}

/// The point of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// When.
    #[serde(skip)]
    pub at: KernelTime,
    /// Which one of this session, from 1.
    pub number: u32,
    /// What marked it.
    pub by: MarkedBy,
}

/// Why something could not be shown.
#[derive(Debug)]
pub enum OutputError {
    /// The reader went away (`| head`): the right answer is to end quietly.
    ReaderGone,
    /// Writing failed.
    Write(io::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::ReaderGone } else { Self::Write(error) }
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReaderGone => f.write_str("nobody reads the output any more"),
            Self::Write(error) => write!(f, "cannot write the output, check the disk or the pipe it goes to: {error}"),
        }
    }
}

impl error::Error for OutputError {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        match self {
            Self::ReaderGone => None,
            Self::Write(error) => Some(error),
        }
    }
}

impl Serialize for losses::Stage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
