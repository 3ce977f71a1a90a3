//! What is not known names itself, and nothing else does.

use std::time::Duration;

use super::*;
use crate::{
    attribute::Attributed,
    classify::classify,
    correlate::Correlator,
    record::{Event, TcpState},
    sample::{acknowledged, at, configured, fin, idle, peer_reset, proxy, requested, reset, upstream},
};
use std::sync::Arc;

const SECOND: Duration = Duration::from_secs(1);

/// What would raise the verdict on the connection that these end, of which the log says `logged`.
fn raised(events: impl IntoIterator<Item = Attributed>, logged: Logged) -> (Cause, Vec<WouldRaise>) {
    let mut correlator = Correlator::new(Duration::from_millis(300));
    events.into_iter().for_each(|event| correlator.handle(event));
    let mut cases = correlator.flush();
    let case = cases.iter_mut().find(|case| case.connection.ends().local == proxy()).expect("a case");
    case.logged = logged;
    let decision = classify(case);
    (decision.cause, would_raise(case, &decision).to_vec())
}

#[test]
fn what_is_certain_needs_nothing() {
    assert_eq!(raised([fin(2000, requested(at(1990), SECOND))], Logged::Unknown), (Cause::KeepaliveRace, vec![]));
}

#[test]
fn a_reset_of_an_idle_connection_wants_the_packet_the_timeout_and_the_backends_host() {
    let lost = reset(2000, TcpState::Established, requested(at(1979), SECOND));
    let wanted = vec![WouldRaise::ResetPacket, WouldRaise::LearnedIdleTimeout, WouldRaise::BackendHost];
    assert_eq!(raised([lost], Logged::Unknown), (Cause::MiddleboxIdleDrop, wanted));
}

#[test]
fn an_abort_wants_the_backends_host_and_time_unless_its_host_is_this_one() {
    let aborted = reset(2000, TcpState::Established, acknowledged(at(1990)));
    let wanted = vec![WouldRaise::BackendHost, WouldRaise::LongerSettle];
    assert_eq!(raised([aborted.clone()], Logged::Unknown), (Cause::BackendAbort, wanted));
    assert_eq!(raised([aborted, peer_reset(1999)], Logged::Unknown), (Cause::BackendAbort, vec![]));
}

#[test]
fn an_end_by_nginx_itself_wants_its_log_its_configuration_and_the_clients_side() {
    let closed = upstream(2000, Event::ClosedUnacked, TcpState::Established, acknowledged(at(1500)));
    let wanted = vec![WouldRaise::ErrorLog, WouldRaise::Configuration, WouldRaise::ClientSide];
    assert_eq!(raised([closed.clone()], Logged::Unknown), (Cause::Unknown, wanted));
    let configured = closed.placed(|placing| placing.settings = Some(Arc::new(configured())));
    assert_eq!(raised([configured], Logged::Nothing), (Cause::Unknown, vec![WouldRaise::ClientSide]));
}

#[test]
fn a_response_that_ended_with_its_connection_wants_the_log_where_none_is_read() {
    let ended = fin(2000, idle(Duration::from_millis(5)));
    assert_eq!(raised([ended.clone()], Logged::Unknown), (Cause::IdleClose, vec![WouldRaise::ErrorLog]));
    assert_eq!(raised([ended], Logged::Nothing), (Cause::IdleClose, vec![]));
}
