//! Type information: whatever the bytes are, every question that the program asks of them ends, in an answer or a
//! sentence.
#![no_main]

use libfuzzer_sys::fuzz_target;
use reset_observer::kernel::{btf::Btf, features::Features, offsets::Offsets};

fuzz_target!(|data: &[u8]| {
    let Ok(btf) = Btf::parse(data.to_vec()) else { return };
    let (offsets, _) = Offsets::survey(&btf);
    _ = Features::detect(&btf);
    _ = Features::optional(&btf, offsets).map(|features| features.list());
    // Names that the handmade seeds use, so that the fuzzer need not invent the names of the kernel.
    for path in ["first", "hidden", "row", "row[2]", "row[2].first", "member.member", ""] {
        _ = btf.field("outer", path);
        _ = btf.field("user", path);
    }
    _ = btf.tracepoint_arity("tcp_receive_reset");
    _ = btf.enum_values("sk_rst_reason");
    _ = btf.enum_values("");
});
