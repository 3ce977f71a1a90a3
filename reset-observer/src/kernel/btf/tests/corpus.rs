//! What the fuzzer kept: one input for each way through the reader, small blobs cut out of a running kernel's types
//! among them. `fuzz/targets/btf.rs` asks the same questions.

use std::{fs, path::Path};

use crate::kernel::{btf::Btf, features::Features, offsets::Offsets};

#[test]
fn the_fuzzers_corpus_is_read_or_refused() {
    let (mut read, mut refused) = (0, 0);
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/btf");
    for entry in fs::read_dir(corpus).unwrap() {
        let blob = fs::read(entry.unwrap().path()).unwrap();
        let Ok(btf) = Btf::parse(blob) else {
            refused += 1;
            continue;
        };
        read += 1;
        let (offsets, _) = Offsets::survey(&btf);
        _ = Features::detect(&btf);
        _ = Features::optional(&btf, offsets).map(|features| features.list());
        for path in ["first", "hidden", "row", "row[2]", "row[2].first", "member.member", ""] {
            _ = btf.field("outer", path);
            _ = btf.field("user", path);
        }
        _ = btf.enum_values("");
    }
    assert!(read > 20 && refused > 5, "{read} read, {refused} refused");
}

/// Cut out of Linux 6.18: only the members on the way to our fields, with every offset as it was.
#[test]
fn a_blob_of_the_fields_alone_resolves_whole() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/btf");
    for name in ["kernel-fields", "kernel-fields-header-7.1"] {
        let btf = Btf::load(&corpus.join(name)).unwrap();
        assert_eq!(btf.field("tcp_sock", "first_tx_mstamp").unwrap().offset, 1808, "as pahole says");
        assert_eq!(btf.tracepoint_arity("tcp_send_reset").unwrap(), Some(3));
        assert!(btf.enum_values("sk_rst_reason").unwrap().is_some_and(|values| values.len() > 10));
    }
}
