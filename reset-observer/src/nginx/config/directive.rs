//! Directives as a tree, each with its file and line, and what could not be read.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use serde::{Deserialize, Serialize, Serializer};

use super::words::Word;

/// A file and a line in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The file, as nginx names it; `-g` for the directives of that option.
    #[serde(serialize_with = "as_shown")]
    pub file: Arc<Path>,
    /// The line, from 1.
    pub line: u32,
}

/// A path need not be UTF-8, and is only ever shown.
fn as_shown<S: Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&path.display())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.file.display(), self.line)
    }
}

/// A directive, with the files included in its block in their places.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// Its name and arguments; never empty.
    pub words: Vec<Word>,
    /// Where its first word is.
    pub place: Place,
    /// What is in its block; `None` if it ends in `;`.
    pub block: Option<Vec<Directive>>,
}

impl Directive {
    /// Its first word.
    #[must_use]
    pub fn name(&self) -> &[u8] {
        self.words.first().map_or(&[], Vec::as_slice)
    }

    /// Its words after the first.
    #[must_use]
    pub fn arguments(&self) -> &[Word] {
        self.words.get(1..).unwrap_or_default()
    }

    /// The argument of a directive that has this one alone.
    #[must_use]
    pub fn only_argument(&self) -> Option<&[u8]> {
        if let [argument] = self.arguments() { Some(argument) } else { None }
    }

    /// The directives in its block; none if it has no block.
    #[must_use]
    pub fn children(&self) -> &[Directive] {
        self.block.as_deref().unwrap_or_default()
    }
}

/// What could not be read, or what nginx would refuse. The rest of the configuration is read all the same: nginx runs
/// with an older version of it then, which is mostly the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where it is; `None` if the main file itself can't be opened.
    pub place: Option<Place>,
    /// What is wrong, and where it is not plain, what to do.
    pub says: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Some(place) => write!(f, "{} in {place}", self.says),
            None => write!(f, "{}", self.says),
        }
    }
}

/// A file that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFile {
    /// Its name, as nginx names it.
    pub path: Arc<Path>,
    /// When it was last written.
    pub modified: SystemTime,
}

/// Where nginx finds its configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origin {
    /// The main file, an absolute path. Files included by a relative path lie in its directory.
    pub main: PathBuf,
    /// nginx's prefix, an absolute path, which log files named by a relative path begin with.
    pub prefix: PathBuf,
    /// The directives of the option `-g`.
    pub globals: Vec<u8>,
}

impl Origin {
    /// A main file that nginx would be given by `-c`, with its directory as prefix.
    #[must_use]
    pub fn file(main: impl Into<PathBuf>) -> Self {
        let main = main.into();
        Self { prefix: main.parent().unwrap_or(Path::new("/")).to_owned(), main, globals: Vec::new() }
    }
}
