//! Reading a configuration whole: the main file and all that it includes.
//!
//! Everything is bounded, because a daemon reads what a container's owner wrote: sizes, files, depths and directives.
//! Beyond a bound the rest is left out, with a note.

use std::{
    collections::HashMap,
    ffi::{OsStr, OsString},
    io,
    os::unix::ffi::OsStrExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use super::{
    block::{self, Body},
    directive::{Directive, Origin, Place, Problem, ReadFile},
    include,
    source::Source,
    words::{Fault, Kind, Statement, Token, Tokens},
};

/// The most bytes of all files together, each counted as often as it is included.
const MAX_BYTES: usize = 32 << 20;
/// The most files, each counted as often as it is included.
const MAX_FILES: usize = 20_000;
/// How deep files may include each other. nginx itself runs out of file descriptors or stack.
const MAX_INCLUDES: usize = 32;
/// How deep blocks may lie in each other.
const MAX_BLOCKS: usize = 128;
/// The most directives that are kept.
const MAX_KEPT: usize = 400_000;
/// The most problems that are told.
pub(super) const MAX_PROBLEMS: usize = 64;

/// What [`read`] found.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// The directives outside any block.
    pub(super) directives: Vec<Directive>,
    /// The files, each once, in the order in which nginx first opened them.
    pub(super) files: Vec<ReadFile>,
    /// What could not be read, in the order of reading.
    pub(super) problems: Vec<Problem>,
}

/// Reads what nginx would read.
pub(super) fn read(source: &dyn Source, origin: &Origin) -> Tree {
    let mut reader = Reader {
        source,
        directory: origin.main.parent().unwrap_or(Path::new("/")),
        tree: Tree::default(),
        open: Vec::new(),
        including: Vec::new(),
        named: HashMap::new(),
        bytes: 0,
        opened: 0,
        kept: 0,
        full: false,
    };
    if !origin.globals.is_empty() {
        reader.text(&origin.globals, &Arc::from(Path::new("-g")), Kind::Option);
    }
    reader.file(&origin.main, None);
    reader.tree
}

/// A block that was not closed yet.
struct Open {
    directive: Directive,
    body: Body,
    /// Whether anything in it matters.
    keep: bool,
}

struct Reader<'a> {
    source: &'a dyn Source,
    directory: &'a Path,
    tree: Tree,
    open: Vec<Open>,
    /// Which files are being read, by identity.
    including: Vec<(u64, u64)>,
    named: HashMap<OsString, Arc<Path>>,
    bytes: usize,
    opened: usize,
    kept: usize,
    full: bool,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, from: Option<&Place>) {
        if self.opened == MAX_FILES {
            return self.stop(from, format!("more than {MAX_FILES} files: the rest is not read"));
        }
        self.opened += 1;
        let contents = match self.source.read(path, MAX_BYTES - self.bytes) {
            Ok(contents) => contents,
            Err(error) if error.kind() == io::ErrorKind::FileTooLarge => {
                let says =
                    format!("{} brings the configuration over {} MiB: it is not read", path.display(), MAX_BYTES >> 20);
                return self.stop(from, says);
            }
            Err(error) => return self.problem(from.cloned(), unreadable(path, &error)),
        };
        if self.including.contains(&contents.identity) {
            let says = format!("\"{}\" includes itself: break the loop", path.display());
            return self.problem(from.cloned(), says);
        }
        if self.including.len() == MAX_INCLUDES {
            return self.problem(from.cloned(), format!("more than {MAX_INCLUDES} files include one another"));
        }
        self.bytes += contents.bytes.len();
        let path: Arc<Path> = self.remember(path, contents.modified);
        self.including.push(contents.identity);
        self.text(&contents.bytes, &path, Kind::File);
        self.including.pop();
    }

    fn remember(&mut self, path: &Path, modified: SystemTime) -> Arc<Path> {
        // By its text: to nginx `a//b` and `a/b` are two files.
        if let Some(known) = self.named.get(path.as_os_str()) {
            return known.clone();
        }
        let name = path.as_os_str().to_owned();
        let path: Arc<Path> = Arc::from(path);
        self.named.insert(name, path.clone());
        self.tree.files.push(ReadFile { path: path.clone(), modified });
        path
    }

    /// Reads a text; what it leaves open is closed at its end, so that a broken file breaks nothing else.
    fn text(&mut self, text: &[u8], file: &Arc<Path>, kind: Kind) {
        let base = self.open.len();
        let mut tokens = Tokens::new(text, kind);
        if let Err(Fault { line, says }) = self.tokens(&mut tokens, file, kind, base) {
            self.problem(Some(Place { file: file.clone(), line }), says);
        }
        while self.open.len() > base {
            self.close();
        }
    }

    fn tokens(&mut self, tokens: &mut Tokens<'_>, file: &Arc<Path>, kind: Kind, base: usize) -> Result<(), Fault> {
        while !self.full {
            let token = tokens.next_token()?;
            let line = tokens.line();
            let fault = |says: &str| Err(Fault { line, says: says.to_owned() });
            match token {
                Token::Simple(statement) => {
                    self.check(&statement, false, line)?;
                    self.simple(statement, file, line)?;
                }
                Token::Open(_) if kind == Kind::Option => {
                    return fault("block directives are not supported in -g option");
                }
                Token::Open(statement) => {
                    self.check(&statement, true, line)?;
                    self.begin(statement, file, tokens)?;
                }
                Token::Close if self.open.len() == base => return fault("unexpected \"}\""),
                Token::Close => self.close(),
                Token::End if self.open.len() > base => return fault("unexpected end of file, expecting \"}\""),
                Token::End => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether the directive has the block that it needs, and only then.
    fn check(&self, statement: &Statement, has_block: bool, line: u32) -> Result<(), Fault> {
        let name = &statement.words[0];
        let shown = String::from_utf8_lossy(name);
        let fault = |says: String| Err(Fault { line, says });
        match self.open.last() {
            Some(table) if table.body != Body::Directives => {
                return if has_block { fault("unexpected \"{\"".into()) } else { Ok(()) };
            }
            _ => {}
        }
        let parent = self.open.last().map_or(&[] as &[u8], |open| open.directive.name());
        match (block::wants_block(name, parent), has_block) {
            (Some(true), false) => fault(format!("directive \"{shown}\" has no opening \"{{\"")),
            (Some(false), true) => fault(format!("directive \"{shown}\" is not terminated by \";\"")),
            _ => Ok(()),
        }
    }

    fn simple(&mut self, statement: Statement, file: &Arc<Path>, line: u32) -> Result<(), Fault> {
        let body = self.open.last().map_or(Body::Directives, |open| open.body);
        let is_include = statement.words[0] == b"include";
        let place = Place { file: file.clone(), line: statement.line };
        match (is_include, statement.words.as_slice(), body) {
            (true, [_, pattern], Body::Directives | Body::Table) => self.include(pattern, &place),
            (true, _, Body::Directives) => {
                let says = "invalid number of arguments in \"include\" directive".to_owned();
                return Err(Fault { line, says });
            }
            _ if body == Body::Directives && block::is_setting(&statement.words[0]) => {
                self.add(Directive { words: statement.words, place, block: None });
            }
            _ => {}
        }
        Ok(())
    }

    fn include(&mut self, pattern: &[u8], place: &Place) {
        let pattern = self.directory.join(Path::new(OsStr::from_bytes(pattern)));
        let files: io::Result<Vec<PathBuf>> = include::files(self.source, pattern.as_os_str().as_bytes());
        match files {
            Ok(files) => files.iter().for_each(|file| {
                if !self.full {
                    self.file(file, Some(place));
                }
            }),
            Err(error) => {
                let says = format!("cannot list the files of \"{}\": {error}", pattern.display());
                self.problem(Some(place.clone()), says);
            }
        }
    }

    fn begin(&mut self, statement: Statement, file: &Arc<Path>, tokens: &mut Tokens<'_>) -> Result<(), Fault> {
        let body = block::body(&statement.words[0]);
        if self.open.len() == MAX_BLOCKS {
            let says = format!("more than {MAX_BLOCKS} blocks lie in each other: the rest of the file is not read");
            return Err(Fault { line: statement.line, says });
        }
        let keep = self.open.last().is_none_or(|open| open.keep) && block::is_understood(&statement.words[0]);
        let place = Place { file: file.clone(), line: statement.line };
        if body == Body::Lua {
            tokens.skip_lua()?;
            if block::is_setting(&statement.words[0]) {
                self.add(Directive { words: statement.words, place, block: Some(Vec::new()) });
            }
            return Ok(());
        }
        let directive = Directive { words: statement.words, place, block: Some(Vec::new()) };
        self.open.push(Open { directive, body, keep });
        Ok(())
    }

    fn close(&mut self) {
        let Some(Open { directive, keep, .. }) = self.open.pop() else { return };
        if keep {
            self.add(directive);
        }
    }

    fn add(&mut self, directive: Directive) {
        let siblings = match self.open.last_mut() {
            None => &mut self.tree.directives,
            Some(Open { keep: true, directive: parent, .. }) => parent.block.get_or_insert_default(),
            Some(_) => return,
        };
        let place = directive.place.clone();
        siblings.push(directive);
        self.kept += 1;
        if self.kept == MAX_KEPT {
            self.stop(Some(&place), format!("more than {MAX_KEPT} directives: the rest is not read"));
        }
    }

    fn stop(&mut self, at: Option<&Place>, says: String) {
        self.full = true;
        self.problem(at.cloned(), says);
    }

    fn problem(&mut self, place: Option<Place>, says: String) {
        if self.tree.problems.len() < MAX_PROBLEMS {
            self.tree.problems.push(Problem { place, says });
        }
    }
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    let (path, kind) = (path.display(), error.kind());
    if kind == io::ErrorKind::NotFound {
        format!("\"{path}\" does not exist: correct the path, or make the file")
    } else if kind == io::ErrorKind::PermissionDenied {
        format!("may not read \"{path}\": grant CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH")
    } else if kind == io::ErrorKind::IsADirectory {
        format!("\"{path}\" is a directory, and nginx wants files: include \"{path}/*\"")
    } else {
        format!("cannot read \"{path}\": {error}")
    }
}

#[cfg(test)]
mod tests;
