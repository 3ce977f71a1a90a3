//! What a server says over HTTP/2 of a request that it does not take, as nginx logs it.

use super::*;
use crate::{
    correlate::{Case, Logged},
    nginx::error_log::line::Kind,
    sample::joined,
};

fn logged(kind: Kind, events: impl IntoIterator<Item = Attributed>) -> (Cause, Confidence) {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    events.into_iter().for_each(|event| correlator.handle(event));
    let cases = correlator.flush();
    let case = cases.into_iter().find(|case| case.connection.ends().local == proxy()).expect("a case");
    let mut line = joined();
    line.kind = Some(kind);
    let decision = classify(&Case { logged: Logged::Line(Box::new(line)), ..case });
    (decision.cause, decision.confidence)
}

/// nginx reads the GOAWAY, which came after its request and acknowledges nothing of it, and closes; the server's next
/// segment meets the closed socket.
fn closes(ms: u64, snapshot: Snapshot) -> [Attributed; 2] {
    let said = Snapshot {
        idle_before_request: None,
        since_last_receive: Some(Duration::ZERO),
        last_payload: Some(LastPayload::Received),
        ..snapshot
    };
    let refuses = Event::ResetSent { active: false, data_after_close: true };
    [
        upstream(ms, Event::ClosedUnacked, TcpState::Established, said),
        upstream(ms + 1, refuses, TcpState::FinWait1, said),
    ]
}

fn with(one: [Attributed; 2], other: Attributed) -> impl Iterator<Item = Attributed> {
    one.into_iter().chain([other])
}

#[test]
fn a_server_that_was_going_away_when_the_request_came_is_a_race() {
    let (crossing, expected) = (requested(at(1990), SECOND), (Cause::KeepaliveRace, Confidence::Medium));
    for kind in [Kind::WentAway, Kind::Rejected] {
        assert_eq!(logged(kind, closes(2000, crossing)), expected, "{kind}");
        let resets = reset(2005, TcpState::Closing, crossing);
        assert_eq!(logged(kind, with(closes(2000, crossing), resets)), expected, "{kind}");
    }
    assert_eq!(logged(Kind::WentAway, [fin(2000, idle(Duration::ZERO))]), expected, "its FIN came with it");
    assert_eq!(logged(Kind::WentAway, closes(2000, acknowledged(at(1990)))), expected, "it still listened");
}

#[test]
fn a_server_that_goes_away_and_is_gone_was_stopped() {
    let (expected, crossing) = ((Cause::BackendRestart, Confidence::Medium), requested(at(1990), SECOND));
    let and = |other| logged(Kind::WentAway, with(closes(2000, crossing), other));
    assert_eq!(and(refused(2100)), expected);
    assert_eq!(and(exit_close(2100, Exit::Signal(15))), expected);
    assert_eq!(and(exit_close(2100, Exit::Signal(11))).0, Cause::BackendCrash);
}

#[test]
fn a_server_that_names_an_error_for_a_request_that_it_had_aborted_it() {
    let (expected, taken) = ((Cause::BackendAbort, Confidence::Medium), acknowledged(at(1990)));
    assert_eq!(logged(Kind::Rejected, closes(2000, taken)), expected);
    assert_eq!(logged(Kind::Rejected, [fin(2000, idle(Duration::ZERO))]), expected);
    let died = with(closes(2000, taken), exit_close(2100, Exit::Signal(9)));
    assert_ne!(logged(Kind::Rejected, died).0, Cause::BackendAbort);
}
