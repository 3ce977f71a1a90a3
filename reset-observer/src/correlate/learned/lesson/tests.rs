use super::*;
use crate::{
    attribute::Attributed,
    correlate::Correlator,
    record::{Exit, Packet},
    sample::{RESPONSE_TIME, acknowledged, at, exit_close, fin, idle, requested, reset, upstream},
};

const SECOND: Duration = Duration::from_secs(1);

/// What the connection that these events are of teaches.
fn lesson(events: impl IntoIterator<Item = Attributed>) -> Lesson {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for event in events {
        correlator.handle(event);
    }
    let cases = correlator.flush();
    cases.iter().find_map(|case| Lesson::of(&case.connection, case.client_left)).expect("a case")
}

/// A TLS connection when its server has said `close_notify` after five seconds: 24 bytes that nginx has not read.
fn close_notify() -> Snapshot {
    let moment = Duration::from_millis(4);
    Snapshot {
        unread: 24,
        bytes_received: 3600,
        idle_now: Some(moment),
        since_last_receive: Some(moment),
        since_last_send: Some(5 * SECOND + RESPONSE_TIME),
        ..idle(SECOND)
    }
}

/// nginx resets the connection that it closes with something unread.
fn our_reset(ms: u64, snapshot: Snapshot) -> Attributed {
    upstream(ms, Event::ResetSent { active: true, data_after_close: false }, TcpState::Established, snapshot)
}

#[test]
fn a_clean_close_shows_idle_time_response_time_and_round_trip() {
    let lesson = lesson([fin(9000, idle(5 * SECOND))]);
    assert_eq!(lesson.idle, Some((5 * SECOND, Grade::Clean)));
    assert_eq!(lesson.response, Some(RESPONSE_TIME));
    assert_eq!(lesson.round_trip, Some(Duration::from_millis(20)));
    assert!(!lesson.hurt && lesson.kept_for.is_none() && lesson.cut_size.is_none());
}

#[test]
fn a_request_that_crossed_the_fin_leaves_the_close_a_clean_one() {
    let lesson = lesson([fin(9000, requested(at(8990), 5 * SECOND))]);
    assert_eq!(lesson.idle, Some((5 * SECOND + Duration::from_millis(20), Grade::Clean)), "until the FIN came");
    assert!(!lesson.hurt && lesson.kept_for.is_none());
}

#[test]
fn a_close_after_a_request_that_was_taken_hurts_and_shows_how_long_the_connection_was_kept() {
    let lesson = lesson([fin(9000, acknowledged(at(8990)))]);
    assert!(lesson.hurt && lesson.idle.is_none());
    assert_eq!(lesson.kept_for, Some(SECOND));
}

#[test]
fn a_close_notify_hides_when_the_response_came_and_the_request_tells() {
    let expected = Some((5 * SECOND + RESPONSE_TIME, Grade::Farewell));
    assert_eq!(lesson([fin(9000, close_notify())]).idle, expected);
    assert_eq!(lesson([fin(9000, close_notify()), our_reset(9001, close_notify())]).idle, expected, "nginx resets it");
    assert_eq!(lesson([our_reset(9000, close_notify())]).idle, expected, "before the FIN came");
    assert_eq!(lesson([fin(9000, close_notify())]).response, None, "the farewell is no response");
}

#[test]
fn a_response_that_ends_with_its_connection_is_no_farewell() {
    for (unread, bytes_received) in [(0, 3600), (900, 3600), (126, 126)] {
        let response = Snapshot { unread, bytes_received, ..close_notify() };
        assert_eq!(lesson([fin(9000, response)]).idle, None, "{unread} of {bytes_received} bytes unread");
    }
}

#[test]
fn nginx_cuts_the_upstream_of_a_client_that_left_with_little_unread_too() {
    let mut left = crate::sample::from_port(443, fin(8990, idle(SECOND)));
    left.placing_mut().leg = Leg::Client;
    assert_eq!(lesson([left, our_reset(9000, close_notify())]).idle, None);
    let mut dying = our_reset(9000, close_notify());
    dying.record_mut().exit = Some(Exit::Signal(9));
    assert_eq!(lesson([dying]).idle, None, "nor is the death of a worker the server's doing");
}

#[test]
fn a_reset_within_a_response_shows_its_size_and_one_of_an_idle_connection_does_not() {
    let cut = |snapshot| lesson([reset(9000, TcpState::Established, snapshot)]).cut_size;
    assert_eq!(cut(Snapshot { bytes_received: 65_600, ..idle(Duration::from_millis(8)) }), Some(65_600));
    assert_eq!(cut(idle(5 * SECOND)), None);
    assert_eq!(cut(requested(at(8990), SECOND)), None, "no response had begun");
}

#[test]
fn a_reset_shows_the_distance_of_the_syn_ack() {
    let mut event = reset(9000, TcpState::Established, idle(Duration::from_millis(8)));
    event.record_mut().packet = Some(Packet {
        tcp_flags: 0x14,
        ttl: 60,
        syn_ack_ttl: Some(63),
        window: 1,
        seq: 1,
        ack: Some(1),
        timestamp: true,
    });
    assert_eq!(lesson([event]).syn_ack_ttl, Some(63));
}

#[test]
fn other_legs_teach_nothing() {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    correlator.handle(exit_close(9000, Exit::Signal(9)));
    let mut other = fin(9000, idle(5 * SECOND));
    other.placing_mut().leg = Leg::Other;
    correlator.handle(other);
    for case in correlator.flush() {
        assert_eq!(Lesson::of(&case.connection, false), None);
    }
    assert_eq!(correlator.idle_timeouts().count(), 0);
}
