//! Configuration files in memory, for tests.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::source::{Contents, Source};

/// Files by path. Each is written a second after the one before it.
#[derive(Debug, Default)]
pub(super) struct Table(BTreeMap<PathBuf, Vec<u8>>);

impl Table {
    pub(super) fn of(files: impl Iterator<Item = (PathBuf, Vec<u8>)>) -> Self {
        Self(files.collect())
    }

    pub(super) fn new<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.into(), text.as_bytes().to_vec())).collect())
    }
}

impl Source for Table {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Contents> {
        let place = self.0.keys().position(|known| known == path).ok_or(io::ErrorKind::NotFound)?;
        let bytes = self.0[path].clone();
        if bytes.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let place = place as u64;
        Ok(Contents { bytes, identity: (0, place), modified: SystemTime::UNIX_EPOCH + Duration::from_secs(place) })
    }

    fn list(&self, directory: &Path) -> io::Result<Vec<OsString>> {
        let below = self.0.keys().filter_map(|path| path.strip_prefix(directory).ok());
        let names: BTreeSet<_> = below.filter_map(|rest| rest.iter().next()).map(OsString::from).collect();
        // Not in order, as readdir(3).
        if names.is_empty() { Err(io::ErrorKind::NotFound.into()) } else { Ok(names.into_iter().rev().collect()) }
    }

    fn exists(&self, path: &Path) -> bool {
        self.0.keys().any(|known| known.starts_with(path))
    }
}
