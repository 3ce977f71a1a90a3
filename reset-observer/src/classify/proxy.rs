//! This host's own doing, and ends before or on the client's side of the request.

use super::{Decision, facts::Facts};
use crate::{
    record::{Event, TcpState},
    verdict::{Cause, Confidence, Evidence, Impact, Leg, Role},
};

/// The worker that held the connection was dying when it reset it.
pub(super) fn worker_died(facts: &Facts<'_>) -> Option<Decision> {
    let connection = &facts.case.connection;
    let sent = connection.sent()?;
    let exit = sent.exit?;
    let worker = connection.process().is_some_and(|process| process.role == Role::Worker);
    if !worker || exit.in_good_order() {
        return None;
    }
    let decision = facts.decide_by(Evidence::OwnerExiting, Cause::ProxyCrash, Confidence::High)?;
    Some(Decision { impact: Impact::RequestFailed, ..decision })
}

/// The SYN was answered with a reset.
pub(super) fn handshake_refused(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.reset_received() || facts.state() != Some(TcpState::SynSent) {
        return None;
    }
    let evidence = vec![Evidence::HandshakeRefused];
    let impact = facts.impact();
    Some(Decision { cause: Cause::ConnectionRefused, confidence: Confidence::High, impact, evidence })
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

/// This end sent the reset and the peer had sent nothing that ends a connection.
pub(super) fn reset_by_this_end(facts: &Facts<'_>) -> Option<Decision> {
    let connection = &facts.case.connection;
    let sent = connection.sent()?;
    if facts.reset_received() || facts.fin_seen() {
        return None;
    }
    let after_close = matches!(sent.event, Event::ResetSent { data_after_close: true, .. });
    if facts.case.client_left {
        return facts.decide_by(Evidence::ClientLeftBefore, Cause::ClientAbort, Confidence::Medium);
    }
    if after_close {
        // nginx had closed its end and a response came all the same: it had given up on it, for which the socket
        // knows no reason.
        return facts.decide_by(Evidence::DataAfterClose, Cause::Unknown, Confidence::Low);
    }
    None
}
