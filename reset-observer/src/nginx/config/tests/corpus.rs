//! What the fuzzer kept: one input for each way through the reader. `fuzz/targets/nginx_config.rs` asks the same
//! questions.

use std::{fs, path::Path};

use super::*;
use crate::nginx::{config::locate::Invocation, version::Build};

#[test]
fn the_fuzzers_corpus_is_read_with_or_without_problems() {
    let (mut in_order, mut with_problems) = (0, 0);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/nginx_config");
    for entry in fs::read_dir(corpus).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let configuration = read_pieces(&bytes);
        for problem in &configuration.problems {
            assert!(!problem.says.is_empty() && problem.place.as_ref().is_none_or(|place| place.line > 0), "{problem}");
        }
        if configuration.problems.is_empty() {
            in_order += 1
        } else {
            with_problems += 1
        }
        _ = Invocation::parse(&bytes).origin(&Build::scan(&*bytes).unwrap(), Path::new("/"));
    }
    assert!(in_order >= 1 && with_problems >= 4, "{in_order} in order, {with_problems} with problems");
}

/// The files are parted by bytes of 0, as the fuzzer's are.
fn read_pieces(bytes: &[u8]) -> Configuration {
    let names = ["/main", "/a", "/b", "/c", "/d1", "/d2", "/.e", "/f"];
    let pieces = bytes.splitn(names.len(), |byte| *byte == 0).map(<[u8]>::to_vec);
    Configuration::read(&Table::of(names.into_iter().map(Into::into).zip(pieces)), &Origin::file("/main"))
}
