//! What each metric is: name, type, labels, help, and what `docs/metrics.md` says besides.
//!
//! The names are a contract with alerts and dashboards: metrics are added, never renamed.

mod document;
mod list;

pub use document::document;
pub(super) use list::*;

/// What kind of metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts values by size.
    Histogram,
}

impl Kind {
    /// The name in the exposition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// What one metric is.
#[derive(Clone, Copy, Debug)]
pub struct Description {
    /// The name as it is scraped.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Its labels, in the order of the exposition.
    pub labels: &'static [&'static str],
    /// One sentence without its full stop.
    pub help: &'static str,
    /// What a reader of the documentation should know besides, in Markdown; may be empty.
    pub notes: &'static str,
}

impl Description {
    const fn new(name: &'static str, kind: Kind, labels: &'static [&'static str], help: &'static str) -> Self {
        Self { name, kind, labels, help, notes: "" }
    }

    const fn noting(self, notes: &'static str) -> Self {
        Self { notes, ..self }
    }

    /// The name that the library is given: it adds `_total` itself.
    #[must_use]
    pub fn family(&self) -> &'static str {
        match self.kind {
            Kind::Counter => self.name.strip_suffix("_total").unwrap_or(self.name),
            Kind::Gauge | Kind::Histogram => self.name,
        }
    }
}
