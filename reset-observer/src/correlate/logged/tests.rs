use std::collections::HashSet;

use super::{question::first_sign, *};
use crate::{
    correlate::Correlator,
    nginx::error_log::line::Kind,
    record::{Event, Snapshot, TcpState},
    sample::{acknowledged, at, fin, from_port, idle, refused, requested, reset, upstream},
    verdict::Leg,
};

mod if_logged;
mod newcomer;
mod quiet;

const SETTLE: Duration = Duration::from_millis(300);
const SECOND: Duration = Duration::from_secs(1);
const NGINX: InstanceId = InstanceId(1);
const LOG: LogId = LogId { instance: 1, file: 0 };
const RESET: &str = "recv() failed (104: Connection reset by peer) while reading response header from upstream";

fn desk() -> LogDesk {
    let mut desk = LogDesk::new(SETTLE);
    desk.follow(HashSet::from([NGINX]));
    desk
}

fn of_nginx(event: Attributed) -> Attributed {
    event.placed(|placing| placing.instance = Some(NGINX))
}

/// A reset in answer to a request that was taken.
fn aborted(port: u16, ms: u64) -> Attributed {
    of_nginx(from_port(port, reset(ms, TcpState::Established, acknowledged(at(ms - 1)))))
}

fn case(event: &Attributed) -> Case {
    let mut correlator = Correlator::new(SETTLE);
    correlator.handle(event.clone());
    correlator.flush().pop().expect("every sample ends a connection")
}

fn line(message: &str, path: &str) -> Line {
    let text = format!(
        "2026/11/22 13:45:03 [error] 3632#3632: *7 {message}, client: 127.0.0.1, server: , \
         request: \"GET {path} HTTP/1.1\", upstream: \"http://10.99.2.1:3000{path}\", host: \"x\""
    );
    Line::parse(text.as_bytes()).unwrap()
}

fn logs(desk: &mut LogDesk, path: &str, ms: u64) {
    desk.line(LOG, line(RESET, path), Written { earliest: at(ms), latest: at(ms) });
}

/// A desk at which the cases of these ends wait for their lines.
fn awaiting(ends: &[Attributed]) -> LogDesk {
    let mut desk = desk();
    for end in ends {
        desk.expect(end);
        assert!(desk.complete(case(end)).is_none());
    }
    desk
}

fn request(case: &Case) -> Option<&str> {
    match &case.logged {
        Logged::Line(line) => line.request.as_deref(),
        Logged::Unknown | Logged::Nothing => None,
    }
}

#[test]
fn nginx_writes_a_line_for_each_end_that_hurt_a_request() {
    let (taken, sent) = (acknowledged(at(1990)), requested(at(1990), SECOND));
    let by_us = |active| Event::ResetSent { active, data_after_close: false };
    let ending_of = |event: Attributed| ending(&event.record);
    assert_eq!(ending_of(reset(2000, TcpState::Established, taken)), Some(Ending::Reset));
    assert_eq!(ending_of(reset(2000, TcpState::CloseWait, sent)), Some(Ending::Closed), "recv() gives the FIN");
    assert_eq!(ending_of(fin(2000, taken)), Some(Ending::Closed));
    assert_eq!(ending_of(refused(2000)), Some(Ending::Refused));
    assert_eq!(ending_of(upstream(2000, by_us(true), TcpState::Established, taken)), Some(Ending::CutByProxy));
    let gave_up = |snapshot| ending_of(upstream(2000, Event::ClosedUnacked, TcpState::Established, snapshot));
    assert_eq!(gave_up(taken), Some(Ending::CutByProxy), "the response did not come");
    assert_eq!(gave_up(Snapshot { total_retransmits: 3, ..sent }), Some(Ending::Silent));
    let unreachable = Event::Failed { error: 113 };
    assert_eq!(ending_of(upstream(2000, unreachable, TcpState::Established, sent)), Some(Ending::Silent));
}

#[test]
fn an_end_soon_after_payload_may_have_cut_a_response_and_a_later_one_has_not() {
    let ending_of = |idle_for| ending(&fin(2000, idle(idle_for)).record);
    assert_eq!(ending_of(Duration::from_millis(5)), Some(Ending::CutShort));
    assert_eq!(ending_of(SECOND / 2), Some(Ending::CutAfterPause));
    assert_eq!(ending_of(SECOND), Some(Ending::Quiet));
    let reset_after = |idle_for| ending(&reset(2000, TcpState::Established, idle(idle_for)).record);
    assert_eq!(reset_after(Duration::from_millis(5)), Some(Ending::CutByReset));
    assert_eq!(reset_after(SECOND * 5), Some(Ending::CutByReset), "few idle connections are reset");
    assert_eq!(reset_after(SECOND * 90), None);
    let unused = Snapshot { bytes_sent: 0, bytes_received: 0, last_payload: None, ..idle(Duration::ZERO) };
    assert_eq!(ending(&fin(2000, unused).record), None, "nothing was received that could be cut");
}

#[test]
fn what_hurt_no_request_has_no_line() {
    let harmless = idle(SECOND * 90);
    assert_eq!(ending(&reset(2000, TcpState::Established, harmless).record), None);
    let answer = Event::ResetSent { active: false, data_after_close: false };
    for event in [answer, Event::ExitClose, Event::ListenerExit, Event::Retransmitted] {
        let event = upstream(2000, event, TcpState::Established, acknowledged(at(1990)));
        assert_eq!(ending(&event.record), None, "{:?}", event.record.event);
    }
}

#[test]
fn a_request_written_into_a_closed_connection_may_have_failed_before_its_reset_came() {
    let late = reset(2000, TcpState::CloseWait, requested(at(1900), SECOND));
    assert_eq!(first_sign(&late.record), at(1900));
    let in_time = reset(2000, TcpState::Established, requested(at(1900), SECOND));
    assert_eq!(first_sign(&in_time.record), at(2000));
}

#[test]
fn a_case_waits_for_its_line_and_gets_it() {
    let (mut desk, end) = (desk(), aborted(50_000, 2000));
    desk.expect(&end);
    assert!(desk.complete(case(&end)).is_none(), "its line may still come");
    assert!(desk.poll(at(2100)).is_empty());
    logs(&mut desk, "/a", 2101);
    let ready = desk.poll(desk.next_deadline().unwrap());
    assert_eq!((ready.len(), request(&ready[0])), (1, Some("GET /a HTTP/1.1")));
    assert_eq!(desk.next_deadline(), None);
}

#[test]
fn an_answer_that_comes_first_is_kept_for_its_case() {
    let (mut desk, end) = (desk(), aborted(50_000, 2000));
    desk.expect(&end);
    logs(&mut desk, "/a", 2001);
    assert!(desk.poll(at(2400)).is_empty());
    let ready = desk.complete(case(&end)).expect("all is known");
    assert_eq!(request(&ready), Some("GET /a HTTP/1.1"));
    let again = desk.complete(case(&end)).expect("nothing is waited for");
    assert_eq!(again.logged, Logged::Unknown, "an answer is given once");
}

#[test]
fn without_a_line_a_followed_log_says_nothing_happened_and_another_is_unknown() {
    for (followed, expected) in [(NGINX, Logged::Nothing), (InstanceId(2), Logged::Unknown)] {
        let (mut desk, end) = (LogDesk::new(SETTLE), aborted(50_000, 2000));
        desk.expect(&end);
        assert!(desk.complete(case(&end)).is_none());
        desk.follow(HashSet::from([followed]));
        assert_eq!(desk.poll(at(3020)).pop().map(|case| case.logged), Some(expected));
    }
}

#[test]
fn two_ends_that_share_two_lines_share_what_those_have_in_common() {
    let mut desk = awaiting(&[aborted(50_000, 2000), aborted(50_001, 2005)]);
    logs(&mut desk, "/a", 2010);
    logs(&mut desk, "/b", 2010);
    let ready = desk.poll(at(2400));
    assert_eq!(ready.len(), 2);
    for case in ready {
        let Logged::Line(joined) = &case.logged else { panic!("{:?}", case.logged) };
        assert_eq!((joined.candidates, joined.kind, joined.request.as_deref()), (2, Some(Kind::Failed), None));
    }
}

#[test]
fn a_line_that_may_be_of_either_of_two_ends_is_of_neither() {
    let mut desk = awaiting(&[aborted(50_000, 2000), aborted(50_001, 2005)]);
    logs(&mut desk, "/a", 2010);
    let logged: Vec<Logged> = desk.poll(at(2400)).into_iter().map(|case| case.logged).collect();
    assert_eq!(logged, [Logged::Unknown, Logged::Unknown]);
}

#[test]
fn where_lines_were_lost_nothing_is_joined() {
    let mut desk = awaiting(&[aborted(50_000, 2000)]);
    logs(&mut desk, "/a", 2001);
    desk.disturb(at(2002));
    assert_eq!(desk.poll(at(2400)).pop().map(|case| case.logged), Some(Logged::Unknown));
}

#[test]
fn the_end_of_a_session_gives_every_case_with_what_is_known() {
    let mut desk = awaiting(&[aborted(50_000, 2000), aborted(50_001, 9000)]);
    logs(&mut desk, "/a", 2001);
    let cases = desk.flush();
    let known: Vec<_> = cases.iter().map(|case| (case.connection.ends().local.port(), request(case))).collect();
    assert_eq!(known, [(50_000, Some("GET /a HTTP/1.1")), (50_001, None)]);
    assert!(desk.flush().is_empty());
}

#[test]
fn the_end_of_a_session_joins_nothing_where_lines_were_lost() {
    let mut desk = awaiting(&[aborted(50_000, 2000)]);
    logs(&mut desk, "/a", 2001);
    desk.disturb(at(2002));
    assert_eq!(desk.flush().pop().map(|case| case.logged), Some(Logged::Unknown));
}

#[test]
fn only_a_known_worker_of_a_known_nginx_has_lines() {
    let known = aborted(50_000, 2000);
    let strangers = [
        known.clone().placed(|placing| placing.leg = Leg::Client),
        known.clone().placed(|placing| placing.instance = None),
        known.placed(|placing| placing.process = None),
    ];
    for event in strangers {
        let mut desk = desk();
        desk.expect(&event);
        assert_eq!(desk.next_deadline(), None);
        assert_eq!(desk.complete(case(&event)).expect("it need not wait").logged, Logged::Unknown);
    }
}

#[test]
fn in_a_pid_namespace_the_line_bears_the_inner_pid() {
    let (mut desk, mut end) = (desk(), aborted(50_000, 2000));
    if let Some(worker) = &mut end.placing_mut().process {
        let worker = std::sync::Arc::make_mut(worker);
        (worker.pid, worker.inner_pid) = (4711, Some(3632));
    }
    desk.expect(&end);
    assert!(desk.complete(case(&end)).is_none());
    logs(&mut desk, "/a", 2001);
    assert_eq!(desk.poll(at(2400)).first().and_then(request), Some("GET /a HTTP/1.1"));
}

#[test]
fn the_fin_and_the_reset_after_it_are_asked_for_once() {
    let mut desk = desk();
    let request_sent = requested(at(1990), SECOND);
    let [fin, reset] = [fin(2000, request_sent), reset(2020, TcpState::LastAck, request_sent)].map(of_nginx);
    desk.expect(&fin);
    desk.expect(&reset);
    desk.poll(at(2400));
    assert_eq!(desk.counts().without_line, 1);
}

#[test]
fn a_later_end_on_the_same_addresses_does_not_get_the_answer_of_an_earlier_one() {
    let mut desk = desk();
    desk.expect(&aborted(50_000, 2000));
    logs(&mut desk, "/a", 2001);
    assert!(desk.poll(at(2400)).is_empty());
    let later = aborted(50_000, 4000);
    desk.expect(&later);
    assert!(desk.complete(case(&later)).is_none());
    assert_eq!(desk.poll(at(4400)).pop().map(|case| case.logged), Some(Logged::Nothing));
}
