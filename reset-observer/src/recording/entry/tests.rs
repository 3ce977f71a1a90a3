use super::*;
use crate::sink::NginxFound;

fn ready() -> Ready {
    Ready {
        at: KernelTime(0),
        version: "0.1.0".into(),
        programs: vec!["tcp_receive_reset".into()],
        features: [("fentry".to_owned(), true)].into(),
        ports: vec![3000],
        nginx: NginxFound { masters: 1, workers: 2, listening: 3 },
        node: "web-7".into(),
    }
}

#[test]
fn entries_read_back_as_they_were_written() {
    let bytes = [7; RECORD_BYTES];
    let entries = [
        Entry::Record(&bytes, 3),
        Entry::Loose(b"short"),
        Entry::Due(KernelTime(9)),
        Entry::Context(Box::new(Context::Ready { at: KernelTime(1), ready: ready() })),
        Entry::Context(Box::new(Context::News { at: KernelTime(u64::MAX), revision: None })),
        Entry::Context(Box::new(Context::Flush)),
    ];
    let mut written = Vec::new();
    entries.iter().for_each(|entry| write(entry, &mut written).unwrap());
    let mut left = &written[..];
    for entry in &entries {
        assert_eq!(&read(&mut left).unwrap(), entry);
    }
    assert!(left.is_empty());
}

#[test]
fn an_entry_that_is_cut_anywhere_is_refused() {
    let mut written = Vec::new();
    write(&Entry::Context(Box::new(Context::Full)), &mut written).unwrap();
    for len in 1..written.len() {
        assert!(read(&mut &written[..len]).is_err(), "{len} bytes");
    }
    let unknown = read(&mut &[99, 0, 0][..]).unwrap_err();
    assert!(unknown.to_string().contains("unknown kind 99"), "{unknown:#}");
}

/// A context with `edit` made to its JSON, read again.
fn edited(context: Context, edit: impl FnOnce(&mut serde_json::Value)) -> Context {
    let mut json = serde_json::to_value(context).unwrap();
    edit(&mut json);
    let mut bytes = Vec::new();
    sized(CONTEXT, &serde_json::to_vec(&json).unwrap(), &mut bytes).unwrap();
    let Entry::Context(context) = read(&mut &bytes[..]).unwrap() else { panic!() };
    *context
}

fn named() -> Context {
    Context::Named {
        worker: Some(3632),
        remote: crate::sample::server(),
        upstream: None,
        settings: Some(Box::new(crate::sample::configured())),
    }
}

#[test]
fn a_field_that_an_older_program_did_not_write_has_its_default() {
    let read = edited(named(), |json| {
        json["named"]["settings"].as_object_mut().unwrap().remove("send_timeouts").unwrap();
    });
    let settings = UpstreamSettings { send_timeouts: Vec::new(), ..crate::sample::configured() };
    let Context::Named { settings: found, .. } = read else { panic!() };
    assert_eq!(*found.unwrap(), settings);
}

#[test]
fn a_field_of_a_newer_program_is_passed_over() {
    let read = edited(named(), |json| {
        json["named"]["settings"]["colour"] = "green".into();
        json["named"]["weather"] = 7.into();
    });
    assert_eq!(read, named());
}
