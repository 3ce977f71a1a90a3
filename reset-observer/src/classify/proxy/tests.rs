use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    attribute::Attributed,
    classify::classify,
    correlate::{Case, Correlator, Logged},
    nginx::{error_log::line::Kind, upstream_settings::UpstreamSettings},
    record::{Exit, LastPayload, Snapshot},
    sample::{
        acknowledged, at, configured, fin, from_port, handshake, idle, joined, proxy, refused, requested, upstream,
    },
    verdict::Signal,
};

const SECOND: Duration = Duration::from_secs(1);

fn case(events: impl IntoIterator<Item = Attributed>) -> Case {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    events.into_iter().for_each(|event| correlator.handle(event));
    let cases = correlator.flush();
    cases.into_iter().find(|case| case.connection.ends().local == proxy()).expect("a case")
}

fn said(case: &Case) -> (Cause, Confidence) {
    let decision = classify(case);
    (decision.cause, decision.confidence)
}

fn logging(kind: Kind, case: Case) -> Case {
    let mut line = joined();
    line.kind = Some(kind);
    Case { logged: Logged::Line(Box::new(line)), ..case }
}

/// nginx closes at `ms` with the request that was sent at 2 s unanswered, having been told to wait for 60 s.
fn gives_up(ms: u64) -> Attributed {
    let mut event = upstream(ms, Event::ClosedUnacked, TcpState::Established, acknowledged(at(2000)));
    event.placing_mut().settings = Some(Arc::new(configured()));
    event
}

/// nginx gives up the handshake that it began at 1 s.
fn gives_up_handshake(ms: u64) -> Attributed {
    let nothing = Snapshot { total_retransmits: 5, ..handshake() };
    let mut event = upstream(ms, Event::ClosedUnacked, TcpState::SynSent, nothing);
    event.placing_mut().settings = Some(Arc::new(configured()));
    event
}

fn client_leaves(ms: u64, snapshot: Snapshot) -> Attributed {
    let mut event = from_port(443, fin(ms, snapshot));
    event.placing_mut().leg = Leg::Client;
    event
}

fn awaiting() -> Snapshot {
    Snapshot { last_payload: Some(LastPayload::Received), ..idle(SECOND) }
}

fn served() -> Snapshot {
    Snapshot { last_payload: Some(LastPayload::Sent), ..idle(SECOND) }
}

#[test]
fn nginx_that_closes_when_its_timeout_is_over_gave_up_waiting() {
    let case = case([gives_up(62_012)]);
    assert_eq!(said(&case), (Cause::ProxyTimeout, Confidence::Medium));
    assert_eq!(said(&logging(Kind::TimedOut, case.clone())), (Cause::ProxyTimeout, Confidence::High));
    let silent = Case { logged: Logged::Nothing, ..case.clone() };
    assert_eq!(said(&silent).0, Cause::Unknown, "nginx logs each of its timeouts");
    assert_eq!(crate::classify::conclude(&case, classify(&case)).signal, Signal::FinSent);
}

#[test]
fn a_long_request_that_was_answered_before_its_end_was_sent_is_over() {
    let closes = |since| {
        let flight = requested(at(2000), Duration::ZERO);
        let rest = Snapshot { unacked: 65_000, bytes_received: 200, since_last_receive: Some(since), ..flight };
        let closed = upstream(2002, Event::ClosedUnacked, TcpState::Established, rest);
        let sent = Event::ResetSent { active: false, data_after_close: true };
        said(&case([closed, upstream(2003, sent, TcpState::FinWait1, rest)]))
    };
    assert_eq!(closes(Duration::from_millis(4)), (Cause::IdleClose, Confidence::Low));
    assert_eq!(closes(SECOND).0, Cause::Unknown, "nothing came since the request");
}

#[test]
fn a_handshake_that_is_given_up_after_its_timeout_is_a_timeout_too() {
    let waited = case([gives_up_handshake(61_004)]);
    assert_eq!(said(&waited), (Cause::ProxyTimeout, Confidence::Medium));
    assert_eq!(said(&logging(Kind::TimedOut, waited)), (Cause::ProxyTimeout, Confidence::High));
    let sooner = case([gives_up_handshake(9000)]);
    assert_eq!(said(&sooner), (Cause::Unknown, Confidence::Low));
    assert!(classify(&sooner).evidence.contains(&Evidence::HandshakeUnanswered));
}

#[test]
fn nginx_that_closes_right_after_a_client_left_its_request_did_so_for_it() {
    let leaves = [client_leaves(8990, awaiting()), gives_up(9000)];
    assert_eq!(said(&case(leaves)), (Cause::ClientAbort, Confidence::Medium));
    let none = case([gives_up(9000)]);
    assert_eq!(said(&none), (Cause::Unknown, Confidence::Low));
    assert_eq!(said(&logging(Kind::ClientClosed, none)), (Cause::ClientAbort, Confidence::High));
}

#[test]
fn a_client_that_leaves_with_its_answer_is_no_reason() {
    assert_eq!(said(&case([client_leaves(8990, served()), gives_up(9000)])).0, Cause::Unknown);
    assert_eq!(said(&case([client_leaves(8900, awaiting()), gives_up(9000)])).0, Cause::Unknown, "too long before");
}

#[test]
fn a_client_that_leaves_just_at_the_timeout_makes_it_a_guess() {
    let both = [client_leaves(61_990, awaiting()), gives_up(62_000)];
    assert_eq!(said(&case(both)), (Cause::ProxyTimeout, Confidence::Low));
}

#[test]
fn a_silent_drop_stays_one_though_nginx_logs_its_timeout() {
    let lost = Snapshot { total_retransmits: 8, ..requested(at(2000), 10 * SECOND) };
    let dropped = case([upstream(62_000, Event::ClosedUnacked, TcpState::Established, lost)]);
    assert_eq!(said(&logging(Kind::TimedOut, dropped.clone())), (Cause::MiddleboxIdleDrop, Confidence::Medium));
    assert_eq!(crate::classify::conclude(&dropped, classify(&dropped)).signal, Signal::TimedOut);
    let mut handshake = gives_up_handshake(61_000);
    handshake.record_mut().local.set_port(50_461);
    let dead = case([upstream(62_000, Event::ClosedUnacked, TcpState::Established, lost), handshake]);
    assert_eq!(said(&dead), (Cause::BackendCrash, Confidence::Low), "the host answers nobody");
}

#[test]
fn a_response_that_nginx_refuses_is_told_by_the_evidence() {
    let refused = logging(Kind::TooBigHeader, case([gives_up(9000)]));
    assert_eq!(classify(&refused).cause, Cause::Unknown);
    assert!(classify(&refused).evidence.contains(&Evidence::LogSaysResponseRefused));
}

#[test]
fn a_farewell_of_tls_after_a_response_is_no_request_given_up() {
    let farewell = Snapshot {
        unacked: 31,
        since_last_send: Some(Duration::ZERO),
        since_last_receive: Some(Duration::from_millis(4)),
        ..requested(at(2000), SECOND)
    };
    let mut correlator = Correlator::new(Duration::from_millis(300));
    correlator.handle(upstream(2001, Event::ClosedUnacked, TcpState::Established, farewell));
    assert!(!correlator.flush().iter().any(Case::is_worth_a_verdict), "without a line");
    let long_due = Snapshot { since_last_receive: Some(3 * SECOND), ..farewell };
    let waited = case([upstream(2001, Event::ClosedUnacked, TcpState::Established, long_due)]);
    assert_eq!(said(&logging(Kind::TimedOut, waited)), (Cause::ProxyTimeout, Confidence::High));
}

#[test]
fn a_farewell_of_tls_in_the_middle_of_a_response_is_said_for_a_client_that_left() {
    let farewell = Snapshot { unacked: 31, bytes_sent: 387, ..requested(at(8999), SECOND) };
    let closes = upstream(9000, Event::ClosedUnacked, TcpState::Established, farewell);
    let more_came = Event::ResetSent { active: false, data_after_close: false };
    let refuses = upstream(9001, more_came, TcpState::FinWait2, farewell);
    let left = client_leaves(8990, Snapshot { unacked: 70_000, ..served() });
    assert_eq!(said(&case([left, closes.clone(), refuses.clone()])), (Cause::ClientAbort, Confidence::Medium));
    assert_eq!(said(&case([closes, refuses])), (Cause::IdleClose, Confidence::Medium), "nobody left");
}

#[test]
fn a_long_request_over_tls_that_is_given_up_while_it_is_sent_is_no_farewell() {
    let closes = |unacked| {
        let just_now = Some(Duration::from_millis(100));
        let sent = Snapshot { unacked, bytes_received: 651, since_last_receive: just_now, ..acknowledged(at(8900)) };
        let mut closed = upstream(9000, Event::ClosedUnacked, TcpState::Established, sent);
        closed.placing_mut().settings = Some(Arc::new(UpstreamSettings { tls: Some(true), ..configured() }));
        said(&case([closed]))
    };
    assert_eq!(closes(31), (Cause::IdleClose, Confidence::Low), "up to 300 ms pass in a turn of a busy worker");
    assert_eq!(closes(761_205), (Cause::Unknown, Confidence::Low));
}

#[test]
fn a_worker_that_dies_with_a_request_in_hand_closes_without_a_reset() {
    let mut dying = upstream(2000, Event::ExitClose, TcpState::Established, acknowledged(at(1990)));
    dying.record_mut().exit = Some(Exit::Signal(9));
    assert_eq!(said(&case([dying.clone()])), (Cause::ProxyCrash, Confidence::High));
    let mut correlator = Correlator::new(Duration::from_millis(300));
    dying.record_mut().snapshot = Some(idle(SECOND));
    correlator.handle(dying.clone());
    dying.record_mut().snapshot = Some(acknowledged(at(1990)));
    dying.record_mut().exit = Some(Exit::Status(0));
    correlator.handle(from_port(7, dying));
    assert!(correlator.flush().is_empty(), "idle, or in good order");
}

#[test]
fn a_server_that_refuses_and_serves_in_turns_has_a_limit() {
    let mut this = refused(2000);
    this.record_mut().local = proxy();
    let mut served = from_port(9, fin(2300, idle(Duration::from_millis(100))));
    served.record_mut().owner.as_mut().unwrap().opened_at = at(2100);
    let again = refused(2200);
    assert_eq!(said(&case([this.clone(), served.clone(), again])), (Cause::ConnectionLimit, Confidence::Medium));
    assert_eq!(said(&case([this, served])), (Cause::ConnectionRefused, Confidence::High), "it came back");
}

#[test]
fn a_long_request_that_nginx_closed_on_was_given_up_unless_an_answer_had_just_come() {
    let under_way = |since_last_receive| Snapshot {
        flight_never_acked: false,
        unacked: 144_800,
        since_last_receive: Some(since_last_receive),
        last_payload: Some(LastPayload::Tie),
        ..requested(at(2000), SECOND)
    };
    let resets = |since| crate::sample::reset(9000, TcpState::FinWait1, under_way(since));
    assert_eq!(said(&case([resets(3 * SECOND)])), (Cause::ProxyTimeout, Confidence::Low));
    let left = client_leaves(8990, awaiting());
    assert_eq!(said(&case([left, resets(3 * SECOND)])), (Cause::ClientAbort, Confidence::Medium));
    assert_eq!(said(&case([resets(Duration::from_millis(20))])).0, Cause::IdleClose, "its answer came early");
}
