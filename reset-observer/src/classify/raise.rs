//! What would have raised a decision's confidence: what is not known here, and decides such cases.

use super::{Decision, facts::Facts};
use crate::{
    correlate::{Case, Logged},
    verdict::{Cause, Confidence, Leg, WouldRaise, WouldRaiseList},
};

/// Nothing where the confidence is high already.
pub(super) fn would_raise(case: &Case, decision: &Decision) -> WouldRaiseList {
    if decision.confidence == Confidence::High {
        return WouldRaiseList::new();
    }
    let (facts, cause) = (Facts::of(case), decision.cause);
    [
        (reset_packet(&facts, cause), WouldRaise::ResetPacket),
        (error_log(&facts, cause), WouldRaise::ErrorLog),
        (configuration(&facts, cause), WouldRaise::Configuration),
        (learned_idle_timeout(&facts, cause), WouldRaise::LearnedIdleTimeout),
        (backend_host(&facts, cause), WouldRaise::BackendHost),
        (longer_settle(&facts, cause), WouldRaise::LongerSettle),
        (client_side(&facts, cause), WouldRaise::ClientSide),
        (case.connection.opened_at().is_none() && cause == Cause::Unknown, WouldRaise::SeenFromTheStart),
    ]
    .into_iter()
    .filter_map(|(would, what)| would.then_some(what))
    .collect()
}

/// Its flags tell a live socket from a host that knows no such connection, and its distance a middlebox.
fn reset_packet(facts: &Facts<'_>, cause: Cause) -> bool {
    let open =
        matches!(cause, Cause::KeepaliveRace | Cause::MiddleboxIdleDrop | Cause::ConnectionLimit | Cause::Unknown);
    let open = open || cause == Cause::BackendAbort && facts.flight_never_acked();
    open && facts.reset_received() && facts.packet().is_none()
}

/// It says why nginx itself closed, and whether a response was complete.
fn error_log(facts: &Facts<'_>, cause: Cause) -> bool {
    let unread = facts.case.logged == Logged::Unknown && facts.leg() == Leg::Upstream;
    let by_proxy =
        facts.ended_by_this_end() && matches!(cause, Cause::ProxyTimeout | Cause::ClientAbort | Cause::Unknown);
    let response_end = cause == Cause::IdleClose && facts.response_began() && facts.fin_seen();
    unread && (by_proxy || response_end)
}

/// Without the timeouts there is nothing to compare the time with.
fn configuration(facts: &Facts<'_>, cause: Cause) -> bool {
    let connection = &facts.case.connection;
    cause == Cause::Unknown && connection.abandoned().is_some() && connection.settings().is_none()
}

/// It parts a race from a middlebox and from an abort.
fn learned_idle_timeout(facts: &Facts<'_>, cause: Cause) -> bool {
    let open = matches!(cause, Cause::MiddleboxIdleDrop | Cause::BackendAbort | Cause::KeepaliveRace | Cause::Unknown);
    let lost = facts.reset_received() && facts.flight_never_acked() && facts.reused();
    open && lost && facts.idle_timeout().is_none()
}

/// Its kernel names who ended the connection, and how the process ended.
fn backend_host(facts: &Facts<'_>, cause: Cause) -> bool {
    let by_peer = facts.reset_received() || facts.fin_seen();
    let of_backend = match cause {
        Cause::BackendCrash | Cause::BackendAbort | Cause::ConnectionLimit | Cause::KeepaliveRace => true,
        Cause::MiddleboxIdleDrop => true,
        Cause::Unknown => by_peer,
        Cause::BackendRestart | Cause::ConnectionRefused | Cause::ClientAbort | Cause::ProxyTimeout => false,
        Cause::ProxyCrash | Cause::IdleClose => false,
    };
    of_backend && facts.leg() == Leg::Upstream && facts.case.peer.is_none()
}

/// A server that went away shows it by refusing the next connection, which may come later than the verdict.
fn longer_settle(facts: &Facts<'_>, cause: Cause) -> bool {
    let cut = matches!(cause, Cause::BackendAbort | Cause::BackendCrash) && !facts.server_vanished();
    cut && facts.case.peer.is_none() && (facts.reset_received() || facts.fin_seen())
}

/// A client that left just before is the reason that nginx does not log at its usual level.
fn client_side(facts: &Facts<'_>, cause: Cause) -> bool {
    let unexplained = cause == Cause::Unknown && !facts.log_says_response_refused();
    unexplained && facts.ended_by_this_end() && !facts.case.client_left
}

#[cfg(test)]
mod tests;
