use super::*;
use crate::{record::Record, verdict::Leg};

fn event(at: u64, leg: Leg) -> Attributed {
    let event = crate::sample::fin(1, crate::sample::idle(Duration::from_secs(1)));
    let event = Attributed { record: Arc::new(Record { at: KernelTime(at), ..(*event.record).clone() }), ..event };
    event.placed(|placing| placing.leg = leg)
}

fn kinds(tape: &mut Tape) -> String {
    let entries = tape.take();
    let mut left = &entries[..];
    let mut kinds = String::new();
    while !left.is_empty() {
        kinds.push(match entry::read(&mut left).unwrap() {
            Entry::Record(_, placing) => char::from_digit(placing, 10).unwrap(),
            Entry::Placing(_) => 'p',
            Entry::Context(context) if matches!(*context, Context::Named { .. }) => 'n',
            Entry::Context(_) => 'c',
            Entry::Loose(_) => 'l',
            Entry::Due(_) => 'd',
        });
    }
    kinds
}

#[test]
fn a_place_is_told_once_before_the_first_record_that_has_it() {
    let mut tape = Tape::new(None);
    for leg in [Leg::Upstream, Leg::Upstream, Leg::Client, Leg::Upstream, Leg::Client] {
        tape.record(&[0; RECORD_BYTES], &event(1, leg));
    }
    assert_eq!(kinds(&mut tape), "p00p101");
    assert!(tape.is_empty());
}

#[test]
fn a_name_is_told_when_it_changes() {
    let mut tape = Tape::new(None);
    let remote: SocketAddr = ([10, 0, 0, 1], 3000).into();
    let name =
        |name: &str| (Some(Arc::new(UpstreamLabel { name: Some(name.into()), server: remote.to_string() })), None);
    for (worker, name) in [(None, name("a")), (None, name("a")), (Some(7), name("a")), (None, name("b"))] {
        tape.named(worker, remote, &name);
    }
    assert_eq!(kinds(&mut tape), "nnn");
}

#[test]
fn places_are_numbered_anew_when_there_are_too_many() {
    let mut tape = Tape::new(None);
    for number in 0..=u32::try_from(MAX_PLACINGS).unwrap() {
        let event = event(1, Leg::Upstream).placed(|placing| placing.instance = Some(InstanceId(number)));
        tape.record(&[0; RECORD_BYTES], &event);
    }
    let entries = tape.take();
    let mut left = &entries[..];
    let mut last = None;
    while !left.is_empty() {
        if let Entry::Record(_, placing) = entry::read(&mut left).unwrap() {
            last = Some(placing);
        }
    }
    assert_eq!(last, Some(0));
}
