use std::{sync::Arc, time::Duration};

use crate::{
    attribute::Attributed,
    classify::{Decision, classify},
    correlate::{Correlator, Logged},
    nginx::{
        error_log::{
            impact::NextUpstream,
            join::Joined,
            line::{Action, Kind},
        },
        upstream_settings::UpstreamSettings,
    },
    record::{Event, Snapshot, TcpState},
    sample::{acknowledged, at, configured, fin, idle, joined, requested, reset, upstream},
    verdict::{Cause, Confidence, Evidence, Impact},
};

const MOMENT: Duration = Duration::from_millis(4);

fn over(tls: Option<bool>, event: Attributed) -> Attributed {
    let next_upstream = Some(NextUpstream { servers: Some(1), ..NextUpstream::default() });
    let settings = UpstreamSettings { tls, next_upstream, ..configured() };
    event.placed(|placing| placing.settings = Some(Arc::new(settings)))
}

/// The decision on one connection, and on what nginx logged of it.
fn decide(tls: Option<bool>, events: impl IntoIterator<Item = Attributed>, line: Option<Joined>) -> Decision {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for event in events {
        correlator.handle(over(tls, event));
    }
    let mut case = correlator.flush().remove(0);
    case.logged = line.map_or(Logged::Unknown, |line| Logged::Line(Box::new(line)));
    classify(&case)
}

fn says(tls: Option<bool>, events: impl IntoIterator<Item = Attributed>) -> Cause {
    decide(tls, events, None).cause
}

/// nginx's farewell is on its way, and nobody acknowledged it.
fn farewell(unacked: u32) -> Snapshot {
    Snapshot { unacked, bytes_sent: 578, bytes_received: 2500, ..requested(at(1990), MOMENT) }
}

#[test]
fn what_is_as_long_as_a_farewell_is_one_only_where_tls_may_be_spoken() {
    let crossed = |tls, unacked| says(tls, [fin(2000, farewell(unacked))]);
    assert_eq!([Some(true), None].map(|tls| crossed(tls, 24)), [Cause::IdleClose; 2]);
    assert_eq!(crossed(Some(false), 24), Cause::KeepaliveRace, "a short request");
    assert_eq!([Some(true), None].map(|tls| crossed(tls, 53)), [Cause::IdleClose, Cause::KeepaliveRace]);
}

#[test]
fn what_was_written_after_the_fin_of_a_finished_response_may_be_a_farewell() {
    let answered = Snapshot { bytes_sent: 554, bytes_received: 2500, ..idle(MOMENT) };
    let taken = |bytes: u64| Snapshot { bytes_sent: 554 + bytes, bytes_received: 2501, ..acknowledged(at(1999)) };
    let cut = |tls, bytes| says(tls, [fin(2000, answered), reset(2001, TcpState::CloseWait, taken(bytes))]);
    assert_eq!(cut(Some(true), 24), Cause::IdleClose);
    assert_eq!(cut(Some(false), 24), Cause::BackendAbort);
    assert_eq!(cut(Some(true), 146), Cause::BackendAbort, "a request is longer");
}

#[test]
fn a_connection_that_nginx_closed_with_a_farewell_is_done() {
    let snapshot = Snapshot { since_last_receive: Some(MOMENT), since_last_send: Some(MOMENT), ..farewell(24) };
    let close = upstream(2000, Event::ClosedUnacked, TcpState::Established, snapshot);
    let acked = Snapshot { unacked: 0, flight_never_acked: false, ..snapshot };
    for then in [snapshot, acked] {
        assert_eq!(says(Some(true), [close.clone(), reset(2001, TcpState::FinWait1, then)]), Cause::IdleClose);
    }
}

/// nginx found the connection at its end in place of a response.
fn premature() -> Joined {
    let mut line = joined();
    (line.kind, line.action) = (Some(Kind::PrematurelyClosed), Some(Action::ReadingResponseHeader));
    line.method = Some("GET".into());
    line
}

#[test]
fn whether_a_request_over_tls_was_the_first_of_its_connection_is_not_made_up() {
    let ended = |tls, sent, gap| {
        let snapshot = Snapshot { idle_before_request: Some(gap), bytes_received: 2500, ..acknowledged(at(sent)) };
        decide(tls, [fin(sent + 30, snapshot)], Some(premature()))
    };
    let reused = |decision: &Decision| decision.evidence.contains(&Evidence::ConnectionReused);
    let fresh = ended(Some(true), 1045, MOMENT);
    assert!(fresh.impact == Impact::RequestFailed && !reused(&fresh), "two round trips old: {fresh:?}");
    let doubtful = ended(Some(true), 1500, MOMENT);
    assert!(doubtful.impact == Impact::Unknown && !reused(&doubtful), "{doubtful:?}");
    let pooled = ended(Some(true), 1500, Duration::from_millis(400));
    assert!(pooled.impact == Impact::RequestRetried && reused(&pooled), "{pooled:?}");
    let plain = ended(Some(false), 1045, MOMENT);
    assert!(plain.impact == Impact::RequestRetried && reused(&plain), "bytes came: a response. {plain:?}");
}

#[test]
fn a_crossing_of_what_may_be_a_first_request_is_no_certain_race() {
    let crossing = |tls, gap| {
        let decision = decide(tls, [fin(1600, Snapshot { bytes_received: 2500, ..requested(at(1500), gap) })], None);
        (decision.cause, decision.confidence)
    };
    assert_eq!(crossing(Some(true), MOMENT), (Cause::KeepaliveRace, Confidence::Medium));
    assert_eq!(crossing(Some(true), Duration::from_millis(400)), (Cause::KeepaliveRace, Confidence::High));
    let plain = crossing(Some(false), MOMENT);
    assert_eq!(plain, (Cause::KeepaliveRace, Confidence::Medium), "it may be the rest of a request answered early");
    assert_eq!(crossing(Some(false), Duration::from_millis(400)), (Cause::KeepaliveRace, Confidence::High));
}

#[test]
fn a_farewell_that_was_taken_before_nginx_closed_hurts_nobody() {
    let closes = |tls, ms| {
        let said = Snapshot { bytes_received: 2500, since_last_receive: Some(MOMENT), ..acknowledged(at(2000)) };
        says(tls, [upstream(ms, Event::ClosedUnacked, TcpState::Established, said)])
    };
    assert_eq!(closes(Some(true), 2001), Cause::IdleClose);
    assert_ne!(closes(Some(true), 2400), Cause::IdleClose, "that was a request");
    assert_ne!(closes(Some(false), 2001), Cause::IdleClose);
}

#[test]
fn farewells_that_cross_hurt_nobody() {
    let late = Event::ResetSent { active: false, data_after_close: true };
    let after_close = |tls| says(tls, [upstream(2000, late, TcpState::FinWait2, acknowledged(at(1999)))]);
    assert_eq!(after_close(Some(true)), Cause::IdleClose);
    assert_ne!(after_close(Some(false)), Cause::IdleClose);

    let together = Event::ResetSent { active: false, data_after_close: false };
    let with_ack = |tls| says(tls, [upstream(2000, together, TcpState::FinWait2, acknowledged(at(1999)))]);
    assert_eq!(with_ack(Some(true)), Cause::IdleClose, "it came with the acknowledgement of this end's FIN");
    assert_ne!(with_ack(Some(false)), Cause::IdleClose);

    let ours = Event::ResetSent { active: true, data_after_close: false };
    let said = Snapshot { bytes_sent: 578, bytes_received: 2500, ..acknowledged(at(1999)) };
    let unread = |bytes| Snapshot { unread: bytes, ..said };
    let left = |tls, bytes| says(tls, [fin(2000, said), upstream(2001, ours, TcpState::CloseWait, unread(bytes))]);
    assert_eq!(left(Some(true), 25), Cause::IdleClose);
    assert_ne!(left(Some(true), 5000), Cause::IdleClose, "a part of a response");
    assert_ne!(left(Some(false), 25), Cause::IdleClose);
}

#[test]
fn a_farewell_is_no_excuse_for_a_response_that_nginx_left_unread() {
    let closed = |unread| {
        let said = Snapshot { unread, ..farewell(24) };
        says(
            Some(true),
            [upstream(2000, Event::ResetSent { active: true, data_after_close: false }, TcpState::Established, said)],
        )
    };
    assert_eq!(closed(24), Cause::IdleClose);
    assert_ne!(closed(400_000), Cause::IdleClose);
}

#[test]
fn a_farewell_that_nginx_answered_hurt_nobody_if_its_log_is_silent() {
    let of = |said, tls, ended, logged: Logged| {
        let mut correlator = Correlator::new(Duration::from_millis(300));
        correlator.handle(over(tls, fin(ended, said)));
        let mut case = correlator.flush().remove(0);
        case.logged = logged;
        classify(&case).cause
    };
    let said = Snapshot { idle_before_request: Some(MOMENT), ..acknowledged(at(1999)) };
    let answered = |tls, ended, logged| of(said, tls, ended, logged);
    assert_eq!(answered(Some(true), 2000, Logged::Nothing), Cause::IdleClose);
    let same_jiffy = Snapshot {
        idle_before_request: None,
        since_last_send: Some(Duration::ZERO),
        since_last_receive: Some(Duration::ZERO),
        ..acknowledged(at(1999))
    };
    assert_eq!(of(same_jiffy, Some(true), 2000, Logged::Nothing), Cause::IdleClose);
    let earlier = Snapshot { since_last_receive: Some(Duration::from_secs(1)), total_retransmits: 1, ..same_jiffy };
    assert_eq!(of(earlier, Some(true), 2000, Logged::Nothing), Cause::BackendAbort);
    assert_eq!(answered(Some(true), 2000, Logged::Unknown), Cause::BackendAbort);
    assert_eq!(answered(Some(true), 2100, Logged::Nothing), Cause::BackendAbort, "the backend had time to think");
    assert_eq!(answered(Some(false), 2000, Logged::Nothing), Cause::BackendAbort);
}

#[test]
fn a_farewell_at_the_end_of_a_timeout_leaves_a_response_due() {
    let closed = |waited| {
        let said = Snapshot { since_last_send: Some(Duration::ZERO), since_last_receive: Some(waited), ..farewell(24) };
        let read_timeouts = vec![Duration::from_millis(400)];
        let settings = UpstreamSettings { tls: Some(true), read_timeouts, ..configured() };
        let event = upstream(2000, Event::ClosedUnacked, TcpState::Established, said);
        let mut correlator = Correlator::new(Duration::from_millis(300));
        correlator.handle(event.placed(|placing| placing.settings = Some(Arc::new(settings))));
        correlator.flush().iter().filter(|case| case.is_worth_a_verdict()).count()
    };
    let waited = [200, 370, 410, 700, 1500].map(|ms| closed(Duration::from_millis(ms)));
    assert_eq!(waited, [0, 1, 1, 0, 1], "round trips take 20 ms");
}

#[test]
fn a_farewell_that_was_taken_before_nginx_closed_hurt_nobody() {
    let closed = |tls, ms: u64| {
        let said = Snapshot { since_last_receive: Some(MOMENT), ..acknowledged(at(2000 - ms)) };
        says(tls, [upstream(2000, Event::ClosedUnacked, TcpState::Established, said)])
    };
    assert_eq!([1, 130, 400].map(|ms| closed(Some(true), ms)), [Cause::IdleClose, Cause::IdleClose, Cause::Unknown]);
    assert_eq!([1, 30].map(|ms| closed(None, ms)), [Cause::IdleClose, Cause::Unknown]);
    assert_eq!(closed(Some(false), 1), Cause::Unknown);
}
