//! This host's own doing, and ends before or on the client's side of the request.

use std::time::Duration;

use smallvec::smallvec;

use super::{Decision, facts::Facts};
use crate::{
    record::{Event, TcpState},
    verdict::{Cause, Confidence, Evidence, Impact, Leg, Role},
};

const ECONNREFUSED: i32 = 111;

/// nginx reads what has come in the next turn of its event loop.
const ANSWERED_JUST_NOW: Duration = Duration::from_millis(50);

/// The worker that held the connection was dying when it reset or closed it.
pub(super) fn worker_died(facts: &Facts<'_>) -> Option<Decision> {
    let connection = &facts.case.connection;
    let by_this_end = [connection.sent(), connection.given_up(), connection.exit_close()];
    let exit = by_this_end.into_iter().flatten().find_map(|record| record.exit)?;
    let worker = connection.process().is_some_and(|process| process.role == Role::Worker);
    if !worker || exit.in_good_order() || facts.fin_seen() && !facts.reset_received() && connection.sent().is_none() {
        return None;
    }
    let decision = facts.decide_by(Evidence::OwnerExiting, Cause::ProxyCrash, Confidence::High)?;
    Some(Decision { impact: Impact::RequestFailed, ..decision })
}

/// The server refused this connection and served another that was opened right after, and refused again: it listens,
/// and something limits it.
pub(super) fn refused_in_turns(facts: &Facts<'_>) -> Option<Decision> {
    let refused = facts.reset_received() && facts.state() == Some(TcpState::SynSent);
    if !refused || !facts.case.server.accepts_between {
        return None;
    }
    let evidence = smallvec![Evidence::HandshakeRefused, Evidence::ServedInBetween];
    let impact = facts.impact();
    Some(Decision { cause: Cause::ConnectionLimit, confidence: Confidence::Medium, impact, evidence })
}

/// The SYN was answered with a reset.
pub(super) fn handshake_refused(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.reset_received() || facts.state() != Some(TcpState::SynSent) {
        return None;
    }
    let evidence = smallvec![Evidence::HandshakeRefused];
    let impact = facts.impact();
    Some(Decision { cause: Cause::ConnectionRefused, confidence: Confidence::High, impact, evidence })
}

/// The handshake had no answer: nginx gave it up after `proxy_connect_timeout`, for a client that left, or the kernel
/// did for an ICMP error.
pub(super) fn handshake_given_up(facts: &Facts<'_>) -> Option<Decision> {
    let given_up = facts.case.connection.given_up()?;
    if facts.state() != Some(TcpState::SynSent) {
        return None;
    }
    let by = |cause, confidence| facts.decide_by(Evidence::HandshakeUnanswered, cause, confidence);
    if let Event::Failed { error } = given_up.event {
        let refused = error == ECONNREFUSED;
        return if refused {
            by(Cause::ConnectionRefused, Confidence::Medium)
        } else {
            by(Cause::Unknown, Confidence::Low)
        };
    }
    match () {
        () if facts.log_says_timed_out() => by(Cause::ProxyTimeout, Confidence::High),
        () if facts.log_says_client_left() => by(Cause::ClientAbort, Confidence::High),
        () if facts.waited_timeout() && !facts.log_says_nothing() => by(Cause::ProxyTimeout, Confidence::Medium),
        () if facts.case.client_left => by(Cause::ClientAbort, Confidence::Medium),
        () => by(Cause::Unknown, Confidence::Low),
    }
}

/// A client reset its connection: with a request or response under way it left, else it only closed.
pub(super) fn client_reset(facts: &Facts<'_>) -> Option<Decision> {
    if facts.leg() != Leg::Client {
        return None;
    }
    // On this leg the request is what was received, so "received last" means that the response was still due.
    if facts.nothing_unacked() && !facts.response_began() {
        return facts.harmless(Confidence::Medium);
    }
    facts.decide(Cause::ClientAbort, Confidence::Medium)
}

/// nginx ended the connection itself, and its own log says why. Not where nobody took the request: there the log names
/// only who lost patience.
pub(super) fn cut_for_a_logged_reason(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.ended_by_this_end() || facts.sent_in_vain() {
        return None;
    }
    if facts.log_says_timed_out() {
        return facts.decide(Cause::ProxyTimeout, Confidence::High);
    }
    if facts.log_says_client_left() {
        return facts.decide(Cause::ClientAbort, Confidence::High);
    }
    // The closed list of causes has none for a response that breaks the protocol; the evidence says it.
    facts.log_says_response_refused().then(|| facts.decide(Cause::Unknown, Confidence::Low)).flatten()
}

/// nginx had closed with much of a request on its way, of which the backend took no more, and the backend's reset answers
/// that: it gave up, for a client that left or because nothing moved for `proxy_send_timeout`.
pub(super) fn upload_given_up(facts: &Facts<'_>) -> Option<Decision> {
    let closed =
        facts.closed_by_this_end_first() && facts.reset_received() && facts.case.connection.abandoned().is_none();
    if !closed || !facts.upload_under_way() || facts.leg() != Leg::Upstream {
        return None;
    }
    if facts.case.client_left {
        return facts.decide_by(Evidence::ClientLeftBefore, Cause::ClientAbort, Confidence::Medium);
    }
    facts.decide_by(Evidence::ClosedByProxy, Cause::ProxyTimeout, Confidence::Low)
}

/// This end sent the reset and the peer had sent nothing that ends a connection.
pub(super) fn reset_by_this_end(facts: &Facts<'_>) -> Option<Decision> {
    let connection = &facts.case.connection;
    let sent = connection.sent()?;
    if facts.reset_received() || facts.fin_seen() || connection.abandoned().is_some() {
        return None;
    }
    if facts.case.client_left {
        return facts.decide_by(Evidence::ClientLeftBefore, Cause::ClientAbort, Confidence::Medium);
    }
    if sent.answers_data_after_close() {
        // nginx had closed its end and a response came all the same: it had given up on it, for which the socket
        // knows no reason.
        return facts.decide_by(Evidence::DataAfterClose, Cause::Unknown, Confidence::Low);
    }
    None
}

/// nginx closed with a request outstanding when one of its timeouts was over. Without its log a client that left at that
/// very moment looks the same; so does the end of an idle connection on which HTTP/2 or TLS had the last word.
pub(super) fn waited_for_a_timeout(facts: &Facts<'_>) -> Option<Decision> {
    facts.case.connection.abandoned()?;
    if !facts.waited_timeout() || facts.log_says_nothing() {
        return None;
    }
    let confidence = if facts.case.client_left { Confidence::Low } else { Confidence::Medium };
    facts.decide(Cause::ProxyTimeout, confidence)
}

/// nginx closed with a request outstanding: for a client that left, of which it says nothing at its usual log level, or
/// for a reason that nobody knows. If payload had come just then, that was an answer to a request whose rest was still
/// on its way; what was sent over TLS in the same turn of its event loop was a farewell.
pub(super) fn closed_with_a_request_outstanding(facts: &Facts<'_>) -> Option<Decision> {
    let closed = facts.case.connection.abandoned()?;
    if facts.case.client_left {
        return facts.decide_by(Evidence::ClientLeftBefore, Cause::ClientAbort, Confidence::Medium);
    }
    let received = closed.snapshot.and_then(|snapshot| snapshot.since_last_receive);
    let answered = facts.flight_never_acked() && received.is_some_and(|since| since <= ANSWERED_JUST_NOW);
    if answered || facts.closed_right_after_sending(closed) {
        return facts.harmless(Confidence::Low);
    }
    facts.decide(Cause::Unknown, Confidence::Low)
}

#[cfg(test)]
mod tests;
