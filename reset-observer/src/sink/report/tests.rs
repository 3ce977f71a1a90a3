use super::*;
use crate::{sink::example, verdict::UpstreamLabel};

fn at(second: u64, cause: Cause, impact: Impact) -> Verdict {
    Verdict { at: KernelTime(second * 1_000_000_000), cause, impact, ..example::verdict() }
}

#[test]
fn a_flood_of_one_cause_pushes_no_other_out_and_everything_is_counted() {
    let mut report = Report::new(example::CLOCK);
    report.verdict(&at(1, Cause::BackendCrash, Impact::RequestFailed), true);
    for second in 0..100_000 {
        report.verdict(&at(second, Cause::KeepaliveRace, Impact::RequestRetried), true);
    }
    let kept: u64 = report.verdicts.values().map(|kept| u64::try_from(kept.iter().count()).unwrap()).sum();
    assert_eq!(kept, 1 + 5 + 35);
    assert_eq!(report.verdicts[&(Cause::KeepaliveRace, Impact::RequestRetried)].left_out(), 100_000 - 40);
    assert_eq!((report.requests.seen(), report.requests.iter().count()), (100_001, 500));
    assert_eq!(report.course.of(Cause::KeepaliveRace).map(|(_, count)| count).sum::<u64>(), 100_000);
    let server = report.servers.values().next().unwrap();
    assert_eq!(server.hurt[&Cause::KeepaliveRace].total(), 100_000);
    assert_eq!(server.advice[&Cause::KeepaliveRace].1, 100_000);
}

#[test]
fn harmless_ends_are_counted_and_listed_nowhere() {
    let mut report = Report::new(example::CLOCK);
    report.verdict(&at(1, Cause::IdleClose, Impact::None), false);
    assert_eq!(report.course.of(Cause::IdleClose).count(), 1);
    assert!(report.verdicts.is_empty() && report.requests.seen() == 0);
    assert!(report.servers.values().all(|server| server.hurt.is_empty()), "it hurt nobody");
}

#[test]
fn thousands_of_servers_take_bounded_room_and_those_beyond_it_have_no_address() {
    let mut report = Report::new(example::CLOCK);
    for number in 0..5000 {
        let upstream = Some(std::sync::Arc::new(UpstreamLabel { name: None, server: format!("server-{number}:80") }));
        report.verdict(&Verdict { upstream, ..example::verdict() }, true);
    }
    assert_eq!(report.servers.len(), crate::sink::servers::MAX_SERVERS + 1);
    assert_eq!(report.servers.values().filter(|server| server.address.is_none()).count(), 1);
    assert_eq!(report.addresses().len(), 1, "each address once");
}

#[test]
fn a_long_request_line_is_cut_between_characters() {
    let request = Request { line: "ä".repeat(5000).into(), client: "c".into(), host: None };
    let hurt = HurtRequest::of(&Verdict { request: Some(request), ..example::verdict() });
    assert_eq!(hurt.request.unwrap().line, format!("{}…", "ä".repeat(LONGEST_TEXT)));
}
