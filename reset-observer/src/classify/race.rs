//! The keepalive race: nginx sent a request on a pooled connection that the backend was closing for idleness.

use super::{Decision, backend::in_use, facts::Facts};
use crate::{
    record::{Exit, Record},
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

/// Over HTTP/2 a server that closes says GOAWAY first, with the last request that it took, and nginx logs that it was not
/// this one. For idleness, in the usual case: a connection that has grown old, or a stop, is ended in the same words. Some
/// name an error (gRPC's own server does, of an idle connection); that was not this request's if it had not come yet.
pub(super) fn told_to_go_away(facts: &Facts<'_>) -> Option<Decision> {
    let before_the_request = facts.log_says_rejected() && facts.flight_never_acked();
    if !facts.log_says_went_away() && !before_the_request {
        return None;
    }
    let cause = match facts.peer_exit() {
        Some(exit) if !exit.in_good_order() => Cause::BackendCrash,
        // Who says that he goes, and is gone, was stopped.
        Some(_) => Cause::BackendRestart,
        None if facts.server_vanished() => Cause::BackendRestart,
        None => Cause::KeepaliveRace,
    };
    facts.decide(cause, Confidence::Medium)
}

/// The request was written when the FIN of the idle connection had come, and the backend's host took it without a word: a
/// server that closes in good order reads and throws away what still comes (Apache for two seconds, and others). Only
/// nginx's log knows of it. Over TLS the payload before the FIN may have been a ticket after the request, of a server that
/// then gave no answer.
pub(super) fn swallowed_after_the_fin(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.request_unseen() {
        return None;
    }
    let idle = facts.idle_until_the_fin();
    let timely = facts.idle_timeout().zip(idle).is_some_and(|(timeout, idle)| timeout.matches(idle));
    let exit = facts.peer_exit();
    match () {
        () if exit.is_some_and(Exit::in_good_order) => facts.decide(Cause::BackendRestart, Confidence::Medium),
        () if exit.is_some() || facts.server_vanished() => facts.decide(Cause::BackendCrash, Confidence::Medium),
        () if timely => facts.decide(Cause::KeepaliveRace, Confidence::Medium),
        () if facts.tls() == Some(false) => facts.decide(Cause::KeepaliveRace, Confidence::Low),
        () => facts.decide(Cause::Unknown, Confidence::Low),
    }
}

/// Over TLS the server says farewell before its FIN, and nginx closes when it has read that: the request and the farewell
/// crossed.
pub(super) fn farewell_met_request(facts: &Facts<'_>) -> Option<Decision> {
    let cause = if facts.server_vanished() { Cause::BackendCrash } else { Cause::KeepaliveRace };
    facts.farewell_met_request().then(|| facts.decide(cause, Confidence::Medium)).flatten()
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
