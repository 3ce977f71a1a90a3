//! Which files an `include` names, in the order in which nginx reads them.

use std::{
    ffi::OsStr,
    io,
    os::unix::ffi::{OsStrExt as _, OsStringExt as _},
    path::{Path, PathBuf},
};

use super::{pattern, source::Source};

/// More files of one pattern are an error.
const MAX_MATCHES: usize = 1 << 16;

/// The files that `pattern` names, an absolute path: itself without a wildcard, else all that match, in order of their
/// bytes. No match is no error.
///
/// # Errors
///
/// A directory can't be read although it is there, or there are too many matches. glob(3) would pass over such a
/// directory in silence.
pub(super) fn files(source: &dyn Source, pattern: &[u8]) -> io::Result<Vec<PathBuf>> {
    if !pattern::is_wild(pattern) {
        return Ok(vec![PathBuf::from(OsStr::from_bytes(pattern))]);
    }
    let mut found = vec![Vec::new()];
    let mut components = pattern.split(|byte| *byte == b'/').peekable();
    let mut unchecked = false;
    while let Some(component) = components.next() {
        let last = components.peek().is_none();
        let wild = pattern::is_wild(component);
        found = if wild { expand(source, &found, component)? } else { append(found, &pattern::literal(component)) };
        unchecked = !wild;
        if !last {
            found.iter_mut().for_each(|path| path.push(b'/'));
        }
    }
    if unchecked {
        found.retain(|path| source.exists(Path::new(OsStr::from_bytes(path))));
    }
    found.sort_unstable();
    Ok(found.into_iter().map(|path| PathBuf::from(std::ffi::OsString::from_vec(path))).collect())
}

fn append(mut paths: Vec<Vec<u8>>, component: &[u8]) -> Vec<Vec<u8>> {
    paths.iter_mut().for_each(|path| path.extend_from_slice(component));
    paths
}

fn expand(source: &dyn Source, directories: &[Vec<u8>], component: &[u8]) -> io::Result<Vec<Vec<u8>>> {
    let mut found = Vec::new();
    for directory in directories {
        let names = match source.list(Path::new(OsStr::from_bytes(directory))) {
            Ok(names) => names,
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => continue,
            Err(error) => return Err(error),
        };
        let matching = names.iter().map(|name| name.as_bytes()).filter(|name| pattern::matches(component, name));
        found.extend(matching.map(|name| [directory.as_slice(), name].concat()));
        if found.len() > MAX_MATCHES {
            return Err(io::Error::other(format!("more than {MAX_MATCHES} files match")));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
