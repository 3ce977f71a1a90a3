//! The backend's own doing: it died, was stopped, turned the connection away, or aborted it.

use std::time::Duration;

use super::{Decision, facts::Facts};
use crate::verdict::{Cause, Confidence, Evidence};

/// A process that dies this soon after a request most likely died of it.
const DIED_OF_IT: Duration = Duration::from_millis(50);

/// A pause shorter than any idle timeout.
const IN_USE: Duration = Duration::from_millis(50);

/// The backend's process on this host was exiting when it closed this very connection. Certain.
///
/// The dying process closes its sockets itself in `do_exit`, so its kernel names it and its exit code.
pub(super) fn local_process_ended(facts: &Facts<'_>) -> Option<Decision> {
    let exit = facts.peer_exit().filter(|_| facts.case.connection.abandoned().is_none())?;
    let cause = if exit.in_good_order() { Cause::BackendRestart } else { Cause::BackendCrash };
    if facts.acked_without_response() || facts.flight_never_acked() {
        return facts.decide(cause, Confidence::High);
    }
    // Payload came after the request: a whole response or a part of one. An abnormal end with a reset, which only
    // unread data causes, had a request in hand.
    if facts.reset_received() || facts.unread() || facts.log_says_cut() {
        return facts.decide(cause, Confidence::High);
    }
    // Payload came last, or in the same jiffy as the request. A process that dies right then was most likely still at
    // it; that it had just finished, and died of something else, is possible.
    if facts.idle_now().is_some_and(|idle| idle <= DIED_OF_IT) {
        return facts.decide(cause, Confidence::Medium);
    }
    facts.harmless(if exit.in_good_order() { Confidence::High } else { Confidence::Medium })
}

/// The server is gone: connections were cut with a request outstanding, and it refuses new ones. Whether it crashed or
/// was restarted only its own host knows.
pub(super) fn vanished(facts: &Facts<'_>) -> Option<Decision> {
    let outstanding = facts.acked_without_response() || facts.flight_never_acked() || cut_in_response(facts);
    if !facts.server_vanished() || !outstanding {
        return None;
    }
    facts.decide(Cause::BackendCrash, Confidence::Medium)
}

/// The backend on this host sent the reset, and its process lives.
pub(super) fn local_peer_aborted(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.peer_sent() || !facts.reset_received() || facts.idle_matches() {
        return None;
    }
    if let Some(decision) = turned_away(facts) {
        return Some(decision);
    }
    if facts.acked_without_response() || cut_in_response(facts) {
        return facts.decide(Cause::BackendAbort, Confidence::High);
    }
    facts.flight_never_acked().then(|| facts.decide(Cause::BackendAbort, Confidence::Medium)).flatten()
}

/// A new connection was cut at once, before a byte came back: accept queue overflow, or a limit that the application
/// enforces by closing what it accepted. Whoever read the request first turned away a request, not a connection.
pub(super) fn turned_away(facts: &Facts<'_>) -> Option<Decision> {
    let unread = facts.peer_read_nothing().unwrap_or_else(|| facts.flight_never_acked() || facts.nothing_sent());
    if !facts.nothing_received() || !facts.cut_when_opened() || facts.server_vanished() || !unread {
        return None;
    }
    facts.decide_by(Evidence::CutWhenOpened, Cause::ConnectionLimit, Confidence::Medium)
}

/// The same with a FIN: the application accepted and closed before the request came.
pub(super) fn turned_away_with_fin(facts: &Facts<'_>) -> Option<Decision> {
    let before_the_request = facts.flight_never_acked() || facts.nothing_sent();
    if !facts.fin_seen() || !before_the_request || facts.reused() {
        return None;
    }
    turned_away(facts)
}

/// Over HTTP/2 the backend said itself that it does not take the request, and for which error.
pub(super) fn rejected(facts: &Facts<'_>) -> Option<Decision> {
    let lives = facts.peer_exit().is_none() && !facts.server_vanished();
    (facts.log_says_rejected() && lives).then(|| facts.decide(Cause::BackendAbort, Confidence::Medium)).flatten()
}

/// The request had reached the backend's kernel, no or half a response came, and the backend ended the connection while
/// the server went on.
pub(super) fn aborted(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.acked_without_response() && !cut_in_response(facts) {
        return None;
    }
    if facts.case.server.cut_many() && !facts.case.server.size_repeats() {
        // Several at once are rarely aborted one by one.
        return facts.decide(Cause::BackendCrash, Confidence::Low);
    }
    facts.decide(Cause::BackendAbort, Confidence::Medium)
}

/// The same before the backend's kernel acknowledged the request, which it puts off by up to 40 ms once a connection has
/// been used. Right after the last exchange no idle timer can have been over, of the backend's or of a middlebox's; so it
/// was the request, or the message. A middlebox that throws out connections in use would look the same.
pub(super) fn aborted_in_use(facts: &Facts<'_>) -> Option<Decision> {
    if !facts.reset_received() || facts.fin_seen() || !facts.flight_never_acked() || !facts.reused() || !in_use(facts) {
        return None;
    }
    facts.decide(Cause::BackendAbort, Confidence::Low)
}

/// The last exchange had been over for no longer than any idle timeout when the request was sent.
pub(super) fn in_use(facts: &Facts<'_>) -> bool {
    facts.idle_before_request().or_else(|| facts.idle_now()).is_some_and(|gap| gap <= IN_USE)
}

/// A FIN says that all was sent, and a reset after it that something of this end's lay unread: a farewell, in the usual case.
fn cut_in_response(facts: &Facts<'_>) -> bool {
    facts.response_began() && facts.reset_received() && !facts.fin_seen() || facts.log_says_cut()
}

#[cfg(test)]
mod tests;
