//! A request that was written when the FIN of an idle connection had come, of which only nginx's log knows.

use std::sync::Arc;

use super::*;
use crate::{
    correlate::{Case, Logged},
    nginx::{
        error_log::line::{Action, Kind},
        upstream_settings::UpstreamSettings,
    },
    sample::{configured, joined},
};

/// What is said of an idle connection that the server closed after `timeout`, and of which nginx logged that a request had
/// no answer; `more` came besides, and `taught` closes of others before.
fn said(tls: Option<bool>, taught: bool, idle_for: Duration, more: impl IntoIterator<Item = Attributed>) -> Decision {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    for port in 1..=if taught { 3_u16 } else { 0 } {
        correlator.handle(from_port(port, fin(u64::from(port) * 500, idle(SECOND))));
        correlator.poll(at(u64::from(port) * 500 + 1600));
    }
    let mut closed = fin(5000, idle(idle_for));
    closed.placing_mut().settings = tls.map(|tls| Arc::new(UpstreamSettings { tls: Some(tls), ..configured() }));
    correlator.handle(closed);
    more.into_iter().for_each(|event| correlator.handle(event));
    let cases = correlator.flush();
    let case = cases.into_iter().find(|case| case.connection.ends().local == proxy()).expect("a case");
    let mut line = joined();
    (line.kind, line.action) = (Some(Kind::PrematurelyClosed), Some(Action::ReadingResponseHeader));
    line.method = Some("GET".into());
    classify(&Case { logged: Logged::Line(Box::new(line)), ..case })
}

#[test]
fn a_request_that_a_closing_server_threw_away_is_a_race() {
    let race = said(Some(false), true, SECOND, []);
    assert_eq!((race.cause, race.confidence), (Cause::KeepaliveRace, Confidence::Medium));
    assert_eq!((race.evidence[0], race.impact), (Evidence::FinSeen, Impact::RequestRetried));
    assert!(race.evidence.contains(&Evidence::LogSaysUnanswered) && !race.evidence.contains(&Evidence::LogSaysCut));
    let guess = said(Some(false), false, SECOND, []);
    assert_eq!((guess.cause, guess.confidence), (Cause::KeepaliveRace, Confidence::Low), "nothing learned");
}

#[test]
fn over_tls_a_ticket_may_have_followed_the_request() {
    assert_eq!(said(Some(true), true, SECOND, []).cause, Cause::KeepaliveRace, "the idle timeout was over");
    assert_eq!(said(Some(true), false, SECOND, []).cause, Cause::Unknown);
    assert_eq!(said(Some(true), true, SECOND / 3, []).cause, Cause::Unknown);
    let farewell = said(Some(true), false, Duration::from_millis(4), []);
    assert_eq!((farewell.cause, farewell.impact), (Cause::Unknown, Impact::Unknown), "it hid how long that was");
}

#[test]
fn a_server_that_is_gone_did_not_close_for_idleness() {
    assert_eq!(said(Some(false), true, SECOND, [refused(5100)]).cause, Cause::BackendCrash);
    assert_eq!(said(Some(false), true, SECOND, [exit_close(5000, Exit::Signal(9))]).cause, Cause::BackendCrash);
    assert_eq!(said(Some(false), true, SECOND, [exit_close(5000, Exit::Signal(15))]).cause, Cause::BackendRestart);
}

#[test]
fn right_after_a_response_a_line_is_of_another_connection() {
    assert_eq!(said(Some(false), false, Duration::from_millis(4), []).cause, Cause::IdleClose);
}

#[test]
fn a_request_that_crossed_the_servers_farewell_within_tls_is_a_race() {
    let met = |since_last_send, more: Option<Attributed>| {
        let snapshot = Snapshot {
            idle_before_request: None,
            last_payload: Some(LastPayload::Received),
            since_last_send: Some(Duration::from_millis(since_last_send)),
            since_last_receive: Some(Duration::ZERO),
            ..requested(at(2000), SECOND)
        };
        let mut correlator = Correlator::new(Duration::from_millis(300));
        correlator.handle(upstream(2000 + since_last_send, Event::ClosedUnacked, TcpState::Established, snapshot));
        more.into_iter().for_each(|event| correlator.handle(event));
        let cases = correlator.flush();
        let case = cases.into_iter().find(|case| case.connection.ends().local == proxy()).expect("a case");
        assert!(!case.is_worth_a_verdict(), "without a line it may be nginx's own farewell");
        let mut line = joined();
        (line.kind, line.action) = (Some(Kind::PrematurelyClosed), Some(Action::ReadingResponseHeader));
        let decision = classify(&Case { logged: Logged::Line(Box::new(line)), ..case });
        (decision.cause, decision.confidence)
    };
    let race = (Cause::KeepaliveRace, Confidence::Medium);
    assert_eq!(met(4, None), race, "a round trip takes 20 ms");
    assert_ne!(met(50, None).0, Cause::KeepaliveRace, "the farewell may be its answer");
    assert_eq!(met(4, Some(refused(2100))).0, Cause::BackendCrash, "the server is gone");
}
