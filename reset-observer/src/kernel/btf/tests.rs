use super::*;

mod corpus;

/// Writes small blobs by hand, so that a test can say exactly what is wrong with them.
#[derive(Default)]
struct Blob {
    types: Vec<u8>,
    strings: Vec<u8>,
}

impl Blob {
    fn new() -> Self {
        Self { types: Vec::new(), strings: vec![0] }
    }

    fn name(&mut self, name: &str) -> u32 {
        if name.is_empty() {
            return 0;
        }
        let at = u32::try_from(self.strings.len()).unwrap();
        self.strings.extend_from_slice(name.as_bytes());
        self.strings.push(0);
        at
    }

    fn words(&mut self, words: &[u32]) {
        for word in words {
            self.types.extend_from_slice(&word.to_ne_bytes());
        }
    }

    fn kind(&mut self, name: &str, kind: u32, vlen: u32, size_or_type: u32, body: &[u32]) {
        let name = self.name(name);
        self.words(&[name, kind << 24 | vlen, size_or_type]);
        self.words(body);
    }

    fn bytes(&self, header_len: u32) -> Vec<u8> {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap();
        let mut out = MAGIC.to_ne_bytes().to_vec();
        out.extend([VERSION, 0]);
        for word in [header_len, 0, len(&self.types), len(&self.types), len(&self.strings)] {
            out.extend_from_slice(&word.to_ne_bytes());
        }
        out.resize(header_len as usize, 0xaa);
        out.extend_from_slice(&self.types);
        out.extend_from_slice(&self.strings);
        out
    }

    /// `struct outer { u32 first; struct { u64 hidden; }; u64 row[3]; }`
    fn sample() -> Self {
        let mut blob = Self::new();
        blob.kind("u32", 1, 0, 4, &[32]);
        blob.kind("u64", 1, 0, 8, &[64]);
        let hidden = blob.name("hidden");
        blob.kind("", 4, 1, 8, &[hidden, 2, 0]);
        blob.kind("", 3, 0, 0, &[2, 1, 3]);
        let (first, row) = (blob.name("first"), blob.name("row"));
        blob.kind("outer", 4, 3, 40, &[first, 1, 0, 0, 3, 64, row, 4, 128]);
        blob
    }
}

#[test]
fn fields_are_found_through_unnamed_members_and_array_elements() {
    let btf = Btf::parse(Blob::sample().bytes(24)).unwrap();
    assert_eq!(btf.field("outer", "first").unwrap(), FieldLocation { offset: 0, size: 4 });
    assert_eq!(btf.field("outer", "hidden").unwrap(), FieldLocation { offset: 8, size: 8 });
    assert_eq!(btf.field("outer", "row").unwrap(), FieldLocation { offset: 16, size: 24 });
    assert_eq!(btf.field("outer", "row[2]").unwrap(), FieldLocation { offset: 32, size: 8 });
}

#[test]
fn a_longer_header_is_stepped_over() {
    let btf = Btf::parse(Blob::sample().bytes(32)).unwrap();
    assert_eq!(btf.field("outer", "hidden").unwrap().offset, 8);
}

#[test]
fn what_is_not_there_is_named() {
    let btf = Btf::parse(Blob::sample().bytes(24)).unwrap();
    let says = |structure, path| format!("{:#}", btf.field(structure, path).unwrap_err());
    assert!(says("inner", "first").contains("no structure inner"));
    assert!(says("outer", "second").contains("no member second"));
    assert!(says("outer", "row[3]").contains("beyond the array's 3 elements"));
    assert!(says("outer", "first.x").contains("no member x"));
}

#[test]
fn a_blob_cut_anywhere_is_refused_or_read_but_never_panics() {
    let whole = Blob::sample().bytes(24);
    for len in 0..whole.len() {
        assert!(Btf::parse(whole[..len].to_vec()).is_err(), "a blob of {len} bytes is incomplete");
    }
}

#[test]
fn one_wrong_byte_anywhere_never_panics() {
    let whole = Blob::sample().bytes(24);
    for at in 0..whole.len() {
        for value in [0, 1, 0x7f, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] = value;
            if let Ok(btf) = Btf::parse(damaged) {
                let _ = btf.field("outer", "row[1]");
                let _ = btf.field("outer", "hidden");
                let _ = btf.tracepoint_arity("x");
            }
        }
    }
}

#[test]
fn types_that_refer_to_each_other_end_in_a_sentence() {
    let mut blob = Blob::new();
    // A typedef of itself, and a structure with an unnamed member of its own type.
    blob.kind("loop", 8, 0, 1, &[]);
    blob.kind("nest", 4, 1, 8, &[0, 2, 0]);
    let member = blob.name("member");
    blob.kind("user", 4, 1, 8, &[member, 1, 0]);
    let btf = Btf::parse(blob.bytes(24)).unwrap();
    assert!(format!("{:#}", btf.field("user", "member").unwrap_err()).contains("circle"));
    assert!(format!("{:#}", btf.field("nest", "absent").unwrap_err()).contains("too deep"));
}

#[test]
fn an_enum_cannot_fill_memory_with_one_long_name() {
    let mut blob = Blob::new();
    blob.kind("sk_rst_reason", 6, 1, 4, &[0, 7]);
    let long = blob.name(&"x".repeat(MAX_NAME_LEN));
    blob.kind("long", 6, 1, 4, &[long, 7]);
    let btf = Btf::parse(blob.bytes(24)).unwrap();
    assert_eq!(btf.enum_values("sk_rst_reason").unwrap(), Some(vec![(String::new(), 7)]));
    assert!(format!("{:#}", btf.enum_values("long").unwrap_err()).contains("too long"));
}

#[test]
fn unnamed_members_that_fan_out_end_in_a_sentence() {
    let mut blob = Blob::new();
    // Each level holds the next one twice: 2^31 ways down, and no circle.
    for level in 1..=31 {
        blob.kind(if level == 1 { "fan" } else { "" }, 4, 2, 8, &[0, level + 1, 0, 0, level + 1, 0]);
    }
    blob.kind("", 4, 0, 8, &[]);
    let btf = Btf::parse(blob.bytes(24)).unwrap();
    assert!(format!("{:#}", btf.field("fan", "absent").unwrap_err()).contains("too many members"));
}

#[test]
fn the_other_byte_order_and_a_text_file_are_refused_in_words() {
    let mut swapped = Blob::sample().bytes(24);
    swapped.swap(0, 1);
    assert!(Btf::parse(swapped).unwrap_err().to_string().contains("byte order"));
    assert!(Btf::parse(b"this is a text file, not type information".to_vec()).is_err());
}

#[test]
fn a_bitfield_is_refused() {
    let mut blob = Blob::new();
    blob.kind("u8", 1, 0, 1, &[8]);
    let (name, flag) = (blob.name("holder"), blob.name("flag"));
    blob.words(&[name, 1 << 31 | 4 << 24 | 1, 1, flag, 1, 1 << 24 | 3]);
    let btf = Btf::parse(blob.bytes(24)).unwrap();
    assert!(format!("{:#}", btf.field("holder", "flag").unwrap_err()).contains("bitfield"));
}

/// The machine that runs the tests has its own kernel; where it has BTF, the fields of the programs must be there.
#[test]
fn the_running_kernel_has_every_required_field() {
    let path = Path::new("/sys/kernel/btf/vmlinux");
    if !path.exists() {
        eprintln!("left out: this kernel has no BTF");
        return;
    }
    let btf = Btf::load(path).unwrap();
    for (field, place) in reset_observer_ebpf::field::FIELDS {
        let found = btf.field(place.structure, place.path);
        assert!(!place.required || found.as_ref().is_ok_and(|f| f.size == place.size), "{field:?}: {found:?}");
    }
    assert_eq!(btf.tracepoint_arity("inet_sock_set_state").unwrap(), Some(3));
    assert_eq!(btf.tracepoint_arity("no_such_tracepoint").unwrap(), None);
}
