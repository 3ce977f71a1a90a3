use std::{sync::Arc, time::Duration};

use super::*;
use crate::{
    attribute::Attributed,
    correlate::Correlator,
    record::{Event, Exit, LastPayload, Packet, Record, Snapshot, TcpState},
    sample::{
        acknowledged, at, exit_close, fin, from_port, idle, peer_reset, proxy, refused, requested, reset, upstream,
    },
    verdict::{Evidence, Leg},
};

const SECOND: Duration = Duration::from_secs(1);

/// The decision on the connection that the test is about.
fn decide(events: impl IntoIterator<Item = Attributed>) -> Decision {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for event in events {
        correlator.handle(event);
    }
    let cases = correlator.flush();
    classify(cases.iter().find(|case| case.connection.ends().local == proxy()).expect("a case"))
}

fn says(events: impl IntoIterator<Item = Attributed>) -> (Cause, Confidence) {
    let decision = decide(events);
    (decision.cause, decision.confidence)
}

/// Clean closes that teach the server's idle timeout, on other connections and long before.
fn taught(timeout: Duration, then: Attributed) -> Decision {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for (port, ms) in [(1, 100_u64), (2, 600), (3, 1100)] {
        correlator.handle(from_port(port, fin(ms, idle(timeout))));
        correlator.poll(at(ms + 1600));
    }
    correlator.handle(then);
    let cases = correlator.flush();
    classify(cases.iter().find(|case| case.connection.ends().local == proxy()).expect("a case"))
}

#[test]
fn a_fin_that_crosses_the_request_is_a_race() {
    let request = requested(at(1990), SECOND);
    assert_eq!(says([fin(2000, request)]), (Cause::KeepaliveRace, Confidence::High));
    assert_eq!(
        says([fin(2000, request), reset(2020, TcpState::LastAck, request)]),
        (Cause::KeepaliveRace, Confidence::High)
    );
}

#[test]
fn a_request_written_after_the_fin_is_a_race_and_says_so() {
    let decision = decide([fin(2000, idle(SECOND)), reset(2100, TcpState::CloseWait, requested(at(2099), SECOND))]);
    assert_eq!((decision.cause, decision.confidence), (Cause::KeepaliveRace, Confidence::High));
    assert!(decision.evidence.contains(&Evidence::WrittenAfterFin));
}

#[test]
fn a_crossing_with_a_server_that_vanished_is_no_race() {
    let cause = says([fin(2000, requested(at(1990), SECOND)), refused(2100)]).0;
    assert_eq!(cause, Cause::BackendCrash);
}

#[test]
fn a_local_process_that_died_with_a_request_in_hand_crashed() {
    let request = acknowledged(at(1990));
    for exit in [Exit::Signal(9), Exit::Signal(11), Exit::Signal(6), Exit::Status(1)] {
        let expected = (Cause::BackendCrash, Confidence::High);
        assert_eq!(says([exit_close(2000, exit), fin(2010, request)]), expected, "{exit}");
        assert_eq!(says([fin(2000, request), exit_close(2010, exit)]), expected, "{exit}, said later");
    }
}

#[test]
fn a_local_process_that_ended_in_good_order_restarted() {
    for exit in [Exit::Status(0), Exit::Signal(15), Exit::Signal(2)] {
        let said = says([exit_close(2000, exit), fin(2010, acknowledged(at(1990)))]);
        assert_eq!(said, (Cause::BackendRestart, Confidence::High), "{exit}");
    }
}

#[test]
fn a_crash_hurts_no_connection_that_was_idle() {
    let decision = decide([exit_close(2000, Exit::Signal(9)), fin(2010, idle(5 * SECOND))]);
    assert_eq!((decision.cause, decision.impact), (Cause::IdleClose, Impact::None));
}

#[test]
fn a_remote_server_that_is_cut_and_then_refuses_is_gone_but_not_surely_crashed() {
    let expected = (Cause::BackendCrash, Confidence::Medium);
    assert_eq!(says([fin(2000, acknowledged(at(1990))), refused(2100)]), expected);
    assert_eq!(says([refused(1900), fin(2000, acknowledged(at(1990)))]), expected);
    assert_eq!(says([reset(2000, TcpState::Established, acknowledged(at(1990))), refused(2100)]), expected);
}

#[test]
fn a_connection_cut_alone_with_its_request_acknowledged_was_aborted() {
    assert_eq!(says([fin(2000, acknowledged(at(1990)))]), (Cause::BackendAbort, Confidence::Medium));
    let reset = reset(2000, TcpState::Established, acknowledged(at(1990)));
    assert_eq!(says([reset.clone()]), (Cause::BackendAbort, Confidence::Medium));
    assert_eq!(says([reset, peer_reset(1999)]), (Cause::BackendAbort, Confidence::High));
}

#[test]
fn what_was_learned_of_the_idle_timeout_parts_race_and_middlebox() {
    let lost = |gap| reset(5000, TcpState::Established, requested(at(4979), gap));
    let race = taught(5 * SECOND, lost(5 * SECOND));
    assert_eq!((race.cause, race.confidence), (Cause::KeepaliveRace, Confidence::Medium));
    assert!(race.evidence.contains(&Evidence::IdleMatchesLearnedTimeout));
    let drop = taught(60 * SECOND, lost(5 * SECOND));
    assert_eq!((drop.cause, drop.confidence), (Cause::MiddleboxIdleDrop, Confidence::Medium));
    assert_eq!(says([lost(5 * SECOND)]), (Cause::MiddleboxIdleDrop, Confidence::Low), "nothing learned: a guess");
    assert_eq!(says([lost(SECOND / 2)]).0, Cause::Unknown, "hardly idle: not even that");
}

#[test]
fn a_refused_handshake_is_just_that() {
    let mut refused = refused(2000);
    refused.record_mut().local = proxy();
    assert_eq!(says([refused]), (Cause::ConnectionRefused, Confidence::High));
}

#[test]
fn a_new_connection_cut_at_once_met_a_limit() {
    let fresh = Snapshot { bytes_received: 0, ..requested(at(1001), Duration::from_millis(1)) };
    let cut = |event: Attributed| says([event]);
    let expected = (Cause::ConnectionLimit, Confidence::Medium);
    assert_eq!(cut(reset(1022, TcpState::Established, fresh)), expected);
    assert_eq!(cut(fin(1022, fresh)), expected);
}

#[test]
fn a_first_request_that_was_read_and_not_answered_was_aborted_not_turned_away() {
    let read = Snapshot { bytes_received: 0, bytes_sent: 73, bytes_acked: 73, ..acknowledged(at(1001)) };
    assert_eq!(says([reset(1002, TcpState::Established, read)]).0, Cause::BackendAbort);
    assert_eq!(says([fin(1002, read)]).0, Cause::BackendAbort);
    let mut unread = peer_reset(1002);
    unread.record_mut().snapshot = Some(Snapshot { bytes_received: 73, unread: 73, ..read });
    assert_eq!(says([unread.clone(), reset(1002, TcpState::Established, read)]).0, Cause::ConnectionLimit);
    unread.record_mut().at = at(1_400);
    let late = reset(1_400, TcpState::Established, read);
    assert_eq!(says([unread.clone(), late.clone()]).0, Cause::ConnectionLimit, "a busy application came to it late");
    assert_eq!(says([late]).0, Cause::BackendAbort, "whether it was read is not known");
    unread.record_mut().at = at(4_000);
    assert_eq!(says([unread, reset(4_000, TcpState::Established, read)]).0, Cause::BackendAbort, "not at once");
}

#[test]
fn closes_of_idle_connections_are_harmless() {
    let decision = decide([fin(2000, idle(SECOND))]);
    assert_eq!(
        (decision.cause, decision.confidence, decision.impact),
        (Cause::IdleClose, Confidence::High, Impact::None)
    );
    assert_eq!(says([reset(2000, TcpState::Established, idle(SECOND))]).0, Cause::IdleClose);
    let just_answered = fin(2000, idle(Duration::ZERO));
    assert_eq!(says([just_answered]), (Cause::IdleClose, Confidence::Medium), "or a response cut short");
}

#[test]
fn a_response_cut_by_a_reset_failed_its_request() {
    let decision = decide([reset(2000, TcpState::Established, idle(Duration::from_millis(4)))]);
    assert_eq!((decision.cause, decision.impact), (Cause::BackendAbort, Impact::RequestFailed));
}

#[test]
fn a_worker_that_dies_takes_its_connections_with_it() {
    let sent = Event::ResetSent { active: true, data_after_close: false };
    let mut dying = upstream(2000, sent, TcpState::Established, acknowledged(at(1990)));
    dying.record_mut().exit = Some(Exit::Signal(11));
    assert_eq!(says([dying]), (Cause::ProxyCrash, Confidence::High));
}

#[test]
fn a_client_that_resets_in_mid_response_left() {
    let mut left = reset(2000, TcpState::Established, requested(at(1990), SECOND));
    left.placing_mut().leg = Leg::Client;
    assert_eq!(says([left]).0, Cause::ClientAbort);
    let mut done = reset(2000, TcpState::Established, idle(SECOND));
    done.placing_mut().leg = Leg::Client;
    done.record_mut().snapshot.as_mut().unwrap().last_payload = Some(LastPayload::Sent);
    assert_eq!(says([done]).0, Cause::IdleClose);
}

#[test]
fn a_reset_that_the_local_backend_never_sent_is_a_middleboxs() {
    let mut forged = reset(1993, TcpState::Established, requested(at(1990), SECOND / 2));
    forged.record_mut().peer_on_host = true;
    let decision = decide([forged.clone()]);
    assert_eq!((decision.cause, decision.confidence), (Cause::MiddleboxIdleDrop, Confidence::High));
    assert!(decision.evidence.contains(&Evidence::LocalPeerNeverSent));
    assert_ne!(says([forged, peer_reset(1992)]).0, Cause::MiddleboxIdleDrop);
}

#[test]
fn a_reset_from_another_distance_is_a_middleboxs_unless_a_live_socket_sent_it() {
    let mut elsewhere = reset(2011, TcpState::Established, requested(at(1990), SECOND / 2));
    let packet =
        Packet { tcp_flags: 4, ttl: 252, syn_ack_ttl: Some(63), window: 0, seq: 1, ack: None, timestamp: false };
    elsewhere.record_mut().packet = Some(packet);
    assert_eq!(says([elsewhere.clone()]), (Cause::MiddleboxIdleDrop, Confidence::High));
    elsewhere.record_mut().packet = Some(Packet { ack: Some(7), timestamp: true, window: 78, ..packet });
    assert_eq!(says([elsewhere]).0, Cause::Unknown);
}

#[test]
fn a_request_that_nobody_answers_is_said_when_this_end_gives_up() {
    let silent = |total_retransmits| {
        let snapshot = Snapshot { total_retransmits, ..requested(at(1990), 10 * SECOND) };
        upstream(62_000, Event::ClosedUnacked, TcpState::Established, snapshot)
    };
    let decision = decide([silent(8)]);
    assert_eq!((decision.cause, decision.confidence), (Cause::MiddleboxIdleDrop, Confidence::Medium));
    assert_eq!(decision.evidence[0], Evidence::NobodyAnswered);
    let mut at_once = silent(1);
    at_once.record_mut().at = at(1991);
    assert_ne!(says([at_once]).0, Cause::MiddleboxIdleDrop, "what was sent twice was something before it");
    let mut correlator = Correlator::new(Duration::from_millis(300));
    correlator.handle(silent(0));
    assert!(!correlator.flush().iter().any(Case::is_worth_a_verdict), "a close right after sending says nothing");
}

#[test]
fn a_request_left_unread_by_a_backend_that_lives_is_a_race() {
    let mut unread = peer_reset(1999);
    unread.record_mut().snapshot = Some(Snapshot { unread: 73, ..idle(SECOND) });
    let lost = reset(2000, TcpState::Established, requested(at(1990), SECOND));
    assert_eq!(says([unread, lost]), (Cause::KeepaliveRace, Confidence::Medium));
}

#[test]
fn a_request_that_met_a_closed_socket_whose_fin_was_lost_is_a_race() {
    let mut closed = peer_reset(1999);
    closed.record_mut().event = Event::ResetSent { active: false, data_after_close: true };
    let lost = reset(2000, TcpState::Established, requested(at(1990), SECOND));
    assert_eq!(says([closed, lost.clone()]), (Cause::KeepaliveRace, Confidence::Medium));
    assert_eq!(says([peer_reset(1999), lost]).0, Cause::BackendAbort, "an abort of a live socket is none");
}

#[test]
fn what_comes_after_this_end_closed_hurts_nobody() {
    let after = reset(2000, TcpState::FinWait1, acknowledged(at(1990)));
    assert_eq!(says([after.clone()]).0, Cause::IdleClose);
    assert_eq!(says([after, exit_close(2000, Exit::Signal(9))]).0, Cause::IdleClose);
}

#[test]
fn a_packet_that_meets_what_both_ends_had_closed_hurts_nobody() {
    let mut late = peer_reset(2000);
    late.record = Arc::new(Record { state_before: Some(TcpState::TimeWait), snapshot: None, ..(*late.record).clone() });
    let ours = Attributed {
        record: Arc::new(Record {
            local: proxy(),
            remote: late.record.local,
            netns: Some(1),
            ..(*late.record).clone()
        }),
        ..late
    };
    let ours = ours.placed(|placing| placing.leg = Leg::Upstream);
    assert_eq!(says([ours]), (Cause::IdleClose, Confidence::Low));
}

#[test]
fn a_backend_that_dies_in_mid_response_crashed_but_not_surely() {
    let in_response = fin(2000, idle(Duration::from_millis(4)));
    let said = says([in_response, exit_close(2000, Exit::Signal(9))]);
    assert_eq!(said, (Cause::BackendCrash, Confidence::Medium));
}

#[test]
fn a_connection_closed_before_its_first_request_was_turned_away_or_only_spare() {
    let unused = Snapshot {
        bytes_sent: 0,
        bytes_acked: 0,
        bytes_received: 0,
        last_payload: None,
        first_transmit_at: None,
        ..idle(SECOND)
    };
    assert_eq!(says([fin(1001, unused)]), (Cause::ConnectionLimit, Confidence::Medium));
    assert_eq!(says([fin(9000, unused)]), (Cause::IdleClose, Confidence::Medium));
}

#[test]
fn the_close_notify_of_this_end_is_no_request_that_was_lost() {
    let farewell = Snapshot { unacked: 31, bytes_sent: 578, ..requested(at(1990), SECOND / 2) };
    let crossed = |snapshot| says([fin(2000, snapshot)]).0;
    assert_eq!(crossed(farewell), Cause::IdleClose);
    assert_eq!(crossed(Snapshot { unacked: 90, ..farewell }), Cause::KeepaliveRace, "a request is longer");
    assert_eq!(crossed(Snapshot { bytes_sent: 62, ..farewell }), Cause::KeepaliveRace, "no TLS session is so short");
}

mod order;
mod over_http2;
mod sooner;
mod unseen;
