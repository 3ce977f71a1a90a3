//! YAML files of settings, read so that every mistake is told with its place.
//!
//! What settings do not need is refused: anchors, tags, several documents, keys given twice.

use std::{fmt, fs::File, io::Read as _, path::Path};

use anyhow::{Context as _, Result, bail};

mod mapping;
mod read;

pub use mapping::{Mapping, unknown};
pub use read::parse;

/// No file of settings is longer.
const MAX_BYTES: u64 = 1 << 20;

/// One value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it starts.
    pub place: Place,
    /// What it is.
    pub value: Value,
}

/// A place in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Nothing: `key:`, `~` or `null`.
    Empty,
    /// A text, number or truth value, as written.
    Scalar {
        /// The text without its quotation marks.
        text: String,
        /// Whether it was quoted, so that `"true"` is a text.
        quoted: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// Keys with their values, in order.
    Mapping(Vec<Entry>),
}

/// A key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: String,
    /// Where the key stands.
    pub place: Place,
    /// Its value.
    pub value: Node,
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where.
    pub place: Place,
    /// What, and what to do about it.
    pub message: String,
}

impl Mistake {
    /// What is wrong at this place.
    pub fn new(place: Place, message: impl Into<String>) -> Self {
        Self { place, message: message.into() }
    }

    /// The same as an error that names the file.
    #[must_use]
    pub fn of(&self, file: &Path) -> anyhow::Error {
        anyhow::anyhow!("{}:{self}", file.display())
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.place.line, self.place.column, self.message)
    }
}

impl std::error::Error for Mistake {}

/// Reads a file of settings, at most 1 MiB.
///
/// # Errors
/// If it cannot be read, is no regular file, is too long, or is not UTF-8.
pub fn read_file(path: &Path) -> Result<String> {
    let reading = || -> Result<String> {
        let file = File::open(path)?;
        if !file.metadata()?.is_file() {
            bail!("not a regular file: name another");
        }
        let mut text = String::new();
        if file.take(MAX_BYTES + 1).read_to_string(&mut text)? as u64 > MAX_BYTES {
            bail!("longer than 1 MiB, which no file of settings is");
        }
        Ok(text)
    };
    reading().with_context(|| format!("cannot read {}", path.display()))
}

impl Node {
    /// A text, number or truth value, as written.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn text(&self) -> Result<&str, Mistake> {
        match &self.value {
            Value::Scalar { text, .. } => Ok(text),
            Value::Empty => Err(Mistake::new(self.place, "a value is missing: write one, or leave the key out")),
            Value::List(_) => Err(Mistake::new(self.place, "one value is wanted here, not a list")),
            Value::Mapping(_) => Err(Mistake::new(self.place, "one value is wanted here, not further keys")),
        }
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// If it is anything else.
    pub fn truth(&self) -> Result<bool, Mistake> {
        match &self.value {
            Value::Scalar { text, quoted: false } if text == "true" => Ok(true),
            Value::Scalar { text, quoted: false } if text == "false" => Ok(false),
            Value::Scalar { .. } | Value::Empty | Value::List(_) | Value::Mapping(_) => {
                Err(Mistake::new(self.place, "write true or false"))
            }
        }
    }

    /// Several values, or a single one by itself.
    #[must_use]
    pub fn each(&self) -> &[Self] {
        match &self.value {
            Value::List(nodes) => nodes,
            Value::Empty => &[],
            Value::Scalar { .. } | Value::Mapping(_) => std::slice::from_ref(self),
        }
    }
}

#[cfg(test)]
mod tests;
