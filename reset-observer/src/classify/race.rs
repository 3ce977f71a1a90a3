//! The keepalive race: nginx sent a request on a pooled connection that the backend was closing for idleness.

use super::{Decision, backend::in_use, facts::Facts};
use crate::{
    record::Record,
    verdict::{Cause, Confidence},
};

/// The backend's FIN came, and its kernel acknowledged nothing of the request: the two crossed, or the request was
/// written into a connection that was closed already.
///
/// `tcp_fin` runs after the acknowledgement of its own segment was taken, so a FIN from a backend that had the request
/// would have acknowledged it ([source]). A backend that closes with the request unread sends a reset instead of a FIN.
///
/// [source]: https://github.com/torvalds/linux/blob/v6.12/net/ipv4/tcp_input.c#L6218-L6260
pub(super) fn closed_while_the_request_crossed(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.fin_seen() || !facts.flight_never_acked() || !facts.reused() {
        return None;
    }
    if facts.server_vanished() {
        // The server went away while the request was on its way: not for idleness.
        return facts.decide(Cause::BackendCrash, Confidence::Medium);
    }
    // Over TLS it may be the first request, and the connection one that was turned away after its handshake. In use it may
    // be the rest of a long request that was answered before it was read to its end.
    let sure = facts.reuse().is_some() && !in_use(facts);
    let confidence = if sure { Confidence::High } else { Confidence::Medium };
    facts.decide(Cause::KeepaliveRace, confidence)
}

/// A reset without a FIN, at an idle gap that is the backend's own timeout: it closed with the request just arrived and
/// unread, or its FIN was lost. An abort at that very moment would look the same.
pub(super) fn reset_at_the_learned_timeout(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.reset_received() || !facts.idle_matches() || !facts.reused() || facts.response_began() {
        return None;
    }
    facts.decide(Cause::KeepaliveRace, Confidence::Medium)
}

/// The backend on this host had closed the connection when the request came, and only its FIN never arrived: its kernel
/// met data on a closed socket.
fn met_a_closed_socket(facts: &Facts<'_>) -> bool {
    let sent = facts.case.peer.as_ref().and_then(|peer| peer.sent());
    sent.is_some_and(Record::answers_data_after_close) && facts.flight_never_acked()
}

/// The backend on this host closed a pooled connection without having read the request: not for what was in it. Few
/// reasons but idleness are left; a limit of requests per connection, or draining before a stop, are. In use it may be the
/// rest of a long request that was answered before it was read to its end.
pub(super) fn closed_with_the_request_unread(facts: &Facts<'_>) -> Option<Decision> {
    let unread = facts.peer_left_request_unread() || met_a_closed_socket(facts);
    if !facts.reset_received() || !facts.reused() || !unread || in_use(facts) || facts.server_vanished() {
        return None;
    }
    facts.decide(Cause::KeepaliveRace, if facts.idle_matches() { Confidence::High } else { Confidence::Medium })
}
