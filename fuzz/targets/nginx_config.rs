//! nginx's configuration: whatever the files hold, reading them ends, and what is wrong is told with its place.
#![no_main]

use std::{cell::Cell, ffi::OsString, io, net::SocketAddr, path::Path, time::SystemTime};

use libfuzzer_sys::fuzz_target;
use reset_observer::nginx::{
    config::{
        Configuration, defaults,
        directive::Origin,
        index::UpstreamIndex,
        locate::Invocation,
        source::{Contents, Source},
    },
    version::{Build, Version},
};

/// Names of the files that the pieces of the input are, so that the fuzzer need not invent them; all lie in one directory.
const NAMES: [&str; 8] = ["main", "a", "b", "c", "d1", "d2", ".e", "f"];

/// More files are not given: the reader's own bound is 20,000, at which an input takes a tenth of a second.
const MAX_READS: usize = 16;

struct Pieces<'a> {
    pieces: Vec<&'a [u8]>,
    reads: Cell<usize>,
}

impl Source for Pieces<'_> {
    fn read(&self, path: &Path, limit: usize) -> io::Result<Contents> {
        let name = path.file_name().ok_or(io::ErrorKind::NotFound)?;
        let place = NAMES.iter().position(|known| *known == name).ok_or(io::ErrorKind::NotFound)?;
        self.reads.set(self.reads.get() + 1);
        if self.reads.get() > MAX_READS {
            return Err(io::ErrorKind::QuotaExceeded.into());
        }
        let bytes = self.pieces.get(place).ok_or(io::ErrorKind::NotFound)?.to_vec();
        if bytes.len() > limit {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Contents { bytes, identity: (0, place as u64), modified: SystemTime::UNIX_EPOCH })
    }

    fn list(&self, _: &Path) -> io::Result<Vec<OsString>> {
        Ok(NAMES[..self.pieces.len()].iter().rev().map(OsString::from).collect())
    }

    fn exists(&self, path: &Path) -> bool {
        path.file_name().is_some_and(|name| NAMES[..self.pieces.len()].iter().any(|known| *known == name))
    }
}

fuzz_target!(|data: &[u8]| {
    let source = Pieces { pieces: data.splitn(NAMES.len(), |byte| *byte == 0).collect(), reads: Cell::new(0) };
    let configuration = Configuration::read(&source, &Origin::file("/main"));
    for problem in &configuration.problems {
        assert!(!problem.says.is_empty() && problem.place.as_ref().is_none_or(|place| place.line > 0));
    }
    let version = Version::parse("nginx/1.29.7");
    for upstream in &configuration.upstreams {
        _ = defaults::pool(upstream, version.as_ref());
    }
    let index = UpstreamIndex::new(&configuration, &|name| name.parse().into_iter().collect());
    for remote in [SocketAddr::from(([127, 0, 0, 1], 80)), SocketAddr::from(([10, 0, 0, 1], 443))] {
        assert!(index.label(remote).is_none_or(|found| !found.members.is_empty()));
    }
    let invocation = Invocation::parse(data);
    let build = Build::scan(data).unwrap_or_default();
    _ = invocation.origin(&build, Path::new("/"));
});
