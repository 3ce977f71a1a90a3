//! Ends that hurt nobody.

use std::time::Duration;

use super::{Decision, facts::Facts};
use crate::{
    record::{Record, TcpState},
    verdict::{Confidence, Leg},
};

/// A response that was still coming would not pause this long before a reset, in the usual case.
const SURELY_IDLE: Duration = Duration::from_secs(1);

/// What was still under way was this end's own farewell: nginx says `close_notify` on a TLS connection that it will not
/// keep, closes at once, and nobody need acknowledge it. The response had come before.
pub(super) fn said_farewell(facts: &Facts<'_>) -> Option<Decision> {
    let upstream = facts.leg() == Leg::Upstream && !facts.nothing_received();
    let response_over = !facts.log_says_cut() && !facts.response_unread() && !left_by_its_client(facts);
    if !upstream || !facts.flight_is_close_notify() || !response_over {
        return None;
    }
    facts.harmless(Confidence::Medium)
}

/// A client left, and more of the response came than nginx would take: it closed for the client.
fn left_by_its_client(facts: &Facts<'_>) -> bool {
    let connection = &facts.case.connection;
    facts.case.client_left && connection.abandoned().is_some() && connection.sent().is_some()
}

/// Both ends said farewell at once: nginx had closed when the server's came, or closed with that unread.
pub(super) fn farewells_crossed(facts: &Facts<'_>) -> Option<Decision> {
    let crossed = facts.farewell_after_close() || facts.farewell_unread_after_fin();
    (facts.leg() == Leg::Upstream && crossed && !facts.log_says_cut())
        .then(|| facts.harmless(Confidence::Medium))
        .flatten()
}

/// A packet met no socket of this host any more, or one that both ends had closed: whatever was outstanding on it had ended
/// before.
pub(super) fn met_no_socket(facts: &Facts<'_>) -> Option<Decision> {
    let connection = &facts.case.connection;
    let over = |record: &Record| matches!(record.state_before, None | Some(TcpState::TimeWait));
    let alone =
        connection.decisive().is_some_and(over) && connection.snapshot().is_none() && connection.sent().is_some();
    (facts.leg() == Leg::Upstream && alone).then(|| facts.harmless(Confidence::Low)).flatten()
}

/// This end had closed before the peer's reset came: nginx was done with the connection, or had given it up.
pub(super) fn closed_by_this_end_first(facts: &Facts<'_>) -> Option<Decision> {
    let closed = facts.case.connection.abandoned();
    let done = closed.is_none_or(|closed| facts.closed_with_a_farewell(closed));
    let lost = facts.flight_never_acked() && !facts.flight_is_close_notify();
    if !done || lost || !facts.closed_by_this_end_first() || !facts.reset_received() {
        return None;
    }
    facts.harmless(Confidence::Medium)
}

/// Nothing was outstanding: no request was sent, or its response had come and the connection lay idle.
///
/// A FIN right after payload is the end of a response that ends with the connection, which looks the same as a response
/// cut short; [`response_ended_with_the_connection`] says so with less confidence.
pub(super) fn nothing_outstanding(facts: &Facts<'_>) -> Option<Decision> {
    if facts.nothing_sent() && !facts.unread() && facts.leg() == Leg::Upstream && facts.nothing_received() {
        // Right after it was opened a request was about to be sent: that is another rule's.
        let confidence = if facts.fin_seen() { Confidence::Medium } else { Confidence::Low };
        return (!facts.cut_when_opened()).then(|| facts.harmless(confidence)).flatten();
    }
    let idle = facts.idle_now().is_some_and(|idle| idle >= SURELY_IDLE);
    if !facts.response_began() || !facts.nothing_unacked() || facts.unread() || !idle || facts.log_says_cut() {
        return None;
    }
    facts.harmless(if facts.reset_received() { Confidence::Medium } else { Confidence::High })
}

/// The server said farewell over TLS, nginx answered with its own, and the server's FIN was quicker than nginx's close. A
/// request that was lost so soon after the response before it looks the same, but of that nginx writes a line.
pub(super) fn farewell_answered(facts: &Facts<'_>) -> Option<Decision> {
    let answered = facts.fin_seen() && !facts.reset_received() && facts.acked_without_response();
    let silent = facts.log_says_nothing() && facts.leg() == Leg::Upstream && !facts.server_vanished();
    (answered && silent && facts.sent_within_a_turn()).then(|| facts.harmless(Confidence::Low)).flatten()
}

/// nginx reset a connection that it kept, because the server's farewell lay unread in it. A client that leaves makes it
/// reset one in use, with whatever is unread; that the server's idle timeout was over tells the two apart.
pub(super) fn farewell_left_unread(facts: &Facts<'_>) -> Option<Decision> {
    let idle = facts.farewell_unread().filter(|_| facts.leg() == Leg::Upstream)?;
    let timely = facts.idle_timeout().is_some_and(|timeout| timeout.matches(idle));
    facts.harmless(if timely { Confidence::Medium } else { Confidence::Low })
}

/// FIN with everything acknowledged and payload received last: the normal end of a response without a length. That it
/// was cut short, only nginx's log or the end of a local process can tell.
pub(super) fn response_ended_with_the_connection(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.fin_seen() || !facts.response_began() || !facts.nothing_unacked() {
        return None;
    }
    facts.harmless(Confidence::Medium)
}
